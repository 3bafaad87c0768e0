"""The words a template may use about an event: one flat dictionary (receivers.md 1.1). Pure."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tocsin.destinations.files import File
from tocsin.model.event import Address, Event, Location
from tocsin.model.wording import headline, local_time

PLAIN = frozenset(
    {"event_id", "seq", "kind", "code", "text", "restore", "test", "ts", "ts_local", "ts_utc", "site", "site_id"}
    | {"area", "zone", "device", "device_id", "url", "lat", "lon", "battery", "signal"}
)
LISTS = frozenset({"objects", "media"})
ADDRESS = frozenset({"account", "area", "zone", "receiver", "prefix"})
MEDIUM = frozenset({"name", "mime", "size", "sha256", "captured_at"})
KEYS = PLAIN | LISTS | {f"addr.{part}" for part in ADDRESS}
"""The names a template may use; of the items of `media` those in MEDIUM."""


def words(
    event: Event,
    address: Address | None,
    code: str,
    url: str,
    number: int,
    zone: str,
    files: Sequence[File] = (),
    time_zone: str = "",
) -> dict[str, object]:
    """The dictionary; what is missing is an empty string, so that templates can ask with `if`.

    `code` is the event's name or number at this station, `url` its link, `number` the delivery's running number, `zone`
    the number of camera, input or point there. `time_zone` is the station's (IANA), for `ts_local`; empty: the event's.
    """
    moment = local_time(event)
    parts = _parts(address)
    return {
        "event_id": event.id,
        "seq": number,
        "kind": event.kind,
        "code": code,
        "text": short_text(event),
        "restore": event.state == "restore",
        "test": event.is_test,
        "ts": moment,
        "ts_local": moment.astimezone(ZoneInfo(time_zone)) if time_zone else moment,
        "ts_utc": event.occurred_at.astimezone(UTC),
        "site": event.place.area,
        "site_id": parts["account"],
        "area": parts["area"],
        "zone": zone,
        "device": event.place.name or event.device_id,
        "device_id": event.device_id,
        "objects": [actor.cls for actor in event.actors],
        "url": url,
        **_position(event.location),
        "battery": "" if event.battery is None else event.battery,
        "signal": "" if event.signal_asu is None else event.signal_asu,
        "media": [_medium(file, moment) for file in files],
        "addr": parts,
    }


def short_text(event: Event) -> str:
    """`Person detected, North gate, at the fence`: what, where, and the source's own remark."""
    parts = (headline(event), event.place.name or event.device_id, event.text)
    return ", ".join(part for part in parts if part)


def _parts(address: Address | None) -> dict[str, str]:
    return {part: (getattr(address, part) or "") if address else "" for part in sorted(ADDRESS)}


def _position(location: Location | None) -> dict[str, object]:
    """Minus zero would be read as a sign by some receivers."""
    return {"lat": location.lat + 0.0, "lon": location.lon + 0.0} if location else {"lat": "", "lon": ""}


def _medium(file: File, captured_at: datetime) -> dict[str, object]:
    return {
        "name": file.name,
        "mime": file.content_type,
        "size": len(file.data),
        "sha256": hashlib.sha256(file.data).hexdigest(),
        "captured_at": captured_at,
    }
