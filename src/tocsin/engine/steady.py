"""The wall-clock instants of deliveries, made proof against a clock that is set while the gateway runs.

A gateway without battery clock begins in the past and is put right by NTP; summer time is set by hand. Neither may
expire an alarm that came a minute ago, nor keep one waiting for hours.
"""

from datetime import datetime, timedelta

from tocsin.engine.contracts import Clock
from tocsin.model.delivery import DeliveryKey, Due

JUMP = timedelta(seconds=60)
"""The wall clock is taken to have been set when it gains this much on the monotonic one between two looks."""
MOST_JUMPS = 20
LONGEST_WAIT_S = 300.0
"""No delivery is told to wait longer; a due time further away was given by another clock."""


class SteadyTimes:
    """Ages and due times of one destination's deliveries, in seconds of monotonic time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wall = clock.now()
        self._at = clock.monotonic()
        self._jumps: list[tuple[datetime, timedelta]] = []
        self._due: dict[DeliveryKey, float] = {}

    def age_s(self, accepted_at: datetime) -> float:
        """How old it is, without what the wall clock was put forward meanwhile."""
        wall = self._look()
        age = wall - accepted_at
        for before, gained in self._jumps:
            if accepted_at <= before:
                age -= gained
        return age.total_seconds()

    def due_at(self, due: Due) -> float | None:
        """The monotonic time before which it may not go, settled when first asked for; None: at once."""
        if due.due_at is None:
            return None
        at = self._due.get(due.key)
        if at is None:
            wait_s = (due.due_at - self._clock.now()).total_seconds()
            at = self._due[due.key] = self._clock.monotonic() + min(max(wait_s, 0.0), LONGEST_WAIT_S)
        return at

    def forget(self, key: DeliveryKey) -> None:
        """Its due time has passed or changed."""
        if self._due:
            self._due.pop(key, None)

    def forget_all(self) -> None:
        self._due.clear()

    def _look(self) -> datetime:
        wall, at = self._clock.now(), self._clock.monotonic()
        expected = self._wall + timedelta(seconds=at - self._at)
        if wall - expected > JUMP:
            self._jumps = [*self._jumps, (expected, wall - expected)][-MOST_JUMPS:]
        self._wall, self._at = wall, at
        return wall
