"""From a record that was taken to what the intake gets. Pure."""

from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from tocsin.engine.contracts import Submission
from tocsin.engine.event_times import told_time
from tocsin.model.event import NOWHERE, Address, Code, Event, Place
from tocsin.model.kinds import Kind
from tocsin.protocols.surgard.records import Record
from tocsin.protocols.text import decoded, printable
from tocsin.protocols.translate import PanelEvent, panel_events
from tocsin.sources.surgard.settings import AccountSettings, SurgardSourceSettings

_RAW = "raw"
# The two event characters of record 1 that manuals explain (surgard.md 8); any other is an alarm.
_BASIC: dict[str, Kind] = {"C": "armed", "O": "disarmed"}
# What receivers say about themselves (surgard.md 5.3).
_STATUS: dict[str, tuple[Kind, str]] = {
    "YN": ("trouble", "invalid report"),
    "YC": ("connection_lost", "communication failed"),
    "YK": ("connection_restored", "communication restored"),
}


class Site(Struct, frozen=True):
    """What is configured about one account. `known` is False for accounts that are taken without being listed."""

    subject: str = ""
    place: Place = NOWHERE
    device_id: str = ""
    zone: ZoneInfo | None = None
    known: bool = True


class Sites:
    """The accounts of one source. The most exact entry wins: receiver and line, receiver, line, account alone."""

    def __init__(self, settings: SurgardSourceSettings) -> None:
        self._sites = {(each.receiver, each.line, each.account.upper()): _site(each) for each in settings.accounts}

    def of(self, record: Record) -> Site:
        account = record.account.upper()
        for receiver, line in (
            (record.receiver, record.line),
            (record.receiver, None),
            (None, record.line),
            (None, None),
        ):
            site = self._sites.get((receiver, line, account))
            if site is not None:
                return site
        return Site(known=False)


def _site(account: AccountSettings) -> Site:
    place = Place(area=account.area) if account.area else NOWHERE
    zone = ZoneInfo(account.time_zone) if account.time_zone else None
    return Site(account.subject, place, account.device, zone)


def submissions(source: str, record: Record, site: Site, own: Site, now: datetime) -> list[Submission]:
    """One submission per event of the record, in order; `own` is where the receiver's own events belong."""
    if record.kind == "status":
        return [Submission(_status(source, record, own, now))]
    return [Submission(_event(source, said, record, site, now)) for said in _said(record, site, now)]


def _said(record: Record, site: Site, now: datetime) -> list[PanelEvent]:
    account = record.account
    match record.kind:
        case "contact-id":
            data = f"#{account}|{record.code} {record.group} {record.zone}".encode("ascii")
            return panel_events("ADM-CID", data, (), account)
        case "sia2":
            return panel_events("SIA-DCS", record.block, (), account, frame_time=now, zone=site.zone)
        case "sia1":
            data = f"#{account}|N{record.code}{record.zone}".encode("ascii", "replace")
            return panel_events("SIA-DCS", data, (), account)
        case "basic":
            return [_basic(record)]
        case "caller":
            return [PanelEvent(account=account, kind="info", text=f"call from {_digits(record.code)}")]
        case _:
            return [_unreadable(record)]


def _basic(record: Record) -> PanelEvent:
    """`C1128`: an event character, then a group or a blank, then zone, user or alarm code."""
    kind = _BASIC.get(record.code, "alarm")
    by_user = kind != "alarm"
    return PanelEvent(
        account=record.account,
        kind=kind,
        area=record.group or None,
        zone=None if by_user else record.zone or None,
        user=record.zone if by_user else "",
        text=f"event {record.code} {record.zone}".strip(),
    )


def _digits(number: str) -> str:
    return number.rstrip("F").strip() or "an unknown number"


def _unreadable(record: Record) -> PanelEvent:
    """An alarm that cannot be read is still an alarm."""
    raw = _shown(record)
    return PanelEvent(account=record.account, kind="alarm", text=f"unreadable record: {raw}", flags=(_RAW,), raw=raw)


def _shown(record: Record) -> str:
    return printable(decoded(record.raw)).strip()


def _status(source: str, record: Record, own: Site, now: datetime) -> Event:
    """Of the receiver itself, not of a site: without an account of its own (surgard.md 5.3)."""
    kind, text = _STATUS.get(record.code, ("info", ""))
    said = text or printable(decoded(record.block)).strip()
    where = f"receiver {record.receiver} line {record.line}" if record.receiver else "receiver"
    return Event(
        id="",
        kind=kind,
        occurred_at=now,
        accepted_at=now,
        source=source,
        device_id=own.device_id,
        place=own.place,
        code=Code(sia=record.code) if record.code else None,
        text=f"{where}: {said}",
        flags=("loose",) if record.loose else (),
        raw="" if record.code else _shown(record),
    )


def _event(source: str, said: PanelEvent, record: Record, site: Site, now: datetime) -> Event:
    occurred, flags = told_time(said.occurred, now)  # the clock option has neither year nor zone
    odd = [*flags, *said.flags, *(["loose"] if record.loose else []), *([] if site.known else ["unknown_account"])]
    address = Address(said.account, said.area, said.zone, record.receiver or None, record.line or None)
    return Event(
        id="",
        kind=said.kind,
        occurred_at=occurred,
        accepted_at=now,
        source=source,
        state=said.state,
        device_id=site.device_id,
        place=site.place,
        address=address if said.account else None,
        code=said.code,
        text=said.text,
        url=said.url,
        user=said.user,
        flags=tuple(dict.fromkeys(odd)),
        raw=said.raw or (_shown(record) if record.loose else ""),
    )


def own_site(settings: SurgardSourceSettings) -> Site:
    return Site(place=Place(area=settings.area) if settings.area else NOWHERE, device_id=settings.device)
