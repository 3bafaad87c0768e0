"""Devices: what is known, and what the API adds to it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Request
from msgspec import Struct
from starlette.responses import Response

from tocsin.api.access import Rights
from tocsin.api.events import PageSize, Word
from tocsin.api.problems import Problem, not_found
from tocsin.api.room import DeviceWriter, Reader, Room, TheRoom, answer
from tocsin.api.schema import described, json_of
from tocsin.api.written import DEVICE_ID, DeviceIn, addresses_as_written, meant_device
from tocsin.engine.contacts import DeviceState
from tocsin.engine.sheet import Entry, Sheet
from tocsin.model.canonical import Health
from tocsin.model.command import Arming, Order
from tocsin.model.device import Device, Thresholds
from tocsin.model.inventory import HealthState
from tocsin.telemetry.occurrences import Trouble

router = APIRouter(tags=["devices"])
INHERITED = ("customer_id", "time_zone")
DeviceId = Annotated[str, Path(pattern=DEVICE_ID)]
AT_A_STRETCH = 50
"""Devices whose addresses are looked up before others have a turn."""


class DeviceView(Struct, frozen=True):
    """A device. `origin`: config, api or the name of a system; `addresses` is its list, as written. `inherited`
    names what it has from its area: `customer_id`, `time_zone`.

    `status`: online, offline (silent for too long), or unknown (no routine, or not heard yet); of a system's device
    what the system says, degraded and disabled too: `health`. `battery_state`: good, low or critical. `armed` is what
    it confirmed last; `disarmed_until`: null while it is armed or disarmed without end. `orders`: what its system can
    be told to do with it. `destinations`: the address each of them uses and where it came from; `warnings`: what is
    wrong with them.
    """

    id: str
    name: str
    type: str
    area: str
    description: str
    customer_id: str
    time_zone: str
    inherited: Sequence[str]
    routine_s: float | None
    thresholds: Thresholds | None
    addresses: dict[str, str]
    origin: str
    updated_at: str | None
    status: HealthState
    health: Health | None
    last_contact: datetime | None
    battery: int | None
    battery_state: str
    schedule: str
    armed: bool
    disarmed_until: datetime | None
    orders: Sequence[Order]
    destinations: Sequence[Entry]
    warnings: Sequence[str]


class DevicePage(Struct, frozen=True):
    items: Sequence[DeviceView]
    next_cursor: str | None


_devices = msgspec.json.Decoder(DeviceIn)


def device_view(
    device: Device, sheet: Sheet, arming: Arming | None, contact: DeviceState, health: Health | None = None
) -> DeviceView:
    """`arming`: None for a device that was never armed or disarmed; `health`: what its system says of it."""
    entries = sheet.entries(device)
    place = sheet.place(device)
    return DeviceView(
        id=device.id,
        name=device.name,
        type=device.type,
        area=device.area,
        description=device.description,
        customer_id=place.customer_id,
        time_zone=place.time_zone,
        inherited=[name for name in INHERITED if not getattr(device, name)],
        routine_s=device.routine_s,
        thresholds=device.thresholds,
        addresses=addresses_as_written(device.addresses),
        origin=device.origin,
        updated_at=device.updated_at.isoformat() if device.updated_at else None,
        status=status_of(contact, health),
        health=health,
        last_contact=contact.last_contact,
        battery=contact.battery,
        battery_state=contact.battery_state,
        schedule=device.schedule,
        armed=arming is None or arming.armed,
        disarmed_until=None if arming is None or arming.armed else arming.until,
        orders=device.orders,
        destinations=entries,
        warnings=sheet.warnings(device, entries),
    )


def status_of(contact: DeviceState, health: Health | None) -> HealthState:
    """A device's system knows more of it than its silence tells."""
    return health.state if health else contact.status


def _reach(room: Room, rights: Rights, device: Device) -> bool:
    return rights.reach(room.gateway.devices.areas, device.area, device.id)


@router.get("/devices", **described("Devices by id", DevicePage))
async def list_devices(
    room: TheRoom,
    rights: Reader,
    limit: PageSize = 50,
    cursor: Annotated[str, Query(pattern=r"^[A-Za-z0-9._:@-]{0,200}$")] = "",
    customer_id: Word = "",
    type: Word = "",  # noqa: A002
    area: Word = "",
    system: Word = "",
    status: Literal["", "online", "offline", "degraded", "disabled", "unknown"] = "",
) -> Response:
    wanted = {"type": type, "origin": system}
    asked = [(name, value) for name, value in wanted.items() if value]
    health = room.gateway.systems.book.health
    areas = room.gateway.devices.areas.within(frozenset({area})) if area else frozenset()
    found = [
        device
        for device in room.gateway.devices.all()
        if device.id > cursor
        and all(getattr(device, name) == value for name, value in asked)
        and (not area or device.area in areas)
        and (not customer_id or room.gateway.devices.place(device.id).customer_id == customer_id)
        and _reach(room, rights, device)
        and (not status or status_of(room.gateway.contacts.state(device), health(device.id)) == status)
    ]
    page = [view async for view in _views(room, found[:limit])]
    return answer(DevicePage(page, page[-1].id if len(found) > limit else None))


def _view(room: Room, device: Device) -> DeviceView:
    arming = room.gateway.devices.armings.get(device.id)
    contact, health = room.gateway.contacts.state(device), room.gateway.systems.book.health(device.id)
    return device_view(device, room.gateway.sheet, arming, contact, health)


async def _views(room: Room, devices: Sequence[Device]) -> AsyncIterator[DeviceView]:
    for n, device in enumerate(devices, start=1):
        yield _view(room, device)
        if n % AT_A_STRETCH == 0:
            await asyncio.sleep(0)


@router.get("/devices/{device_id}", **described("One device", DeviceView))
async def get_device(device_id: DeviceId, room: TheRoom, rights: Reader) -> Response:
    return answer(_view(room, known_device(room, rights, device_id)))


def known_device(room: Room, rights: Rights, device_id: str) -> Device:
    """Raises Problem 404."""
    device = room.gateway.devices.get(device_id)
    if device is None or not _reach(room, rights, device):
        raise not_found("such device")
    return device


@router.put("/devices/{device_id}", **described("Write a device", DeviceView, bodies=json_of(DeviceIn)))
async def put_device(device_id: DeviceId, request: Request, room: TheRoom, rights: DeviceWriter) -> Response:
    device = meant_device(device_id, await room.buffers.small_json(request, _devices))
    known = room.gateway.devices.get(device_id)
    if not _reach(room, rights, device) or (known is not None and not _reach(room, rights, known)):
        raise Problem(403, f"The token {rights.name} may not write devices of this area.", field="area")
    try:
        kept = await room.gateway.devices.put(device, room.now())
    except PermissionError as error:
        raise Problem(409, f"{error}.") from None
    view = _view(room, kept)
    for warning in view.warnings:
        room.record(Trouble(f"device {kept.id}", warning))
    return answer(view)


@router.delete("/devices/{device_id}", **described("Forget a device", None, 204))
async def delete_device(device_id: DeviceId, room: TheRoom, rights: DeviceWriter) -> Response:
    known_device(room, rights, device_id)
    try:
        await room.gateway.devices.delete(device_id)
    except PermissionError as error:
        raise Problem(409, f"{error}.") from None
    return Response(status_code=204)
