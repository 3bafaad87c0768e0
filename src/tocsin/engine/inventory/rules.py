"""What an operator has said about a system, and whose a device is (connectors.md 1.9)."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase

from msgspec import Struct

from tocsin.model.inventory import DeviceType, FoundDevice
from tocsin.model.kinds import Kind

ALL_TYPES: frozenset[DeviceType] = frozenset(
    {"camera", "access_control", "door", "intrusion", "intercom", "audio", "io", "recorder", "hardware", "other"}
)


class CustomerRule(Struct, frozen=True):
    """All that is said must hold; empty says nothing. `customer_id` empty: such devices are left out."""

    customer_id: str = ""
    location_glob: str = ""
    name_glob: str = ""
    name_regex: str = ""
    kind: str = ""
    type: DeviceType | None = None
    attributes: Mapping[str, str] = {}

    def matches(self, found: FoundDevice) -> bool:
        return (
            (not self.location_glob or fnmatchcase(found.location, self.location_glob))
            and (not self.name_glob or fnmatchcase(found.name, self.name_glob))
            and (not self.name_regex or re.search(self.name_regex, found.name) is not None)
            and (not self.kind or found.kind == self.kind)
            and (self.type is None or found.type == self.type)
            and all(_said(found.attributes.get(key)) == value for key, value in self.attributes.items())
        )


class Schedule(Struct, frozen=True):
    """`cron` in `time_zone` if given, else every so many seconds."""

    every_s: float = 21_600.0
    cron: str = ""
    time_zone: str = "UTC"


class HealthRules(Struct, frozen=True):
    """`mode`: events, poll or off. Times in seconds."""

    mode: str = "events"
    every_s: float = 60.0
    fail_threshold: int = 3
    stale_s: float = 900.0
    hold_s: float = 0.0
    reconcile_s: float = 3600.0


class SystemRules(Struct, frozen=True):
    """One system as its settings describe it. `customer_id` empty: only rules give devices to somebody."""

    name: str
    type: str
    customer_id: str = ""
    customers: tuple[CustomerRule, ...] = ()
    include_types: frozenset[DeviceType] = ALL_TYPES
    schedule: Schedule = Schedule()
    remove_after: int = 2
    hold_confirmations: int = 5
    mac_dup_limit: int = 16
    health: HealthRules = HealthRules()
    alarms: frozenset[Kind] = frozenset()
    area: str = ""


def customer_of(rules: SystemRules, found: FoundDevice) -> str | None:
    """Whose a device is; empty: nobody's; None: a rule leaves it out."""
    for rule in rules.customers:
        if rule.matches(found):
            return rule.customer_id or None
    return rules.customer_id


def _said(value: object) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else "" if value is None else str(value)
