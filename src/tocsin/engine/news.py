"""One destination's link with what is said of it: log and metric once when it goes and once when it is back."""

import traceback
from collections.abc import Callable

from tocsin.engine.contracts import Clock, Randomness
from tocsin.engine.link import ANNOUNCE_AFTER, Link
from tocsin.telemetry.occurrences import DestinationCameUp, DestinationWentDown, TaskFailed
from tocsin.telemetry.record import Recorder


class LinkNews:
    """`changed` is told of every outage's announcement and end: destination, and reason or "" for up."""

    def __init__(
        self,
        name: str,
        link: Link,
        clock: Clock,
        randomness: Randomness,
        record: Recorder,
        changed: Callable[[str, str], None],
    ) -> None:
        self.link = link
        self.failed_again: Callable[[], None] = lambda: None
        """Called after each failure: the time to look again has changed."""
        self._name = name
        self._clock = clock
        self._randomness = randomness
        self._record = record
        self._changed = changed

    def worked(self) -> bool:
        """An exchange succeeded. True if others had to wait for it."""
        blocked, announced = self.link.blocked, self.link.announced
        down_s = self.link.worked(self._clock.monotonic())
        if down_s is not None:
            self._record(DestinationCameUp(self._name, round(down_s, 3)))
        if announced:
            self.link.announced = False
            self._changed(self._name, "")
        return blocked

    def failed(self, reason: str) -> None:
        """One delivery failed although the link stands."""
        was_down = self.link.down_since is not None
        self.link.failed(self._clock.monotonic(), reason)
        self._told(was_down, reason)

    def unreachable(self, reason: str) -> None:
        """Nobody answered."""
        was_down = self.link.down_since is not None
        self.link.unreachable(self._clock.monotonic(), reason, self._randomness.random())
        self._told(was_down, reason)

    def defect(self, error: Exception) -> None:
        """The destination's own code failed."""
        trace = "".join(traceback.format_exception(error))
        self._record(TaskFailed(f"destination {self._name}", f"{type(error).__name__}: {error}", trace, 0.0))

    def _told(self, was_down: bool, reason: str) -> None:
        if not was_down and self.link.down_since is not None:
            self._record(DestinationWentDown(self._name, reason))
        if self.link.failures >= ANNOUNCE_AFTER and not self.link.announced:
            self.link.announced = True
            self._changed(self._name, reason)
        self.failed_again()
