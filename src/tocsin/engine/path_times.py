"""When each path to a station is to be proved next, and which are lost (EN 50136). Pure; times are monotonic seconds.

The second path, and every further one, is proved at its own figure while the first stands, and at the first's while
that is lost.
"""

from collections.abc import Sequence

MARGIN_S = 5.0
"""A path is polled this long before its reporting time is over, and lost when it is over."""
GIVE_WAY_S = 2.0
"""Whatever else proves the path, events or the poll of the destination as a whole, comes first."""
AGAIN_S = 5.0
"""After a failed poll, while the path still counts as standing; afterwards as often as it is polled."""
LONGEST_AGAIN_S = 60.0


class PathTimes:
    """`polls`: how often each path is proved, the first path's first. It begins unproved and standing."""

    def __init__(self, polls: Sequence[float], now: float) -> None:
        self._polls = tuple(polls)
        self.lost = [False] * len(self._polls)
        self.begin(now)

    def begin(self, now: float) -> None:
        """Nothing could be proved until now."""
        self._proved: list[float | None] = [None] * len(self._polls)
        self._failed: list[float | None] = [None] * len(self._polls)
        self._since = [now] * len(self._polls)

    def due(self, path: int) -> float:
        """When it is to be proved next."""
        proved, failed = self._proved[path], self._failed[path]
        due = self._since[path] if proved is None else proved + self._poll_s(path) + GIVE_WAY_S
        if failed is None:
            return due
        again_s = min(self._poll_s(path), LONGEST_AGAIN_S) if self.lost[path] else AGAIN_S
        return max(due, failed + again_s)

    def proved(self, path: int, at: float) -> bool:
        """It answered. True if that ends a loss."""
        self._proved[path] = self._since[path] = at
        self._failed[path] = None
        restored, self.lost[path] = self.lost[path], False
        return restored

    def failed(self, path: int, at: float) -> bool:
        """It did not answer. True if it is lost from now on."""
        self._failed[path] = at
        if self.lost[path] or at < self._since[path] + self._poll_s(path) + MARGIN_S:
            return False
        self.lost[path] = True
        if path == 0:
            self._hurry(at)
        return True

    def _hurry(self, now: float) -> None:
        """The others take the first's figure: from now on, none is late by it yet."""
        for other in range(1, len(self._polls)):
            self._since[other] = max(self._since[other], now)

    def _poll_s(self, path: int) -> float:
        return min(self._polls[0], self._polls[path]) if path and self.lost[0] else self._polls[path]
