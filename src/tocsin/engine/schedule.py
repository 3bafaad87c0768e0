"""Whose turn it is: lanes before one another, queues in turn inside a lane, never two of one queue at once. Pure."""

import heapq
from collections import deque
from collections.abc import Iterable

from tocsin.model.kinds import LANES, Lane


class Schedule:
    """Queues with something to send. Times are monotonic seconds, given by the caller."""

    def __init__(self) -> None:
        self._ready: dict[Lane, deque[str]] = {lane: deque() for lane in LANES}
        self._listed: dict[Lane, set[str]] = {lane: set() for lane in LANES}
        self._busy: set[str] = set()
        self._parked: dict[str, list[Lane]] = {}
        self._waiting: list[tuple[float, Lane, str]] = []
        self._waiting_for: dict[tuple[Lane, str], float] = {}

    def mark(self, lane: Lane, queue: str, first: bool = False) -> None:
        """The queue has a head that may be tried now; `first` puts it before the others of its lane."""
        self._waiting_for.pop((lane, queue), None)
        if queue in self._listed[lane]:
            return
        self._listed[lane].add(queue)
        if first:
            self._ready[lane].appendleft(queue)
        else:
            self._ready[lane].append(queue)

    def wait(self, lane: Lane, queue: str, until: float) -> None:
        """The queue's head may not be tried before `until`; neither may what stands behind it."""
        self._waiting_for[lane, queue] = until
        heapq.heappush(self._waiting, (until, lane, queue))

    def take(self, now: float) -> tuple[Lane, str] | None:
        """The next queue to serve, busy from now on until `release`."""
        if self._waiting:
            self._wake(now)
        for lane in LANES:
            ready = self._ready[lane]
            while ready:
                queue = ready.popleft()
                self._listed[lane].discard(queue)
                if queue in self._busy:
                    self._parked.setdefault(queue, []).append(lane)
                    continue
                self._busy.add(queue)
                return lane, queue
        return None

    def ready(self) -> bool:
        """Whether `take` may have something now, waiting queues apart."""
        return any(self._ready.values())

    def idle(self, lane: Lane) -> bool:
        """Whether all the lane's queues wait for their time or are under way."""
        return not self._ready[lane]

    def occupy(self, queues: Iterable[str]) -> None:
        """These queues have a delivery under way."""
        self._busy.update(queues)

    def release(self, queue: str) -> None:
        """The queue's delivery under way has ended; lanes that wanted the queue meanwhile may have it."""
        self._busy.discard(queue)
        for lane in self._parked.pop(queue, ()):
            self.mark(lane, queue, first=True)

    def next_due(self) -> float | None:
        """When the next waiting queue becomes ready."""
        while self._waiting and self._waiting_for.get(self._waiting[0][1:]) != self._waiting[0][0]:
            heapq.heappop(self._waiting)
        return self._waiting[0][0] if self._waiting else None

    def _wake(self, now: float) -> None:
        while (due := self.next_due()) is not None and due <= now:
            _, lane, queue = heapq.heappop(self._waiting)
            self.mark(lane, queue)
