"""One run over the Configuration API: each listing once, several at a time (connectors.md 4.5)."""

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from msgspec import Struct

from tocsin.engine.systems import SystemFault
from tocsin.model.inventory import Note
from tocsin.systems.milestone.joining import CHANNELS, Membership, Reading
from tocsin.systems.milestone.paging import Listing
from tocsin.systems.milestone.resources import (
    CameraGroup,
    Channel,
    Hardware,
    Item,
    ItemT,
    RecordingServer,
    Site,
    guid,
    listed,
    read_item,
)
from tocsin.systems.milestone.rest import Rest

_FORMS: Mapping[str, type[Item]] = {
    "recordingServers": RecordingServer,
    "hardware": Hardware,
    "cameraGroups": CameraGroup,
}


class Read(Struct, frozen=True):
    """What was read, without the driver settings, and what was met on the way."""

    reading: Reading
    notes: tuple[Note, ...] = ()


async def read_configuration(rest: Rest, types: frozenset[str], by_groups: bool) -> Read:
    """Raises SystemFault when nothing could be read; what is missing for another reason makes it partial."""
    sites = listed(await rest.one("sites"), "sites")
    channels = [name for name, (_, device_type) in CHANNELS.items() if device_type in types or name == "cameras"]
    names = ["recordingServers", "hardware", *channels, *(["cameraGroups"] if by_groups else [])]
    listings = dict(zip(names, await _together(rest, names), strict=True))
    _raise_if_all_failed(listings)
    notes = [*_child_sites(sites), *(note for name, one in listings.items() for note in _notes(name, one))]
    groups, group_notes = await _memberships(rest, listings.pop("cameraGroups", Listing()))
    notes += [*group_notes, *await _still_there(rest)]
    return Read(
        Reading(
            _site_name(sites),
            _items(listings["recordingServers"], RecordingServer),
            _items(listings["hardware"], Hardware),
            {name: _items(listings[name], Channel) for name in channels},
            groups,
        ),
        tuple(notes),
    )


async def _together(rest: Rest, paths: Sequence[str], query: str = "disabled") -> list[Listing]:
    """Raises LoginRefused."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(rest.listing(path, query)) for path in paths]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]


async def _memberships(rest: Rest, listing: Listing) -> tuple[tuple[Membership, ...], list[Note]]:
    """Which cameras are in which group. Whose a camera is may depend on its location, so a group not read makes the
    reading partial: then no camera changes hands.
    """
    groups = _items(listing, CameraGroup)
    members = await _together(rest, [f"cameraGroups/{quote(group.id, safe='')}/cameras" for group in groups])
    unread = sum(one.fault is not None for one in members)
    text = f'{unread} of {len(groups)} camera groups could not be read; location = "site" does without them'
    notes = [Note(text, partial=True)]
    found = tuple(
        Membership(group, frozenset(guid(str(item.get("id", ""))) for item in one.items))
        for group, one in zip(groups, members, strict=True)
    )
    return found, notes if unread else []


async def _still_there(rest: Rest) -> list[Note]:
    """The same question at the end as at the start (connectors.md 2.2)."""
    try:
        await rest.one("sites")
    except SystemFault as fault:
        return [Note(f"the system did not answer any more at the end of the reading: {fault}", partial=True)]
    return []


def _raise_if_all_failed(listings: dict[str, Listing]) -> None:
    faults = [one.fault for one in listings.values() if one.fault is not None and not one.items]
    if len(faults) == len(listings):
        raise faults[0]


def _notes(name: str, listing: Listing) -> list[Note]:
    form = _FORMS.get(name, Channel)
    notes = []
    if listing.fault is not None:
        text = f"{name}: {len(listing.items)} read, then it failed: {listing.fault}"
        notes.append(Note(text, partial=True))
    broken = sum(read_item(item, form) is None for item in listing.items)
    if broken:
        notes.append(Note(f"{name}: {broken} of {len(listing.items)} cannot be read", partial=True))
    return notes


def _items(listing: Listing, form: type[ItemT]) -> tuple[ItemT, ...]:
    return tuple(read for item in listing.items if (read := read_item(item, form)) is not None)


def _site_name(sites: Sequence[object]) -> str:
    site = read_item(sites[0], Site) if sites else None
    return "" if site is None else site.label


def _child_sites(sites: Sequence[object]) -> list[Note]:
    if len(sites) < 2:
        return []
    return [Note(f"{len(sites)} sites: a federated child site is read only as a system of its own, with its own url")]
