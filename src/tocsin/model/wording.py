"""What an event is called: its canonical name (stations.md 1.3), words for people, and its own local time. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tocsin.model.event import Event
from tocsin.model.kinds import VEHICLES

_NAMES = {"connection_restored": "DeviceConnected"}
_WORDS = {
    "aux_power_lost": "Auxiliary power lost",
    "aux_power_found": "Auxiliary power back",
    "battery_charging_normal": "Battery charging normal again",
    "battery_restored": "Battery normal again",
    "connection_restored": "Device connected",
    "critical_battery_shutdown": "Switched off: battery critically low",
    "door_held": "Door held open",
    "fire": "Fire alarm",
    "burglary": "Burglary alarm",
    "panic": "Panic alarm",
    "duress": "Duress alarm",
    "medical": "Medical alarm",
    "gas": "Gas alarm",
    "water": "Water alarm",
    "info": "Information",
}
_MOTION = {"person": "Person", "vehicle": "Vehicle", "": "Movement"}


def seen(event: Event) -> str:
    """What a motion event saw: `person` before `vehicle` before nothing classified (stations.md 1.3)."""
    classes = {actor.cls for actor in event.actors}
    if "person" in classes:
        return "person"
    return "vehicle" if classes & VEHICLES else ""


def canonical_name(event: Event) -> str:
    """`PersonDetected`, `BatteryLow`; with `Restored` behind it when a state has ended."""
    if event.kind == "motion":
        name = f"{_MOTION[seen(event)]}Detected"
    else:
        name = _NAMES.get(event.kind) or "".join(part.capitalize() for part in event.kind.split("_"))
    return f"{name}Restored" if event.state == "restore" else name


def headline(event: Event) -> str:
    """`Person detected`, `Battery low`, `Tamper: restored`: what happened, for people."""
    if event.kind == "motion":
        words = f"{_MOTION[seen(event)]} detected"
    else:
        words = _WORDS.get(event.kind) or event.kind.replace("_", " ").capitalize()
    return words + {"restore": ": restored", "still": ": still present"}.get(event.state, "")


def objects(event: Event) -> Iterator[str]:
    """What was detected, for people: `person 93%`."""
    for actor in event.actors:
        yield actor.cls if actor.confidence is None else f"{actor.cls} {actor.confidence:.0%}"


def local_time(event: Event) -> datetime:
    """When it happened, in the event's own zone, else the device's, else UTC (stations.md 1.1)."""
    return event.occurred_at.astimezone(_zone(event.zone) or _zone(event.place.time_zone) or UTC)


def _zone(name: str) -> tzinfo | None:
    """An IANA name or an offset such as `+03:00`; None if it is neither."""
    if name[:1] in ("+", "-") and name[3:4] == ":" and (name[1:3] + name[4:]).isdigit():
        minutes = int(name[1:3]) * 60 + int(name[4:])
        return timezone(timedelta(minutes=-minutes if name[0] == "-" else minutes)) if minutes < 1440 else None
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
