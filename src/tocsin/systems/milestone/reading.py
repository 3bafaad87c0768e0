"""One run over the Configuration API: each listing once, several at a time (connectors.md 4.5)."""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from msgspec import Struct

from tocsin.engine.systems import SystemFault
from tocsin.model.inventory import Note
from tocsin.systems.milestone.joining import CHANNELS, Membership, Reading
from tocsin.systems.milestone.paging import id_written
from tocsin.systems.milestone.resources import (
    CameraGroup,
    Channel,
    Hardware,
    Item,
    RecordingServer,
    Site,
    Unread,
    guid,
    listed,
    read_item,
)
from tocsin.systems.milestone.rest import Rest

T = TypeVar("T")
_FORMS: Mapping[str, type[Item]] = {
    "recordingServers": RecordingServer,
    "hardware": Hardware,
    "cameraGroups": CameraGroup,
}


class _Items(Struct, frozen=True):
    """What a listing gave, as what it is; `broken` items could not be read."""

    items: tuple[Any, ...] = ()
    broken: int = 0
    fault: SystemFault | None = None


class Read(Struct, frozen=True):
    """What was read, without the driver settings, and what was met on the way."""

    reading: Reading
    notes: tuple[Note, ...] = ()


async def read_configuration(rest: Rest, types: frozenset[str], by_groups: bool) -> Read:
    """Raises SystemFault when nothing could be read; what is missing for another reason makes it partial."""
    sites = listed(await rest.one("sites"), "sites")
    channels = [name for name, (_, device_type) in CHANNELS.items() if device_type in types or name == "cameras"]
    names = ["recordingServers", "hardware", *channels, *(["cameraGroups"] if by_groups else [])]
    listings = dict(zip(names, await _together(_items(rest, name) for name in names), strict=True))
    _raise_if_all_failed(listings)
    notes = [*_child_sites(sites), *(note for name, one in listings.items() for note in _notes(name, one))]
    groups, group_notes = await _memberships(rest, listings.pop("cameraGroups", _Items()).items)
    notes += [*group_notes, *await _still_there(rest)]
    return Read(
        Reading(
            _site_name(sites),
            listings["recordingServers"].items,
            listings["hardware"].items,
            {name: listings[name].items for name in channels},
            groups,
        ),
        tuple(notes),
    )


async def _together(listings: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Raises LoginRefused."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in listings]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


async def _items(rest: Rest, name: str) -> _Items:
    listing = await rest.items(name, _FORMS.get(name, Channel))
    items = tuple(one for one in listing.items if not isinstance(one, Unread))
    return _Items(items, len(listing.items) - len(items), listing.fault)


async def _memberships(rest: Rest, groups: Sequence[CameraGroup]) -> tuple[tuple[Membership, ...], list[Note]]:
    """Which cameras are in which group. Whose a camera is may depend on its location, so a group not read makes the
    reading partial: then no camera changes hands.
    """
    paths = [f"cameraGroups/{quote(group.id, safe='')}/cameras" for group in groups]
    members = await _together(_keys(rest, path) for path in paths)
    unread = sum(one.fault is not None for one in members)
    text = f'{unread} of {len(groups)} camera groups could not be read; location = "site" does without them'
    notes = [Note(text, partial=True)]
    found = tuple(Membership(group, frozenset(one.items)) for group, one in zip(groups, members, strict=True))
    return found, notes if unread else []


async def _keys(rest: Rest, path: str) -> _Items:
    listing = await rest.listing(path)
    return _Items(tuple(guid(id_written(item)) for item in listing.items), fault=listing.fault)


async def _still_there(rest: Rest) -> list[Note]:
    """The same question at the end as at the start (connectors.md 2.2)."""
    try:
        await rest.one("sites")
    except SystemFault as fault:
        return [Note(f"the system did not answer any more at the end of the reading: {fault}", partial=True)]
    return []


def _raise_if_all_failed(listings: Mapping[str, _Items]) -> None:
    faults = [one.fault for one in listings.values() if one.fault is not None and not one.items and not one.broken]
    if len(faults) == len(listings):
        raise faults[0]


def _notes(name: str, listing: _Items) -> list[Note]:
    notes, count = [], len(listing.items) + listing.broken
    if listing.fault is not None:
        notes.append(Note(f"{name}: {count} read, then it failed: {listing.fault}", partial=True))
    if listing.broken:
        notes.append(Note(f"{name}: {listing.broken} of {count} cannot be read", partial=True))
    return notes


def _site_name(sites: Sequence[object]) -> str:
    site = read_item(sites[0], Site) if sites else None
    return "" if site is None else site.label


def _child_sites(sites: Sequence[object]) -> list[Note]:
    if len(sites) < 2:
        return []
    return [Note(f"{len(sites)} sites: a federated child site is read only as a system of its own, with its own url")]
