"""From a mail to what the intake gets. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

from msgspec import Struct

from tocsin.engine.contracts import Submission
from tocsin.engine.event_times import told_time
from tocsin.model.event import NOWHERE, Actor, Event, Place
from tocsin.model.kinds import Kind, State
from tocsin.sources.smtp.alarm_xml import AlarmXml, read_alarm
from tocsin.sources.smtp.patterns import Lines, Pattern, matched
from tocsin.sources.smtp.reading import Reading
from tocsin.sources.smtp.settings import RuleSettings, SmtpSourceSettings

LONGEST_EVENT_TEXT = 2000
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9._:@-]+")


class Rule(Struct, frozen=True):
    settings: RuleSettings
    patterns: dict[str, Pattern]

    @property
    def subject(self) -> str:
        """Under which name it is supervised."""
        given = self.settings
        return given.device or given.to or given.sender or given.subject or given.line or given.number or ""


class Found(Struct, frozen=True):
    """What a rule says about one mail to one recipient."""

    device_id: str = ""
    zone: str = ""
    text: str = ""
    rule: Rule | None = None


class Mails:
    """The rules of one source."""

    def __init__(self, settings: SmtpSourceSettings) -> None:
        self._settings = settings
        self.rules = tuple(Rule(each, each.patterns()) for each in settings.rules)
        self._devices = {name.lower(): device for name, device in settings.devices.items()}

    def may_be_for(self, recipient: str) -> bool:
        """Whether a mail to this recipient can fit a rule, as far as the recipient tells."""
        if self._settings.unknown == "accept":
            return True
        return any("to" not in rule.patterns or _to(rule.patterns["to"], recipient) is not None for rule in self.rules)

    def find(
        self, recipient: str, sender: str, mail: Reading, alarm: AlarmXml | None, lines: Lines | None = None
    ) -> Found | None:
        """The first rule that fits; None when there is none and strangers are refused. `lines` of the mail's text,
        where more than one recipient is asked for.
        """
        lines = lines or Lines(mail.text)
        for rule in self.rules:
            kept = _kept(rule, recipient, sender, mail, alarm, lines)
            if kept is not None:
                named = rule.settings.device or self._device(kept.get("device", ""))
                return Found(named, kept.get("zone", ""), kept.get("text", ""), rule)
        return Found() if self._settings.unknown == "accept" else None

    def _device(self, name: str) -> str:
        return self._devices.get(name.lower()) or _NOT_IN_IDS.sub("-", name)[:200].strip("-")


def _to(pattern: Pattern, recipient: str) -> dict[str, str] | None:
    """By the whole address, or by its part before the @."""
    whole = matched(pattern, recipient)
    return matched(pattern, recipient.rpartition("@")[0] or recipient) if whole is None else whole


def _kept(
    rule: Rule, recipient: str, sender: str, mail: Reading, alarm: AlarmXml | None, lines: Lines
) -> dict[str, str] | None:
    number = rule.settings.number
    if number is not None and (alarm is None or alarm.number != number):
        return None
    kept: dict[str, str] = {}
    for name, pattern in rule.patterns.items():
        if name == "to":
            found = _to(pattern, recipient)
        elif name == "line":
            found = lines.first(pattern)
        else:
            found = matched(pattern, sender if name == "sender" else mail.subject)
        if found is None:
            return None
        kept |= found
    return kept


def submission(
    settings: SmtpSourceSettings, found: Found, mail: Reading, alarm: AlarmXml | None, recipient: str, now: datetime
) -> Submission:
    """The same mail to the same recipient has the same event id, so that one sent again after a lost answer is one."""
    kind, state = _kind(settings, found, mail, alarm)
    occurred, flags = told_time(alarm.occurred if alarm is not None else None, now)
    place = Place(area=found.rule.settings.area) if found.rule and found.rule.settings.area else NOWHERE
    number = found.zone or (alarm.number if alarm is not None else "")
    event = Event(
        id=_identity(mail, recipient),
        kind=kind,
        state=state,
        occurred_at=occurred,
        accepted_at=now,
        source=settings.name,
        device_id=found.device_id,
        place=place,
        actors=(Actor(alarm.actor),) if alarm is not None and alarm.actor else (),
        text=_text(settings, found, mail, alarm, number),
        url=alarm.url if alarm is not None else "",
        location=alarm.location if alarm is not None else None,
        flags=flags,
        raw=_raw(mail),
    )
    return Submission(event, mail.photos, _digest(event, mail) if event.id else b"", warnings=mail.problems)


def alarm_of(mail: Reading) -> AlarmXml | None:
    return read_alarm(mail.text)


def _kind(settings: SmtpSourceSettings, found: Found, mail: Reading, alarm: AlarmXml | None) -> tuple[Kind, State]:
    """The rule's kind, the alarm document's, the first word's, the source's: the first there is."""
    rule = found.rule.settings if found.rule is not None else None
    if rule is not None and rule.kind is not None:
        return rule.kind, rule.state
    words = f"{mail.subject}\n{mail.text}".lower()
    told = next((word for word in settings.kinds if word.contains.lower() in words), None)
    if alarm is not None and alarm.kind is not None:
        return alarm.kind, told.state if told is not None else "new"
    if told is not None:
        return told.kind, told.state
    return settings.kind, rule.state if rule is not None else "new"


def _text(settings: SmtpSourceSettings, found: Found, mail: Reading, alarm: AlarmXml | None, number: str) -> str:
    if found.text:
        told: Sequence[str] = [found.text]
    elif alarm is not None:
        told = [alarm.name if alarm.kind is None else "", alarm.text, f"input {number}" if number else ""]
    else:
        wanted = {"subject": [mail.subject], "text": [mail.text], "both": [mail.subject, mail.text]}[settings.text]
        told = [" ".join(each.split()) for each in wanted]
    return "; ".join(dict.fromkeys(each for each in told if each))[:LONGEST_EVENT_TEXT]


def _raw(mail: Reading) -> str:
    return mail.text[:4000] if mail.problems and not mail.subject else ""


def _identity(mail: Reading, recipient: str) -> str:
    if not mail.message_id:
        return ""
    told = f"{mail.message_id}\x00{recipient.lower()}".encode("utf-8", "replace")
    return f"mail-{blake2b(told, digest_size=16).hexdigest()}"


def _digest(event: Event, mail: Reading) -> bytes:
    # The date too: there are cameras that give all their mails one Message-ID.
    said = f"{event.kind}\x00{mail.date}\x00{mail.subject}\x00{mail.text}"
    told = blake2b(said.encode("utf-8", "replace"), digest_size=16)
    for photo in mail.photos:
        told.update(blake2b(photo.data, digest_size=16).digest())
    return told.digest()
