"""What a station is told about an event: the data block and the extended data of a DC-09 frame (stations.md 5)."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal
from urllib.parse import quote

from msgspec import Struct

from tocsin.model.event import Actor, Address, Event, Location
from tocsin.model.wording import local_time
from tocsin.protocols import contact_id, sia
from tocsin.protocols.codes import Counts, meaning_of, outbound_contact_id, outbound_sia
from tocsin.protocols.codes.tables import CLASSES, KIND_CODES
from tocsin.protocols.dc09.timestamps import clock_text
from tocsin.protocols.errors import Unsendable
from tocsin.protocols.text import encoded, printable
from tocsin.protocols.translate.position import latitude, longitude

Format = Literal["SIA-DCS", "ADM-CID"]
Extended = list[tuple[str, bytes]]
_Said = tuple[bytes, str]

_ACCOUNT = re.compile(r"[0-9A-Za-z]{1,32}\Z", re.ASCII)
_NUMBER = re.compile(r"[0-9A-Fa-f]{1,16}(?:[:-][0-9A-Fa-f]{1,16})?\Z", re.ASCII)
_USER_OR_AREA = re.compile(r"[0-9]{1,16}\Z", re.ASCII)
_STRUCTURE = str.maketrans({"[": "(", "]": ")", "|": " "})
_PLAIN_TEXT = re.compile(r"[ -Z\\^-{}~]*\Z", re.ASCII)
_MOST_REMEMBERED = 10_000
_URL_SAFE = "%!#$&'()*+,/:;=?@~-._"
_PLAIN_URL = re.compile(r"[0-9A-Za-z:/._?=&-]*\Z", re.ASCII)


class DataOptions(Struct, frozen=True):
    """What goes out besides the code. Each extended field can be switched off; a field without content is never sent.

    `occurred_time` is the zone of H: `utc`, or `device` for the device's own. `encoding` is `utf-8`, `cp1252` or
    `ascii` (transliterated). `longest` and `longest_link` are bytes: values are cut between characters, V by whole
    links. `dcs_group_as_ri` sends the group of a configured address as `ri` in SIA-DCS; an area the panel itself
    brought is always sent. `overrides`: see codes.check_override. `minutes_decimals`: how finely X and Y are written.
    `numbers_in_text`: an area or zone Contact ID has no digits for goes out as 00 or 000 with the number in I, instead
    of being refused (event-codes.md 3.1).
    """

    site: bool = True
    device: bool = True
    occurred: bool = True
    link: bool = True
    info: bool = True
    files: bool = True
    position: bool = True
    occurred_time: Literal["utc", "device"] = "utc"
    encoding: Literal["utf-8", "cp1252", "ascii"] = "utf-8"
    longest: int = 128
    longest_link: int = 256
    dcs_group_as_ri: bool = False
    overrides: Mapping[str, str] = {}
    minutes_decimals: int = 1
    numbers_in_text: bool = False


DEFAULTS = DataOptions()


class Remembered:
    """The data of events alike, of one format and one set of options: most differ in time and text only. Bounded."""

    def __init__(self) -> None:
        self._said: dict[object, _Said] = {}

    def said(self, form: Format, event: Event, address: Address, options: DataOptions) -> _Said:
        # All that `_say` looks at.
        alike = (event.kind, event.state, event.code, event.user, _is_own_area(event, address), address)
        said = self._said.get(alike)
        if said is None:
            if len(self._said) >= _MOST_REMEMBERED:
                self._said.clear()
            said = self._said[alike] = _say(form, event, address, options)
        return said


def station_data(
    form: Format,
    event: Event,
    address: Address,
    options: DataOptions = DEFAULTS,
    files: Sequence[str] = (),
    remembered: Remembered | None = None,
) -> tuple[bytes, Extended]:
    """The data between the first brackets, and the extended blocks in order (S L H V I U X Y).

    `files` are the names or URLs of the event's pictures, one U each; `remembered` is the caller's memory for this
    format and these options. Raises Unsendable (for Contact ID its ContactIdError) when the format cannot say this
    event.
    """
    if remembered is None:
        data, unwritten = _say(form, event, address, options)
    else:
        data, unwritten = remembered.said(form, event, address, options)
    return data, _extended(event, options, unwritten, form, files)


def _say(form: Format, event: Event, address: Address, options: DataOptions) -> _Said:
    """The data, and in words what the format has no room for."""
    if not _ACCOUNT.match(address.account):
        raise Unsendable(f"{address.account!r} is no account number: set one for this station")
    counts = _counts(event)
    number = _number(event, address, counts)
    write = _sia if form == "SIA-DCS" else _contact_id
    data = write(event, address, options, counts, number)
    return data.encode("ascii"), _unwritten(form, address, number)


def _sia(event: Event, address: Address, options: DataOptions, counts: Counts, number: str | None) -> str:
    code = outbound_sia(event.kind, event.state, event.code, options.overrides)
    if not code:
        raise Unsendable(
            f"SIA has no code for {event.kind}; leave it out with the filter, or give one in the overrides"
        )
    user = event.user or None
    if _is_users(event, counts):
        user = user or number
        number = event.code.number if event.code is not None and event.code.sia else number  # as the panel wrote it
    return sia.write(
        address.account,
        _fit(_USER_OR_AREA, _area(event, address, options)),
        _fit(_USER_OR_AREA, user),
        code,
        _fit(_NUMBER, number),
    )


def _contact_id(event: Event, address: Address, options: DataOptions, counts: Counts, number: str | None) -> str:
    qualifier, code = outbound_contact_id(event.kind, event.state, event.code, options.overrides)
    area = address.area
    if event.code is not None and event.code.sia and counts == "area":
        area, number = area or number, None  # the number SIA repeats behind such a code is the area
    if options.numbers_in_text and options.info:
        area, number = (value if contact_id.fits(value, digits) else None for value, digits in ((area, 2), (number, 3)))
    return contact_id.write(address.account, qualifier, code, area, number)


def _fit(form: re.Pattern[str], value: str | None) -> str:
    return value if value and form.match(value) else ""


def _counts(event: Event) -> Counts:
    if event.code is not None and event.code.user_number:
        return "user"
    meaning = meaning_of(event.code)
    return meaning.counts if meaning is not None else CLASSES[KIND_CODES[event.kind].name].counts


def _is_users(event: Event, counts: Counts) -> bool:
    return counts == "user" and bool(event.user or (event.code is not None and event.code.number))


def _number(event: Event, address: Address, counts: Counts) -> str | None:
    """A user's number stays the panel's; any other number is the address's zone, else what the panel brought."""
    brought = event.code.number if event.code is not None else None
    if _is_users(event, counts):
        return brought or event.user
    return address.zone or brought


def _area(event: Event, address: Address, options: DataOptions) -> str | None:
    return address.area if _is_own_area(event, address) or options.dcs_group_as_ri else None


def _is_own_area(event: Event, address: Address) -> bool:
    return event.address is not None and event.address.area == address.area


def _extended(event: Event, options: DataOptions, unwritten: str, form: Format, files: Sequence[str]) -> Extended:
    place, blocks = event.place, []
    if options.site and place.area:
        blocks.append(("S", _text(place.area, options)))
    if options.device and place.name:
        blocks.append(("L", _text(place.name, options)))
    if options.occurred:
        blocks.append(("H", _occurred(event, options)))
    if options.link:
        blocks.append(("V", _links(_both(event), options.longest_link)))
    if options.info:
        blocks.append(("I", _text(_info(form, event, unwritten), options)))
    if files and options.files:
        blocks += [("U", _link(name)) for name in files]
    if event.location is not None and options.position:
        blocks += _position(event.location, options)
    return [block for block in blocks if block[1]]


def _text(value: str, options: DataOptions) -> bytes:
    if not value:
        return b""
    if _PLAIN_TEXT.match(value):
        return value.strip().encode("ascii")[: options.longest]
    return encoded(printable(value).translate(_STRUCTURE).strip(), options.encoding, options.longest)


def _occurred(event: Event, options: DataOptions) -> bytes:
    try:
        at = local_time(event) if options.occurred_time == "device" else event.occurred_at
    except OverflowError:  # the first or last day of the calendar
        at = event.occurred_at
    return clock_text(at)


def _link(url: str) -> bytes:
    if _PLAIN_URL.match(url):
        return url.encode("ascii")
    return quote(printable(url).strip(), safe=_URL_SAFE).encode("ascii")


def _both(event: Event) -> str:
    """The event's page first, then what the source itself pointed to."""
    return f"{event.url},{event.source_url}" if event.source_url else event.url


def _links(urls: str, longest: int) -> bytes:
    """Several links are separated by commas; those that do not fit are left out from the end, whole (dc09.md 10)."""
    if not urls:
        return b""
    whole = b""
    for url in urls.split(","):
        longer = whole + b"," * bool(whole) + _link(url)
        if len(longer) > longest:
            break
        whole = longer
    return whole


def _info(form: Format, event: Event, unwritten: str) -> str:
    facts = [
        "TEST" if event.is_test else "",
        "still present" if form == "SIA-DCS" and event.state == "still" else "",
        event.text,
        unwritten,
        f"battery={event.battery}%" if event.battery is not None else "",
        f"asu={event.signal_asu}" if event.signal_asu is not None else "",
    ]
    if event.actors:
        facts += [_seen(actor) for actor in event.actors]
    return ";".join([fact for fact in facts if fact])


def _unwritten(form: Format, address: Address, number: str | None) -> str:
    """A number the format has no room for is told in words instead."""
    area = address.area
    if form == "SIA-DCS":
        return f"number {number}" if number and not _NUMBER.match(number) else ""
    told = [f"area {area}"] if area and not contact_id.fits(area, 2) else []
    if number and not contact_id.fits(number, 3):
        told.append(f"number {number}")
    return " ".join(told).strip()


def _seen(actor: Actor) -> str:
    return actor.cls if actor.confidence is None else f"{actor.cls}={actor.confidence:.2f}"


def _position(place: Location, options: DataOptions) -> Extended:
    return [
        ("X", longitude(place.lon, options.minutes_decimals).encode("ascii")),
        ("Y", latitude(place.lat, options.minutes_decimals).encode("ascii")),
    ]
