"""From an event of XProtect to one for the intake (connectors.md 4.6). Pure."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import blake2b

import msgspec
from msgspec import Struct

from tocsin.engine.contracts import Submission
from tocsin.model.event import NOWHERE, Event, Place
from tocsin.model.kinds import Kind, State
from tocsin.systems.milestone.joining import Identity
from tocsin.systems.milestone.moments import instant
from tocsin.systems.milestone.resources import EventType, guid
from tocsin.systems.milestone.states import Occurred

TAKEN = timedelta(hours=24)
"""A source's time is believed this far from the gateway's (connectors.md 1.7)."""


class AlarmMeaning(Struct, frozen=True):
    """What an event type means; `name` is for people."""

    kind: Kind
    state: State
    name: str


FIXED: Mapping[str, AlarmMeaning] = {
    "6eb95dd6-7ccc-4bce-99f8-af0d0b582d77": AlarmMeaning("motion", "new", "Motion Started"),
    "6f55a7a7-d21c-4629-ac18-af1975e395a2": AlarmMeaning("motion", "restore", "Motion Stopped"),
}
"""By event type: the GUIDs are fixed in the vendor's samples."""


def alarm_meanings(
    types: Iterable[EventType], named: Mapping[str, Kind], kinds: Collection[str]
) -> dict[str, AlarmMeaning]:
    """By GUID, what the event types of a server mean, of these kinds. `named`: further types as the settings name them,
    by name or GUID; what the server calls the counterpart of one of those is its restore.
    """
    known = {one.key: one for one in types}
    fixed = {plain(one.name): one for one in FIXED.values()}
    wanted = {plain(name): kind for name, kind in named.items()}
    found = {key: fixed[name] for key, one in known.items() for name in _names(one) if name in fixed} | dict(FIXED)
    begins = {key: wanted[name] for key, one in known.items() for name in _names(one) if name in wanted}
    for key, kind in begins.items():
        counter = known.get(guid(known[key].counter))
        if counter is not None and counter.key not in begins:
            found[counter.key] = AlarmMeaning(kind, "restore", counter.label)
    found |= {key: AlarmMeaning(kind, "new", known[key].label) for key, kind in begins.items()}
    return {key: meaning for key, meaning in found.items() if meaning.kind in kinds}


def unknown_names(types: Iterable[EventType], named: Iterable[str]) -> list[str]:
    """Names that no event type of the server has."""
    there = {name for one in types for name in _names(one)}
    return [name for name in named if plain(name) not in there]


def plain(name: str) -> str:
    """As names are compared: XProtect is not of one mind about blanks and capitals."""
    return guid("".join(name.split()))


def _names(one: EventType) -> tuple[str, str, str]:
    return plain(one.name), plain(one.display_name), one.key


class Sighting(Struct, frozen=True):
    """An event that is to become an alarm, with what it means and the device it came from, if any."""

    event: Occurred
    means: AlarmMeaning
    device: Identity | None


def submission(
    system: str, area: str, seen: Sighting, zone: str, now: datetime, photos_expected: int = 0
) -> Submission:
    """Under an id made of XProtect's, so that an event that comes twice is kept once."""
    at, flags = occurred(seen.event, zone, now)
    told = blake2b(msgspec.msgpack.encode(seen.event), digest_size=16)
    made = Event(
        id=f"{system}-{told.hexdigest()}" if seen.event.id else "",
        kind=seen.means.kind,
        state=seen.means.state,
        occurred_at=at or now,
        accepted_at=now,
        source=system,
        device_id=f"{system}:{seen.device[0]}:{seen.device[1]}" if seen.device is not None else "",
        place=Place(area=area) if area else NOWHERE,
        text=seen.means.name[:300],
        photos_expected=photos_expected,
        flags=flags,
    )
    return Submission(made, digest=told.digest() if seen.event.id else b"")


def occurred(event: Occurred, zone: str, now: datetime) -> tuple[datetime | None, tuple[str, ...]]:
    """When, as far as it is to be believed."""
    at = instant(event.time, zone)
    if at is None:
        return None, ("time_unreadable",)
    return (at, ()) if abs(at - now) <= TAKEN else (None, ("time_absurd",))
