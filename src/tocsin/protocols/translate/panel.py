"""What a panel's message says, as events. Total: whatever came in, something comes out."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

import msgspec
from msgspec import Struct

from tocsin.model.event import Code, Location
from tocsin.model.kinds import Kind, State
from tocsin.protocols import contact_id, sia
from tocsin.protocols.codes import Counts, Meaning, inbound_contact_id, inbound_sia
from tocsin.protocols.dc09.timestamps import read_time
from tocsin.protocols.text import decoded, printable
from tocsin.protocols.translate.position import location

_LINK = re.compile(r"(?:https?|ftps?|rtsps?)://[^\s\"<>]{1,2000}\Z", re.ASCII | re.IGNORECASE)
_LONGEST_TEXT = 1024
_code = lru_cache(maxsize=4096)(Code)
_NONE_GROUP, _NONE_ZONE = "00", "000"
_CONTACT_ID, _SIA = "ADM-CID", "SIA-DCS"


class PanelEvent(Struct, frozen=True, gc=False):
    """One event of a panel's message.

    `account` is the one inside the data, else the frame's (dc09.md 7). `code` is the panel's own with its number, which
    also stands in `zone` or `user`, whichever it counts; None for a raw event. `text` is what the panel wrote;
    `meaning` what its code says; `site` (S) and `label` (L, the place on site) name where. `occurred` is aware UTC,
    None where the panel gave no time that can be placed. `url` is V, several joined by commas as they came. `files` are
    U. `extended` has every extended value as text, K's masked.

    `flags`: account_differs, raw (nothing could be read: the message stands in `raw` and `text`), partly_read (the
    rest stands in `raw`), unknown_code, late (an O block), time_unreadable (H was no time).
    """

    account: str
    kind: Kind
    state: State = "new"
    code: Code | None = None
    area: str | None = None
    zone: str | None = None
    user: str = ""
    text: str = ""
    meaning: str = ""
    event_class: str = ""
    occurred: datetime | None = None
    site: str = ""
    label: str = ""
    url: str = ""
    location: Location | None = None
    files: tuple[str, ...] = ()
    extended: tuple[tuple[str, str], ...] = ()
    flags: tuple[str, ...] = ()
    raw: str = ""


class _Said(Struct, frozen=True, gc=False):
    """What either format says of one event. `sia` or `contact_id` is the code; `late`: of an O block."""

    meaning: Meaning
    sia: str | None
    contact_id: str | None
    number: str | None
    area: str | None
    user: str
    texts: tuple[str, ...]
    occurred: datetime | None
    late: bool


def panel_events(
    token: str,
    data: bytes,
    extended: Sequence[tuple[str, bytes]],
    outer_account: str,
    *,
    frame_time: datetime | None = None,
    zone: tzinfo | None = None,
    occurred_zone: tzinfo = UTC,
) -> list[PanelEvent]:
    """The events of one message, at least one, in the order they stand in the data. Never raises.

    `token` is the frame's, without quotation marks and asterisk. A SIA block that holds only text or environment
    values is `info`. A payload that cannot be read, or whose token is one of the dialler formats, is one raw event of
    kind `alarm` (dc09.md 12.7: an unreadable alarm is still an alarm).

    `frame_time` gives the year and day to the modifiers ti and da, which are in the panel's `zone`; without that zone
    they cannot be placed and are left out. `occurred_zone` is the zone of H (dc09.md 10: UTC, but not at every maker).
    """
    if token == _SIA and not extended:
        usual = _usual(data, outer_account)
        if usual is not None:
            return [usual]
    shared = _shared(extended, outer_account, occurred_zone)
    if token == _CONTACT_ID:
        return [_contact_id(data, shared)]
    if token == _SIA:
        return _sia(data, shared, frame_time, zone)
    return [_raw(decoded(data), shared)]


def _shared(extended: Sequence[tuple[str, bytes]], account: str, occurred_zone: tzinfo) -> PanelEvent:
    """What the extended data says about every event of the message, as a template."""
    if not extended:
        return PanelEvent(account=account, kind="alarm")
    values = tuple([(letter, "***" if letter == "K" else _line(value)) for letter, value in extended])
    told: dict[str, list[str]] = {}
    for letter, value in values:
        if value:
            told.setdefault(letter, []).append(value)
    links, unlinked = _links(told["V"]) if "V" in told else ([], [])
    times = [read_time(value.strip(), occurred_zone) for letter, value in extended if letter == "H"]
    occurred = [moment for moment in times if moment is not None]
    return PanelEvent(
        account=account,
        kind="alarm",
        text=_joined([*told.get("I", ()), *unlinked]),
        occurred=occurred[0] if occurred else None,
        site=told["S"][0] if "S" in told else "",
        label=told["L"][0] if "L" in told else "",
        url=",".join(links),
        location=location(told["X"][0], told["Y"][0]) if "X" in told and "Y" in told else None,
        files=tuple(told.get("U", ())),
        extended=values,
        flags=("time_unreadable",) if times and not occurred else (),
    )


def _links(values: Sequence[str]) -> tuple[list[str], list[str]]:
    """The links of all V, and those V that hold none."""
    if len(values) == 1 and "," not in values[0]:
        link = values[0].strip()
        return ([link], []) if _LINK.match(link) else ([], list(values))
    links = [link for value in values for link in value.split(",") if _LINK.match(link.strip())]
    unlinked = [value for value in values if value not in links and not any(link in value for link in links)]
    return [link.strip() for link in links], unlinked


def _usual(data: bytes, account: str) -> PanelEvent | None:
    """What `_sia` makes of the usual message, in one step: one new event of a known code, without time or extended
    data, of the frame's own account; None for every other.
    """
    said = sia.plain(decoded(data))
    if said is None or said[0] != account or said[1]:
        return None
    _, _, user, area, code, number, told = said
    meaning = inbound_sia(code)
    if not meaning.known:
        return None
    counts = meaning.counts
    of_user = counts == "user" and number != ""
    return PanelEvent(
        account=account,
        kind=meaning.kind,
        state=meaning.state,
        code=_code(code, None, number or None, of_user),
        area=area or (number if counts == "area" else "") or None,
        zone=(number or None) if counts not in ("user", "area") else None,
        user=user or (number if of_user else ""),
        text=printable(told).strip()[:_LONGEST_TEXT],
        meaning=meaning.text,
        event_class=meaning.event_class,
    )


def _sia(data: bytes, shared: PanelEvent, frame_time: datetime | None, zone: tzinfo | None) -> list[PanelEvent]:
    block = sia.read(data)
    if not block.events:
        told = [*block.texts, *block.environment]
        event = _informational(told, shared) if told and not block.raw else _raw(decoded(data), shared)
        return [_with_account(event, block.account)]
    if block.raw:
        shared = msgspec.structs.replace(shared, raw=_line(data), flags=(*shared.flags, "partly_read"))
    return [_event(_sia_said(event, shared, frame_time, zone), shared, block.account) for event in block.events]


def _sia_said(event: sia.SiaEvent, shared: PanelEvent, frame_time: datetime | None, zone: tzinfo | None) -> _Said:
    return _Said(
        meaning=inbound_sia(event.code),
        sia=event.code,
        contact_id=None,
        number=event.number or None,
        area=event.area or None,
        user=event.user,
        texts=(event.text, event.units),
        occurred=shared.occurred or _local_time(event, frame_time, zone),
        late=event.old,
    )


def _contact_id(data: bytes, shared: PanelEvent) -> PanelEvent:
    event = contact_id.read(data)
    if isinstance(event, contact_id.Unreadable):
        return _with_account(_raw(decoded(data), shared), event.account)
    said = _Said(
        meaning=inbound_contact_id(event.qualifier, event.code),
        sia=None,
        contact_id=event.qualifier + event.code,
        number=None if event.zone == _NONE_ZONE else event.zone,
        area=None if event.group == _NONE_GROUP else event.group,
        user="",
        texts=(),
        occurred=shared.occurred,
        late=False,
    )
    return _event(said, shared, event.account)


def _event(said: _Said, shared: PanelEvent, inner_account: str | None) -> PanelEvent:
    """The number goes where it counts: to the user, the area (Contact ID has its own field for that) or the zone."""
    meaning, number = said.meaning, said.number
    counts: Counts = "zone" if meaning.counts == "area" and said.contact_id else meaning.counts
    account, flags = _account(inner_account, shared.account)
    text = _joined(said.texts)
    if said.late:
        flags = ("late", *flags)
    if not meaning.known:
        flags = ("unknown_code", *flags)
        text = _joined([*said.texts, meaning.text])
    return PanelEvent(
        account=account,
        kind=meaning.kind,
        state=meaning.state,
        code=Code(said.sia, said.contact_id, number, counts == "user" and number is not None),
        area=said.area or (number if counts == "area" else None),
        zone=None if counts in ("user", "area") else number,
        user=said.user or (number or "" if counts == "user" else ""),
        text=_joined([text, shared.text]),
        meaning=meaning.text,
        event_class=meaning.event_class,
        occurred=said.occurred,
        site=shared.site,
        label=shared.label,
        url=shared.url,
        location=shared.location,
        files=shared.files,
        extended=shared.extended,
        flags=shared.flags + flags,
        raw=shared.raw,
    )


def _informational(told: Iterable[str], shared: PanelEvent) -> PanelEvent:
    return msgspec.structs.replace(shared, kind="info", text=_joined([*told, shared.text]))


def _raw(text: str, shared: PanelEvent) -> PanelEvent:
    shown = printable(text)
    return msgspec.structs.replace(
        shared,
        text=_joined([shown.strip(), shared.text]),
        meaning="message that could not be read",
        flags=(*shared.flags, "raw"),
        raw=shown,
    )


def _with_account(event: PanelEvent, inner: str | None) -> PanelEvent:
    account, flags = _account(inner, event.account)
    return msgspec.structs.replace(event, account=account, flags=event.flags + flags)


def _account(inner: str | None, outer: str) -> tuple[str, tuple[str, ...]]:
    """dc09.md 7: without an inner account the frame's; a differing one wins and is flagged."""
    if not inner:
        return outer, ()
    return inner, () if inner == outer or inner.upper() == outer.upper() else ("account_differs",)


def _local_time(event: sia.SiaEvent, frame_time: datetime | None, zone: tzinfo | None) -> datetime | None:
    """The instant nearest to the frame's at which the panel's clock showed ti, or the one da and ti name."""
    if not event.time or frame_time is None or zone is None:
        return None
    clock = _clock(event.time)
    if clock is None:
        return None
    try:
        today = frame_time.astimezone(zone).date()
        day = _day(event.date)
        days = [day] if day is not None else [today + timedelta(days=step) for step in (-1, 0, 1)]
        moments = [datetime.combine(each, clock, zone).astimezone(UTC) for each in days]
    except OverflowError:  # the first or last day of the calendar
        return None
    return min(moments, key=lambda moment: abs(moment - frame_time))


def _clock(text: str) -> time | None:
    hour, _, rest = text.partition(":")
    minute, _, second = rest.partition(":")
    try:
        return time(int(hour), int(minute), int(second or "0"))
    except ValueError:
        return None


def _day(text: str) -> date | None:
    try:
        month, day, year = (int(part) for part in text.split("-"))
        return date(year if year >= 1000 else 2000 + year, month, day)
    except ValueError:
        return None


def _line(value: bytes) -> str:
    return printable(decoded(value)).strip()[:_LONGEST_TEXT]


def _joined(pieces: Iterable[str]) -> str:
    """The pieces that say something, each once."""
    said = [piece for piece in pieces if piece]
    whole = "; ".join(dict.fromkeys(said)) if len(said) > 1 else "".join(said)
    return whole[:_LONGEST_TEXT]
