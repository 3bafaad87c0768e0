"""Event kinds, lanes, states and actor classes: closed lists (interface.md 4)."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Literal, get_args

State = Literal["new", "restore", "still"]
ActorClass = Literal["person", "vehicle", "car", "truck", "bus", "motorcycle", "bicycle", "boat"]
Classification = Literal["done", "pending"]

Kind = Literal[
    "motion",
    "tamper",
    "routine_check",
    "snapshot",
    "critical_battery_shutdown",
    "lid_opened",
    "aux_power_lost",
    "aux_power_found",
    "battery_charging_fault",
    "battery_charging_normal",
    "battery_removed",
    "armed",
    "disarmed",
    "connection_lost",
    "connection_restored",
    "battery_low",
    "battery_restored",
    "system_started",
    "system_stopped",
    "destination_down",
    "destination_up",
    "supervision_lost",
    "supervision_restored",
    "alarm",
    "burglary",
    "panic",
    "duress",
    "fire",
    "medical",
    "gas",
    "water",
    "trouble",
    "bypass",
    "test",
    "info",
    "video_loss",
    "door_forced",
    "door_held",
    "access_granted",
    "access_denied",
]
KindGroup = Literal[
    "everything", "detector", "panel", "door", "system", "battery", "arming", "connection", "aux_power", "charging"
]
"""Short names for several kinds, for filters."""
KINDS: frozenset[str] = frozenset(get_args(Kind))
ACTOR_CLASSES: frozenset[str] = frozenset(get_args(ActorClass))
VEHICLES: frozenset[str] = ACTOR_CLASSES - {"person"}

KIND_GROUPS: dict[str, frozenset[str]] = {
    "everything": KINDS,
    # The alarm types of stations.md 10, without routine checks and snapshots, which have rules of their own.
    "detector": frozenset(
        {"motion", "tamper", "critical_battery_shutdown", "lid_opened", "aux_power_lost", "aux_power_found"}
        | {"battery_removed", "battery_charging_fault", "battery_charging_normal"}
    ),
    "panel": frozenset(
        {"alarm", "burglary", "panic", "duress", "fire", "medical", "gas", "water", "trouble", "bypass", "video_loss"}
    ),
    "door": frozenset({"door_forced", "door_held", "access_granted", "access_denied"}),
    "system": frozenset(
        {"system_started", "system_stopped", "destination_down", "destination_up"}
        | {"supervision_lost", "supervision_restored"}
    ),
    "battery": frozenset({"battery_low", "battery_restored"}),
    "arming": frozenset({"armed", "disarmed"}),
    "connection": frozenset({"connection_lost", "connection_restored"}),
    "aux_power": frozenset({"aux_power_lost", "aux_power_found"}),
    "charging": frozenset({"battery_charging_fault", "battery_charging_normal"}),
}


def kinds_of(names: Iterable[str]) -> frozenset[str]:
    """Kinds and groups of kinds, as kinds."""
    return frozenset(kind for name in names for kind in KIND_GROUPS.get(name, (name,)))


class Lane(IntEnum):
    """The order in which a destination's backlog is sent: a lower lane overtakes a higher one."""

    ALARM = 0
    STATUS = 1
    ROUTINE = 2

    @property
    def label(self) -> str:
        return self.name.lower()


LANES = tuple(Lane)
"""In the order in which they are sent."""

_STATUS = frozenset(
    {
        "aux_power_lost",
        "aux_power_found",
        "battery_charging_fault",
        "battery_charging_normal",
        "battery_removed",
        "armed",
        "disarmed",
        "connection_lost",
        "connection_restored",
        "battery_low",
        "battery_restored",
        "system_started",
        "system_stopped",
        "destination_down",
        "destination_up",
        "supervision_lost",
        "supervision_restored",
    }
)
_ROUTINE = frozenset({"routine_check", "test", "snapshot", "info", "access_granted"})


def lane_of(kind: str) -> Lane:
    """The lane of a kind. A restore has its alarm's kind, so it travels in its alarm's lane."""
    if kind in _STATUS:
        return Lane.STATUS
    return Lane.ROUTINE if kind in _ROUTINE else Lane.ALARM
