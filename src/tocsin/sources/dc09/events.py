"""From a message that was taken to what the intake gets. Pure."""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

from tocsin.engine.contracts import Submission
from tocsin.engine.event_times import told_time
from tocsin.model.event import NOWHERE, Address, Event, Place
from tocsin.protocols.dc09.receiver import AccountRule, AccountTable, Take
from tocsin.protocols.translate import PanelEvent, panel_events
from tocsin.sources.dc09.settings import AccountSettings, Dc09SourceSettings

_address = lru_cache(maxsize=16_384)(Address)
"""Panels say the same few addresses again and again."""


class Panel(Struct, frozen=True):
    """What is configured about one account. `known` is False for accounts that are accepted without being listed."""

    rule: AccountRule
    place: Place = NOWHERE
    device_id: str = ""
    zone: ZoneInfo | None = None
    occurred_zone: tzinfo = UTC
    idle_s: float = 120.0
    known: bool = True


class Panels:
    """The accounts of one source, for the receiver and for the events (protocols.dc09.receiver.Accounts)."""

    def __init__(self, settings: Dc09SourceSettings) -> None:
        panels = [(account, _panel(account, settings.idle)) for account in settings.accounts]
        self._table = AccountTable((each.receiver, each.prefix, each.account, panel.rule) for each, panel in panels)
        self._by_subject = {panel.rule.account: panel for _, panel in panels}
        self._stranger = Panel(AccountRule("", repeat_window_s=90.0), idle_s=settings.idle, known=False)
        self._accepts_all = settings.unknown_accounts == "accept"

    def find(self, receiver: str | None, prefix: str | None, account: str) -> AccountRule | None:
        rule = self._table.find(receiver, prefix, account)
        return self._stranger.rule if rule is None and self._accepts_all else rule

    def of(self, rule: AccountRule) -> Panel:
        return self._by_subject.get(rule.account, self._stranger)


def _panel(account: AccountSettings, idle_s: float) -> Panel:
    zone = ZoneInfo(account.time_zone) if account.time_zone else None
    rule = AccountRule(
        account=account.subject,
        key=account.key.reveal() if account.key else None,
        allow_plain=account.allow_plain,
        check_plain_time=account.check_time,
        repeat_window_s=account.repeat_window,
        zone=zone or UTC,
        day_first=account.day_first,
    )
    place = Place(area=account.area) if account.area else NOWHERE
    supervised_s = 3 * (account.supervision or 0.0)  # dc09.md 14
    occurred_zone = zone if zone is not None and account.occurred_time == "device" else UTC
    return Panel(rule, place, account.device, zone, occurred_zone, max(idle_s, supervised_s))


def submissions(source: str, take: Take, panel: Panel, now: datetime, unanswered: bool = False) -> list[Submission]:
    """One submission per event of the message, in order. A repeat is recognised per event. `unanswered`: as in
    engine.contracts.Submission.
    """
    message = take.message
    found = panel_events(
        message.token,
        message.data,
        [(each.letter, each.value) for each in message.extended] if message.extended else (),
        message.account,
        frame_time=take.sent_at,
        zone=panel.zone,
        occurred_zone=panel.occurred_zone,
    )
    window_s = take.rule.repeat_window_s
    return [
        Submission(
            _event(source, each, take, panel, now),
            repeat_key=take.repeat_key + n.to_bytes(2),
            repeat_window_s=window_s,
            unanswered=unanswered,
        )
        for n, each in enumerate(found)
    ]


def _event(source: str, said: PanelEvent, take: Take, panel: Panel, now: datetime) -> Event:
    message = take.message
    occurred, flags = told_time(said.occurred, now)  # its frame's time is only when it was sent
    if take.flags or said.flags or not panel.known:
        stranger = () if panel.known else ("unknown_account",)
        flags = tuple(dict.fromkeys((*flags, *take.flags, *said.flags, *stranger)))
    return Event(
        id="",
        kind=said.kind,
        occurred_at=occurred,
        accepted_at=now,
        source=source,
        state=said.state,
        device_id=panel.device_id,
        place=panel.place,
        address=_address(said.account, said.area, said.zone, message.receiver, message.prefix),
        code=said.code,
        text=_text(said),
        url=said.url,
        location=said.location,
        user=said.user,
        flags=flags,
        raw=said.raw,
    )


def _text(said: PanelEvent) -> str:
    if not (said.site or said.label or said.files):
        return said.text
    files = f"files: {', '.join(said.files)}" if said.files else ""
    return "; ".join(part for part in (said.site, said.label, said.text, files) if part)
