"""What is on test: an area or devices in it, for a while, so that work on them alarms nobody."""

from datetime import datetime, timedelta

from msgspec import Struct

LIFE_SAFETY: frozenset[str] = frozenset({"panic", "duress", "fire", "medical", "gas"})
"""Somebody may need help while others work."""
CONTACT: frozenset[str] = frozenset(
    {"connection_lost", "connection_restored", "supervision_lost", "supervision_restored"}
)
"""Each is said once: what fell silent during a test and was not told would be silent after it with nobody knowing."""
STAY_REAL: frozenset[str] = LIFE_SAFETY | CONTACT
"""Kinds that are never on test unless chosen one by one."""
_REMIND_BEFORE = timedelta(minutes=15)


class OnTest(Struct, frozen=True, omit_defaults=True):
    """From `since` until `until`, by `by`, for a `reason`. Areas below `area` are on test with it.

    `devices` and `destinations` narrow it; empty: all of them. `include` are the kinds of STAY_REAL that are on test
    too.
    """

    id: str
    area: str
    since: datetime
    until: datetime
    reason: str
    by: str
    devices: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()
    include: tuple[str, ...] = ()

    @property
    def remind_at(self) -> datetime:
        """A quarter of an hour before the end, of a short test in its last quarter."""
        return self.until - min(_REMIND_BEFORE, (self.until - self.since) / 4)

    @property
    def scope(self) -> tuple[object, ...]:
        """What is on test; two tests of one scope would be one test."""
        return (self.area, self.devices, self.destinations)

    @property
    def subject(self) -> str:
        """For people: `North depot`, `gate-cam in North depot`, `North depot at arc`."""
        what = f"{', '.join(self.devices)} in {self.area}" if self.devices else self.area
        return f"{what} at {', '.join(self.destinations)}" if self.destinations else what
