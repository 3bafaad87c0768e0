"""The list of devices that a discovery job wants (clearance.md 8.2). The layout is assumed. Pure."""

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from tocsin.engine.systems import Span
from tocsin.model.canonical import DeviceRecord

LONGEST_NAME = 256
SHRUNK = 0.3
"""A list that lost more than this part of the last one is suspicious: a recorder may have been off."""


class Listed(Struct, frozen=True, rename="camel", omit_defaults=False):
    """One camera. Places are WGS84; `heading` and `field_of_view` degrees; times of recordings ISO 8601, UTC."""

    id: str
    name: str
    online: bool
    type: Literal["Camera", "Vehicle"] = "Camera"
    latitude: float | None = None
    longitude: float | None = None
    heading: float | None = None
    field_of_view: float | None = None
    description: str | None = None
    area: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    serial_number: str | None = None
    first_recording_utc: str | None = None
    last_recording_utc: str | None = None


def document(devices: Iterable[Listed]) -> bytes:
    """Sorted by id, so that two runs over the same system give the same bytes. UTF-8, no byte-order mark."""
    return msgspec.json.encode({"devices": sorted(devices, key=lambda one: one.id)})


def shrunk(before: int, now: int) -> bool:
    return now < before * (1 - SHRUNK)


def listed(
    record: DeviceRecord, online: bool, area: str = "", description: str = "", recorded: Span | None = None
) -> Listed:
    """`recorded`: from the first to the last picture that is held."""
    latitude, longitude = _position(record)
    return Listed(
        id=record.id,
        name=record.name[:LONGEST_NAME] or record.id,
        online=online,
        latitude=latitude,
        longitude=longitude,
        heading=_number(record, "heading"),
        field_of_view=_number(record, "field_of_view"),
        description=description or None,
        area=area or record.location or None,
        manufacturer=_text(record, "vendor"),
        model=_text(record, "model"),
        serial_number=_text(record, "serial"),
        first_recording_utc=f"{recorded.start:%Y-%m-%dT%H:%M:%S.%fZ}" if recorded else None,
        last_recording_utc=f"{recorded.end:%Y-%m-%dT%H:%M:%S.%fZ}" if recorded else None,
    )


def _position(record: DeviceRecord) -> Sequence[float | None]:
    """From `gps`, "latitude,longitude". Nowhere, rather than in the sea where both are 0."""
    try:
        latitude, longitude = map(float, (_text(record, "gps") or "").split(","))
    except ValueError:
        return (None, None)
    there = abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude, longitude) != (0.0, 0.0)
    return (latitude, longitude) if there else (None, None)


def _number(record: DeviceRecord, name: str) -> float | None:
    found = record.attributes.get(name)
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def _text(record: DeviceRecord, name: str) -> str | None:
    found = record.attributes.get(name)
    return str(found) if found not in (None, "") else None
