"""Areas and devices as people and programs write them, and back."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from msgspec import Meta, Struct, to_builtins

from tocsin.api.problems import Problem
from tocsin.config.fields import parse_duration
from tocsin.engine.arming_schedule import arming_schedule
from tocsin.model.device import Area, Device, Thresholds
from tocsin.model.event import Address
from tocsin.protocols.addressing import listed, written

DEVICE_ID = r"^[A-Za-z0-9._:@-]{1,200}$"
Short = Annotated[str, Meta(max_length=200)]
Zone = Annotated[str, Meta(max_length=64)]
Digits = Annotated[str, Meta(min_length=1, max_length=40, pattern=r"^[0-9A-Za-z]+$")]
Written = Annotated[str, Meta(min_length=1, max_length=254, pattern=r"^[!-+\--:<-~]+$")]
_UNITS = ((3600.0, "h"), (60.0, "m"))
_zones = cache(available_timezones)
_NO_LINE = re.compile(r"[^\x00-\x1f\x7f]{1,200}\Z")


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


Addresses = Annotated[Mapping[str, AddressIn | Written], Meta(max_length=100)]


class AreaIn(Struct, frozen=True, forbid_unknown_fields=True):
    """An area as written; what is empty comes from the area it lies in, then from the gateway."""

    parent: Short = ""
    customer_id: Short = ""
    time_zone: Zone = ""
    addresses: Addresses = {}


class ThresholdsIn(Struct, frozen=True, forbid_unknown_fields=True):
    """Battery levels in percent: below them the gateway reports the battery as low, and as critical."""

    battery_low: Annotated[int, Meta(ge=1, le=99)]
    battery_critical: Annotated[int, Meta(ge=0, le=98)] = 0

    def meant(self) -> Thresholds:
        """Raises Problem 422."""
        if self.battery_critical >= self.battery_low:
            raise Problem(422, "thresholds: battery_critical must lie below battery_low", field="thresholds")
        return Thresholds(self.battery_low, self.battery_critical)


class DeviceIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A device as written. `routine`: how often it must be heard, such as `24h`; `schedule`: when it is armed, such as
    `Mon-Fri 18:00-06:00; Sat,Sun 00:00-24:00`.
    """

    name: Short = ""
    type: Short = ""
    area: Short = ""
    description: Annotated[str, Meta(max_length=2000)] = ""
    customer_id: Short = ""
    time_zone: Zone = ""
    routine: Annotated[str, Meta(max_length=30)] = ""
    thresholds: ThresholdsIn | None = None
    schedule: Annotated[str, Meta(max_length=500)] = ""
    addresses: Addresses = {}


def meant_area(name: str, given: AreaIn) -> Area:
    """Raises Problem 422."""
    if not _NO_LINE.match(name):
        raise Problem(422, "the name of an area has 1 to 200 characters, all on one line", field="name")
    _check_zone(given.time_zone)
    return Area(name, given.parent, given.customer_id, given.time_zone, _addresses(given.addresses))


def meant_device(device_id: str, given: DeviceIn) -> Device:
    """Raises Problem 422."""
    _check_zone(given.time_zone)
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
        thresholds=given.thresholds.meant() if given.thresholds else None,
        addresses=_addresses(given.addresses),
        schedule=given.schedule,
    )


def area_as_written(area: Area) -> dict[str, object]:
    """What AreaIn reads the same area from."""
    return {
        "parent": area.parent,
        "customer_id": area.customer_id,
        "time_zone": area.time_zone,
        "addresses": addresses_as_written(area.addresses),
    }


def device_as_written(device: Device) -> dict[str, object]:
    """What DeviceIn reads the same device from."""
    return {
        "name": device.name,
        "type": device.type,
        "area": device.area,
        "description": device.description,
        "customer_id": device.customer_id,
        "time_zone": device.time_zone,
        "routine": duration_as_written(device.routine_s),
        "thresholds": to_builtins(device.thresholds),
        "schedule": device.schedule,
        "addresses": addresses_as_written(device.addresses),
    }


def addresses_as_written(addresses: Mapping[str, Address]) -> dict[str, str]:
    return {name: written(address) for name, address in sorted(addresses.items())}


def duration_as_written(seconds: float | None) -> str:
    """`24h`, `90s`; empty for none."""
    if seconds is None:
        return ""
    for unit, letter in _UNITS:
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds / unit:.0f}{letter}"
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def _addresses(given: Mapping[str, AddressIn | str]) -> dict[str, Address]:
    return {name: listed(one) if isinstance(one, str) else one.meant() for name, one in given.items()}


def _check_zone(name: str) -> None:
    if name and name not in _zones():
        reason = f"time_zone: {name!r} is no IANA time zone such as Europe/Tallinn"
        raise Problem(422, reason, field="time_zone")


def _check_schedule(schedule: str) -> None:
    try:
        if schedule:
            arming_schedule(schedule)
    except ValueError as error:
        raise Problem(422, f"schedule: {error}", field="schedule") from None


def _seconds(routine: str) -> float:
    try:
        seconds = parse_duration(routine)
    except ValueError as error:
        raise Problem(422, f"routine: {error}", field="routine") from None
    if not seconds:
        raise Problem(422, "routine: it must be longer than nothing", field="routine")
    return seconds
