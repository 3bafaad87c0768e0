"""Whether a destination can be reached, and when to look again. Pure; times are monotonic seconds."""

from tocsin.engine.backoff import Retry, delay_s

ANNOUNCE_AFTER = 3
"""Failures in a row before a destination counts as down for the other destinations; one is a passing thing."""
ALARM_PROBE_S = 1.0
"""A new alarm may bring the next probe forward, but never closer than this to the last."""


class Link:
    """`failures` in a row; `blocked` while nobody may try but the one probe."""

    def __init__(self, retry: Retry) -> None:
        self._retry = retry
        self.failures = 0
        self.reason = ""
        self.blocked = False
        self.down_since: float | None = None
        self.announced = False
        self.contacted = False
        self.last_contact = 0.0
        self._last_try = 0.0
        self._next_try = 0.0
        self._probing = False
        self.hurried = False

    def worked(self, now: float) -> float | None:
        """An exchange succeeded. Seconds it was down, if this ends an outage."""
        down_s = None if self.down_since is None else now - self.down_since
        self.failures, self.reason, self.blocked, self._probing, self.hurried = 0, "", False, False, False
        self.down_since, self.contacted, self.last_contact = None, True, now
        return down_s

    def unreachable(self, now: float, reason: str, chance: float) -> None:
        """Nobody answered. Several that were under way together count as one failure."""
        self._probing = False
        if self.blocked and now < self._next_try:
            return
        self._fail(now, reason)
        self._down(now)
        self.blocked = True
        self._next_try = now + delay_s(self._retry, self.failures, chance)

    def failed(self, now: float, reason: str) -> None:
        """One delivery failed although the link stands; enough of them in a row and it counts as down, unblocked."""
        self._probing = self.blocked = False
        self._fail(now, reason)
        if self.failures >= ANNOUNCE_AFTER:
            self._down(now)

    def _fail(self, now: float, reason: str) -> None:
        self.failures += 1
        self.hurried = False
        self.reason = reason
        self._last_try = now

    def _down(self, now: float) -> None:
        if self.down_since is None:
            self.down_since = now

    def may_try(self, now: float) -> bool:
        """Whether a delivery may start; on a blocked link only the one probe when its time has come."""
        if not self.blocked:
            return True
        if self._probing or now < self._next_try:
            return False
        self._probing = True
        return True

    def not_tried(self) -> None:
        """The caller had nothing to probe with."""
        self._probing = False

    def alarm(self, now: float) -> None:
        """A fresh alarm does not wait for a long back-off to pass; until the next failure, one alarm is enough."""
        if self.blocked:
            self.hurried = True
            self._next_try = min(self._next_try, max(now, self._last_try + ALARM_PROBE_S))

    def next_try(self) -> float | None:
        """When a blocked link may be probed; None when it is not blocked or is being probed."""
        return self._next_try if self.blocked and not self._probing else None
