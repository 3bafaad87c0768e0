"""What a pump holds in memory of one lane's backlog: a bounded window over the outbox, in order per queue. Pure.

While the pump keeps up it is fed by `offer` as events are committed. When more waits than the window holds, the lane is
`behind` and the rest is read by index (`load`). One queue may fill only `PER_QUEUE` places, so that a queue waiting
for its
retry never starves the others; once it has `more` on disk, it is left out of the lane's reading and read for itself
(`refill`) whenever it has run empty.
"""

from collections import deque
from collections.abc import Sequence

from tocsin.model.delivery import DeliveryKey, Due

PER_LANE = 1000
PER_QUEUE = 64
LOAD_BELOW = 250


class _Queue:
    """One line in which order is kept. `last`: the newest seq taken in. `skips` counts what was left on disk."""

    __slots__ = ("items", "last", "more", "skips")

    def __init__(self) -> None:
        self.items: deque[Due] = deque()
        self.last = 0
        self.more = False
        self.skips = 0

    def skip(self) -> None:
        self.more = True
        self.skips += 1


class LaneWindow:
    """One lane of one destination. `cursor` is the newest seq considered: taken in, or left to its queue's refill."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}
        self._held = 0
        self._seen = 0
        self.cursor = 0
        self.behind = True

    def __len__(self) -> int:
        return self._held

    def offer(self, due: Due) -> str | None:
        """A delivery just committed. Returns its queue if that queue has a new head."""
        seq = due.key.event_seq
        self._seen = max(self._seen, seq)
        if self.behind or seq <= self.cursor:
            return None
        if self._held >= PER_LANE:
            self.behind = True
            return None
        return self._take(due)

    def wants_load(self) -> bool:
        return self.behind and self._held < LOAD_BELOW

    def left_out(self) -> list[str]:
        """Queues to leave out of the lane's reading: they are read for themselves."""
        names = [name for name, queue in self._queues.items() if queue.more]
        for name in names:
            self._queues[name].skip()
        return names

    def load(self, found: Sequence[Due], asked: int) -> list[str]:
        """Deliveries read after `cursor`, oldest first, `asked` at most. Returns the queues with a new head."""
        heads = [head for due in found if due.key.event_seq > self.cursor and (head := self._take(due)) is not None]
        if len(found) < asked:
            # What was committed during the reading is either in it, or seen by the next.
            self.behind = self._seen > self.cursor
            self._seen = self.cursor
        return heads

    def wants_refill(self) -> list[tuple[str, int, int]]:
        """Queues that ran empty with more on disk: name, seq to read after, and a mark to hand back to `refill`."""
        return [
            (name, queue.last, queue.skips) for name, queue in self._queues.items() if queue.more and not queue.items
        ]

    def refill(self, name: str, found: Sequence[Due], mark: int) -> bool:
        """Deliveries of one queue read after its last. True if the queue has a head now."""
        queue = self._queues[name]
        for due in found:
            self._append(queue, due)
        if not found and queue.skips == mark:
            queue.more = False
            self._forget_if_done(name, queue)
        return bool(queue.items)

    def requeue(self, due: Due) -> str | None:
        """A delivery opened again by hand: to the end of its queue, whatever the cursor."""
        queue = self._queues.setdefault(due.queue, _Queue())
        queue.items.append(due)
        self._held += 1
        return due.queue if len(queue.items) == 1 else None

    def head(self, name: str) -> Due | None:
        queue = self._queues.get(name)
        return queue.items[0] if queue is not None and queue.items else None

    def drop_head(self, name: str) -> bool:
        """The head has ended. True if another stands behind it."""
        queue = self._queues[name]
        queue.items.popleft()
        self._held -= 1
        self._forget_if_done(name, queue)
        return bool(queue.items)

    def replace(self, due: Due) -> bool:
        """Put a newer form of a delivery (later attempt, late photo) in its place; False if it is not in memory."""
        queue = self._queues.get(due.queue)
        if queue is None:
            return False
        for place, item in enumerate(queue.items):
            if item.key == due.key:
                queue.items[place] = due
                return True
        return False

    def remove(self, key: DeliveryKey) -> None:
        """Forget a delivery that was closed by hand, wherever it stands."""
        for name, queue in self._queues.items():
            item = next((item for item in queue.items if item.key == key), None)
            if item is not None:
                queue.items.remove(item)
                self._held -= 1
                self._forget_if_done(name, queue)
                return

    def _take(self, due: Due) -> str | None:
        """Take in the next delivery of the lane, or leave it to its queue's refill."""
        seq = self.cursor = due.key.event_seq
        queue = self._queues.get(due.queue)
        if queue is None:
            queue = self._queues[due.queue] = _Queue()
        if seq <= queue.last:
            return None
        if queue.more or len(queue.items) >= PER_QUEUE:
            queue.last = queue.last or seq - 1
            queue.skip()
            return None
        self._append(queue, due)
        return due.queue if len(queue.items) == 1 else None

    def _append(self, queue: _Queue, due: Due) -> None:
        queue.items.append(due)
        queue.last = due.key.event_seq
        self._held += 1

    def _forget_if_done(self, name: str, queue: _Queue) -> None:
        """A queue read ahead of the lane is remembered until the lane has come as far."""
        if not queue.items and not queue.more and queue.last <= self.cursor:
            del self._queues[name]
