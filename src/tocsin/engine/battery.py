"""When a battery counts as low, as about to end, and as good again. Pure."""

from typing import Final, Literal

from tocsin.model.device import Thresholds
from tocsin.model.event import Event

Battery = Literal["good", "low", "critical"]

HYSTERESIS = 5.0
_SAID: Final[dict[str, Battery]] = {
    "battery_low": "low",
    "critical_battery_shutdown": "critical",
    "battery_restored": "good",
}
_OTHER_BATTERY = frozenset({"battery_removed", "battery_charging_fault", "battery_charging_normal"})
"""About another battery, or none: the level that comes with them says nothing of the device's own."""


def judged(before: Battery, level: int, thresholds: Thresholds, hysteresis: float) -> Battery:
    """From a level. Critical stays critical until the battery is good again, so that it is told once."""
    if level < thresholds.battery_critical:
        return "critical"
    if level < thresholds.battery_low:
        return "critical" if before == "critical" else "low"
    # Whatever the thresholds are, a full battery is good.
    still = before != "good" and level <= min(thresholds.battery_low + hysteresis, 99)
    return before if still else "good"


def said(event: Event) -> Battery | None:
    """What the device itself says of its battery: stations have it already. None: nothing."""
    meant = _SAID.get(event.kind)
    return "good" if meant and event.state == "restore" else meant


def counts(event: Event) -> bool:
    """Whether the level that comes with the event is to be judged."""
    return event.battery is not None and event.kind not in _OTHER_BATTERY
