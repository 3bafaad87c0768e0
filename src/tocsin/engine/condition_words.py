"""What the gateway says of a device's connection and battery. Pure."""

from datetime import datetime, timedelta

from tocsin.engine.battery import Battery
from tocsin.model.device import Device, Thresholds
from tocsin.model.kinds import Kind

Said = tuple[Kind, str]


def lost_words(device: Device, heard_at: datetime | None) -> Said:
    since = f"since {heard_at:%Y-%m-%d %H:%M} UTC" if heard_at else "since it was set up"
    every = f"; expected every {_duration(device.routine_s)}" if device.routine_s else ""
    return "connection_lost", f"nothing heard from {_name(device)} {since}{every}"


def restored_words(device: Device) -> Said:
    return "connection_restored", f"{_name(device)} is heard again"


def battery_words(after: Battery, level: int, thresholds: Thresholds, device: Device) -> Said:
    """There is no kind for critical: the text says it (stations.md 1.3 has none either)."""
    of_device = f"battery of {_name(device)} at {level} %"
    if after == "good":
        return "battery_restored", f"{of_device}, good again"
    if after == "low":
        return "battery_low", f"{of_device}, below {thresholds.battery_low} %"
    return "battery_low", f"{of_device}, critical: below {thresholds.battery_critical} %"


def _name(device: Device) -> str:
    return device.name or device.id


def _duration(seconds: float | None) -> str:
    return str(timedelta(seconds=round(seconds or 0.0))) if (seconds or 0) % 3600 else f"{(seconds or 0) / 3600:g} h"
