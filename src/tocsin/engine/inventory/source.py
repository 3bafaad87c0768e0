"""What is known of a system itself: reachable or not, since when, and when it may be asked again.

The device's health is not the source's health (connectors.md 1.6): that a system cannot be reached says nothing of its
devices.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from msgspec import Struct

from tocsin.engine.contracts import Clock
from tocsin.engine.systems import LicenceRefused, LoginRefused, Misconfigured, SystemFault
from tocsin.model.inventory import SourceStatus
from tocsin.telemetry.occurrences import SystemCameBack, SystemWentAway
from tocsin.telemetry.record import Recorder

HOUR_S = 3600.0
Side = Literal["inventory", "states"]
"""Who asked: neither knows whether the other's way works."""


class SourceState(Struct, frozen=True):
    """`since`: when the status began. `error`: what the system last refused or failed with."""

    status: SourceStatus
    since: datetime
    error: str = ""


def pause_s(fault: SystemFault, failures: int) -> float:
    """How long to leave a system alone after so many failures in a row (connectors.md 3.3)."""
    doubled = 2.0 ** min(failures - 1, 16)
    if isinstance(fault, LoginRefused):  # a third wrong password within the hour may lock the account
        return HOUR_S / 4 if failures == 1 else HOUR_S
    if isinstance(fault, LicenceRefused):
        return HOUR_S
    if isinstance(fault, Misconfigured):
        return min(60.0 * doubled, 600.0)
    return min(doubled, 60.0)


class SourceWatch:
    """Told by runs and by the watch of states how their asking went; both leave the system alone together."""

    def __init__(self, name: str, clock: Clock, record: Recorder, changed: Callable[[SourceState], None]) -> None:
        self._name = name
        self._clock = clock
        self._record = record
        self._changed = changed
        self._failures = 0
        self._not_before = 0.0
        self._faults: dict[Side, SystemFault] = {}
        self._said: SourceStatus = "ok"
        """What the log says last: each trouble once."""
        self.state = SourceState("starting", clock.now())
        self.last_event: datetime | None = None

    def wait_s(self) -> float:
        """Seconds until it may be asked again."""
        return max(self._not_before - self._clock.monotonic(), 0.0)

    def worked(self, side: Side) -> None:
        self._failures = 0
        self._not_before = 0.0
        self._faults.pop(side, None)
        if not self._faults:
            if self.state.status not in ("ok", "starting"):
                self._record(SystemCameBack(self._name, self._away_s()))
            self._said = "ok"
            self._put("ok", "")
        elif side == "inventory":  # connectors.md 1.10
            self._put("degraded", f"its inventory can be read, but: {next(iter(self._faults.values()))}")

    def failed(self, side: Side, fault: SystemFault) -> None:
        self._failures += 1
        self._not_before = self._clock.monotonic() + pause_s(fault, self._failures)
        self._faults[side] = fault
        if fault.status != self._said:
            self._said = fault.status
            self._record(SystemWentAway(self._name, fault.status, str(fault)))
        self._put(fault.status, str(fault))

    def _put(self, status: SourceStatus, error: str) -> None:
        """`since` and those who look hear of another status; the words may be newer."""
        same = status == self.state.status
        self.state = SourceState(status, self.state.since if same else self._clock.now(), error)
        if not same:
            self._changed(self.state)

    def _away_s(self) -> float:
        return (self._clock.now() - self.state.since).total_seconds()
