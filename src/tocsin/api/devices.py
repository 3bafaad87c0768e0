"""Devices: what is known, and what the API adds to it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated
from zoneinfo import available_timezones

import msgspec
from fastapi import APIRouter, Path, Query, Request
from msgspec import Meta, Struct
from starlette.responses import Response

from tocsin.api.access import Rights
from tocsin.api.bodies import decode, require_json
from tocsin.api.events import PageSize, Word
from tocsin.api.problems import Problem, not_found
from tocsin.api.room import DeviceWriter, Reader, Room, TheRoom, answer
from tocsin.api.schema import described, json_of
from tocsin.config.fields import parse_duration
from tocsin.engine.arming_schedule import arming_schedule
from tocsin.model.device import Device
from tocsin.model.event import Address
from tocsin.protocols.addressing import listed, written

router = APIRouter(tags=["devices"])
_ID = r"^[A-Za-z0-9._:@-]{1,200}$"
DeviceId = Annotated[str, Path(pattern=_ID)]
Short = Annotated[str, Meta(max_length=200)]
Digits = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[0-9A-Za-z]+$")]


Written = Annotated[str, Meta(min_length=1, max_length=254, pattern=r"^[!-+\--:<-~]+$")]


class AddressIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A number at a destination; all strings, leading zeros stay. `account` may be all of the address as the station
    writes it, such as `#9280|00-001` or a mail address.
    """

    account: Written
    area: Digits | None = None
    zone: Digits | None = None
    receiver: Digits | None = None
    prefix: Digits | None = None

    def meant(self) -> Address:
        parts = (self.area, self.zone, self.receiver, self.prefix)
        return Address(self.account, *parts) if any(parts) else listed(self.account)


def meant_address(given: "AddressIn | str") -> Address:
    return listed(given) if isinstance(given, str) else given.meant()


class DeviceIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A device as written. `routine`: how often it must be heard, such as `24h`; `schedule`: when it is armed, such as
    `Mon-Fri 18:00-06:00; Sat,Sun 00:00-24:00`.
    """

    name: Short = ""
    type: Short = ""
    area: Short = ""
    description: Annotated[str, Meta(max_length=2000)] = ""
    customer_id: Short = ""
    time_zone: Annotated[str, Meta(max_length=64)] = ""
    routine: Annotated[str, Meta(max_length=30)] = ""
    schedule: Annotated[str, Meta(max_length=500)] = ""
    addresses: Annotated[Mapping[str, AddressIn | Written], Meta(max_length=100)] = {}


class DeviceView(Struct, frozen=True):
    """A device. `origin`: config, api or the name of a system; `addresses` in printed form per destination. `armed`
    is what it confirmed last; `disarmed_until`: null while it is armed or disarmed without end.
    """

    id: str
    name: str
    type: str
    area: str
    description: str
    customer_id: str
    time_zone: str
    routine_s: float | None
    addresses: dict[str, str]
    origin: str
    updated_at: str | None
    schedule: str
    armed: bool
    disarmed_until: datetime | None


class DevicePage(Struct, frozen=True):
    items: Sequence[DeviceView]
    next_cursor: str | None


_devices = msgspec.json.Decoder(DeviceIn)


def device_view(room: Room, device: Device) -> DeviceView:
    arming = room.gateway.devices.armings.get(device.id)
    return DeviceView(
        id=device.id,
        name=device.name,
        type=device.type,
        area=device.area,
        description=device.description,
        customer_id=device.customer_id,
        time_zone=device.time_zone,
        routine_s=device.routine_s,
        addresses={name: written(address) for name, address in device.addresses.items()},
        origin=device.origin,
        updated_at=device.updated_at.isoformat() if device.updated_at else None,
        schedule=device.schedule,
        armed=arming is None or arming.armed,
        disarmed_until=None if arming is None or arming.armed else arming.until,
    )


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
) -> Response:
    wanted = {"customer_id": customer_id, "type": type, "area": area, "origin": system}
    asked = [(name, value) for name, value in wanted.items() if value]
    found = [
        device
        for device in room.gateway.devices.all()
        if device.id > cursor
        and all(getattr(device, name) == value for name, value in asked)
        and _reach(room, rights, device)
    ]
    page = [device_view(room, device) for device in found[:limit]]
    return answer(DevicePage(page, page[-1].id if len(found) > limit else None))


@router.get("/devices/{device_id}", **described("One device", DeviceView))
async def get_device(device_id: DeviceId, room: TheRoom, rights: Reader) -> Response:
    return answer(device_view(room, known_device(room, rights, device_id)))


def known_device(room: Room, rights: Rights, device_id: str) -> Device:
    """Raises Problem 404."""
    device = room.gateway.devices.get(device_id)
    if device is None or not _reach(room, rights, device):
        raise not_found("such device")
    return device


@router.put("/devices/{device_id}", **described("Write a device", DeviceView, bodies=json_of(DeviceIn)))
async def put_device(device_id: DeviceId, request: Request, room: TheRoom, rights: DeviceWriter) -> Response:
    require_json(request)
    async with room.buffers.body(request, room.limits.small) as body:
        device = _meant(device_id, decode(_devices, body))
    known = room.gateway.devices.get(device_id)
    if not _reach(room, rights, device) or (known is not None and not _reach(room, rights, known)):
        raise Problem(403, f"The token {rights.name} may not write devices of this area.", field="area")
    try:
        return answer(device_view(room, await room.gateway.devices.put(device, room.now())))
    except PermissionError as error:
        raise Problem(409, f"{error}.") from None


@router.delete("/devices/{device_id}", **described("Forget a device", None, 204))
async def delete_device(device_id: DeviceId, room: TheRoom, rights: DeviceWriter) -> Response:
    known_device(room, rights, device_id)
    try:
        await room.gateway.devices.delete(device_id)
    except PermissionError as error:
        raise Problem(409, f"{error}.") from None
    return Response(status_code=204)


def _meant(device_id: str, given: DeviceIn) -> Device:
    """Raises Problem 422."""
    if given.time_zone and given.time_zone not in available_timezones():
        reason = f"time_zone: {given.time_zone!r} is no IANA time zone such as Europe/Tallinn"
        raise Problem(422, reason, field="time_zone")
    if given.schedule:
        _check_schedule(given.schedule)
    return Device(
        id=device_id,
        name=given.name,
        type=given.type,
        area=given.area,
        description=given.description,
        customer_id=given.customer_id,
        time_zone=given.time_zone,
        routine_s=_seconds(given.routine) if given.routine else None,
        addresses={name: meant_address(address) for name, address in given.addresses.items()},
        schedule=given.schedule,
    )


def _check_schedule(schedule: str) -> None:
    try:
        arming_schedule(schedule)
    except ValueError as error:
        raise Problem(422, f"schedule: {error}", field="schedule") from None


def _seconds(routine: str) -> float:
    try:
        return parse_duration(routine)
    except ValueError as error:
        raise Problem(422, f"routine: {error}", field="routine") from None
