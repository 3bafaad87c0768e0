"""Areas and devices in bulk: first what would change, then all of it at once or nothing."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request
from msgspec import Meta, Struct
from starlette.responses import Response

from tocsin.api.access import Rights
from tocsin.api.bodies import decode, require_json
from tocsin.api.merging import (
    Change,
    Merge,
    Row,
    RowRefused,
    leave_out_hanging,
    merged_area,
    merged_device,
    parent_problem,
)
from tocsin.api.problems import Problem
from tocsin.api.room import DeviceWriter, Room, TheRoom, answer
from tocsin.api.schema import described, json_of
from tocsin.model.device import Area, Device
from tocsin.store.contract import AuditEntry

router = APIRouter(tags=["devices"])
MOST_ROWS = 20_000
AT_A_STRETCH = 50
Rows = Annotated[list[dict[str, Any]], Meta(max_length=MOST_ROWS)]


class ImportIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Rows: areas with their `name`, devices with their `id`, and of the fields of AreaIn and DeviceIn those that are
    to be written. An empty address takes one out of the list.
    """

    areas: Rows = []
    devices: Rows = []


class ChangesView(Struct, frozen=True):
    added: Sequence[str]
    changed: Sequence[Change]
    unchanged: int


class RowWarning(Struct, frozen=True):
    """A device that is taken although something is wrong with its addresses."""

    id: str
    text: str


class ImportView(Struct, frozen=True):
    """What was changed, or would be. `applied` is false for a dry run, and when a row was refused: then nothing was."""

    applied: bool
    areas: ChangesView
    devices: ChangesView
    refused: Sequence[RowRefused]
    warnings: Sequence[RowWarning]


_imports = msgspec.json.Decoder(ImportIn)


@router.post("/import", **described("Write many areas and devices", ImportView, bodies=json_of(ImportIn)))
async def import_rows(
    request: Request, room: TheRoom, rights: DeviceWriter, dry_run: bool = False, skip_bad: bool = False
) -> Response:
    require_json(request)
    async with room.buffers.body(request, room.limits.ndjson) as body:
        given = decode(_imports, body)
        areas, devices = _areas(room, rights, given.areas), _devices(room, rights)
        await _add(areas, given.areas)
        leave_out_hanging(areas, {area.name: area for area in room.gateway.devices.areas.all()})
        await _add(devices, given.devices)
    refused = [*areas.refused, *devices.refused]
    applied = not dry_run and (skip_bad or not refused)
    if applied and (areas.wanted or devices.wanted):
        await _keep(room, rights, areas, devices)
    warnings = await _warnings(room, devices.wanted, {area.name for area in areas.wanted})
    return answer(ImportView(applied, _view(areas), _view(devices), refused, warnings))


async def _keep(room: Room, rights: Rights, areas: Merge[Area], devices: Merge[Device]) -> None:
    now = room.now()
    try:
        await room.gateway.devices.keep(areas.wanted, devices.wanted, now)
    except PermissionError as error:  # a reload meanwhile
        raise Problem(409, f"{error}.") from None
    subject = f"{len(areas.wanted)} areas, {len(devices.wanted)} devices"
    await room.gateway.store.audit(AuditEntry(now, rights.name, "import", subject))


def _view(merge: Merge[Any]) -> ChangesView:
    return ChangesView(merge.added, merge.changed, merge.unchanged)


async def _add(merge: Merge[Any], rows: Rows) -> None:
    """A stretch at a time, so that alarms have their turn meanwhile."""
    for n, row in enumerate(rows, start=1):
        merge.add(row)
        if n % AT_A_STRETCH == 0:
            await asyncio.sleep(0)


def _areas(room: Room, rights: Rights, rows: Rows) -> Merge[Area]:
    tree = room.gateway.devices.areas
    parents = {area.name: area.parent for area in tree.all()}
    for row in rows:
        name, parent = row.get("name"), row.get("parent")
        if isinstance(name, str):
            parents[name] = parent if isinstance(parent, str) else parents.get(name, "")

    def take(row: Row) -> tuple[Area, Change | None] | None:
        if rights.narrowed:
            raise Problem(403, f"the token {rights.name} is narrowed, so it may write no areas")
        name = row.get("name")
        found = merged_area(row, tree.get(name) if isinstance(name, str) else None)
        problem = parent_problem(found[0], parents) if found is not None else ""
        if problem:
            raise Problem(422, problem)
        return found

    return Merge("area", take)


def _devices(room: Room, rights: Rights) -> Merge[Device]:
    book = room.gateway.devices

    def within(device: Device | None) -> None:
        if device is not None and not rights.reach(book.areas, device.area, device.id):
            raise Problem(403, f"the token {rights.name} may not write devices of this area")

    def take(row: Row) -> tuple[Device, Change | None] | None:
        device_id = row.get("id")
        known = book.get(device_id) if isinstance(device_id, str) else None
        within(known)
        found = merged_device(row, known)
        within(found[0] if found else None)
        return found

    return Merge("device", take)


async def _warnings(room: Room, devices: Sequence[Device], fresh: set[str]) -> list[RowWarning]:
    found: list[RowWarning] = []
    for n, device in enumerate(devices, start=1):
        if device.area and device.area not in fresh and room.gateway.devices.areas.get(device.area) is None:
            found.append(RowWarning(device.id, f"there is no area {device.area!r}: it lies in no other"))
        texts = room.gateway.sheet.warnings(device, room.gateway.sheet.entries(device))
        found += [RowWarning(device.id, text) for text in texts]
        if n % AT_A_STRETCH == 0:
            await asyncio.sleep(0)
    return found
