"""Instants as people at the device read them: in the event's own zone."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from tocsin.model.event import Event


def zone_of(event: Event) -> str:
    """The zone an event is shown in: its own, its device's, or UTC."""
    return event.zone or event.place.time_zone or "UTC"


def in_zone(instant: datetime, zone: str) -> datetime:
    """The instant on the clocks of an IANA zone or an offset such as `+03:00`; UTC when the zone is unknown."""
    return instant.astimezone(_tzinfo(zone))


def _tzinfo(zone: str) -> tzinfo:
    if zone[:1] in ("+", "-"):
        return _offset(zone)
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return UTC


def _offset(zone: str) -> tzinfo:
    try:
        hours, minutes = zone[1:].split(":")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-offset if zone[0] == "-" else offset)
    except ValueError:
        return UTC
