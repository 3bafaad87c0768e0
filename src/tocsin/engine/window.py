"""What a pump holds in memory of one lane's backlog: a bounded window over the outbox, in order per queue. Pure.

While the pump keeps up it is fed by `offer` as events are committed. When more waits than the window holds, the lane is
`behind` and the rest is read by index (`load`). One queue may fill only `PER_QUEUE` places, so that a queue waiting
for its retry never starves the others; once it has `more` on disk, it is left out of the lane's reading and read for
itself (`refill`) whenever it has run empty.
"""

from collections import deque
from collections.abc import Container, Sequence

from msgspec.structs import replace

from tocsin.model.delivery import DeliveryKey, Due
from tocsin.model.event import Event

PER_LANE = 1000
PER_QUEUE = 64
LOAD_BELOW = 250
LOAD_BELOW_IDLE = 10_000
"""While all of a lane that is in memory waits for its retry, what could go at once may still be on disk."""
_NONE: frozenset[DeliveryKey] = frozenset()


class _Queue:
    """One line in which order is kept. `last`: the newest seq taken in. `skips` counts what was left on disk."""

    __slots__ = ("items", "last", "skips")

    def __init__(self) -> None:
        self.items: deque[Due] = deque()
        self.last = 0
        self.skips = 0


class LaneWindow:
    """One lane of one destination. `cursor` is the newest seq considered: taken in, or left to its queue's refill."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}
        self._held: dict[int, str] = {}
        """Every seq in memory with its queue: nothing is ever in memory twice."""
        self._more: dict[str, _Queue] = {}
        """The queues with more on disk."""
        self._seen = 0
        self.cursor = 0
        self.behind = True

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, key: DeliveryKey) -> bool:
        return key.event_seq in self._held

    def offer(self, due: Due) -> str | None:
        """A delivery just committed. Returns its queue if that queue has a new head."""
        seq = due.key.event_seq
        self._seen = max(self._seen, seq)
        if self.behind or seq <= self.cursor:
            return None
        if len(self._held) >= PER_LANE:
            self.behind = True
            return None
        return self._take(due)

    def look(self) -> None:
        """There may be more on disk than was offered."""
        self.behind = True

    def wants_load(self, idle: bool) -> bool:
        """`idle`: nothing of the lane that is in memory may be tried now."""
        return self.behind and len(self._held) < (LOAD_BELOW_IDLE if idle else LOAD_BELOW)

    def left_out(self) -> list[str]:
        """Queues to leave out of the lane's reading: they are read for themselves."""
        for queue in self._more.values():
            queue.skips += 1
        return list(self._more)

    def load(self, found: Sequence[Due], asked: int, ended: Container[DeliveryKey] = _NONE) -> list[str]:
        """Deliveries read after `cursor`, oldest first, `asked` at most; those in `ended` are passed over. Returns
        the queues with a new head.
        """
        heads = []
        for due in found:
            if due.key.event_seq > self.cursor:
                head = self._take(due, due.key in ended)
                if head is not None:
                    heads.append(head)
        if len(found) < asked:
            # What was committed during the reading is either in it, or seen by the next.
            self.behind = self._seen > self.cursor
            self._seen = self.cursor
        return heads

    def wants_refill(self) -> list[tuple[str, int, int]]:
        """Queues that ran empty with more on disk: name, seq to read after, and a mark to hand back to `refill`."""
        return [(name, queue.last, queue.skips) for name, queue in self._more.items() if not queue.items]

    def wants_more(self, idle: bool) -> bool:
        """Whether there is anything to read at all."""
        return self.wants_load(idle) or (bool(self._more) and bool(self.wants_refill()))

    def refill(self, name: str, found: Sequence[Due], mark: int, ended: Container[DeliveryKey] = _NONE) -> bool:
        """Deliveries of one queue read after its last. True if the queue has a head now."""
        queue = self._queues[name]
        for due in found:
            queue.last = due.key.event_seq
            if due.key not in ended:
                self._append(queue, due)
        if not found and queue.skips == mark:
            del self._more[name]
            self._forget_if_done(name, queue)
        return bool(queue.items)

    def requeue(self, due: Due) -> str | None:
        """A delivery opened again by hand: to the end of its queue, whatever the cursor. Returns its queue if that
        queue has a new head.
        """
        self.remove(due.key)
        queue = self._queues.setdefault(due.queue, _Queue())
        self._append(queue, due)
        return due.queue if len(queue.items) == 1 else None

    def head(self, name: str) -> Due | None:
        queue = self._queues.get(name)
        return queue.items[0] if queue is not None and queue.items else None

    def get(self, key: DeliveryKey) -> Due | None:
        """A delivery as it is in memory, if it is."""
        place = self._place(key)
        return None if place is None else place[0].items[place[1]]

    def replace(self, due: Due) -> bool:
        """Put a newer form of a delivery (later attempt, late photo) in its place; False if it is not in memory."""
        place = self._place(due.key)
        if place is None:
            return False
        place[0].items[place[1]] = due
        return True

    def amend(self, event_seq: int, event: Event) -> None:
        """The event has changed: what was not handed over yet goes out with what is known now."""
        queue = self._queues[self._held[event_seq]] if event_seq in self._held else _Queue()
        for n, item in enumerate(queue.items):
            if item.key.event_seq == event_seq:
                queue.items[n] = replace(item, event=event)

    def remove(self, key: DeliveryKey) -> str | None:
        """Forget a delivery that was closed by hand, wherever it stands. Returns its queue if that has a new head."""
        place = self._place(key)
        if place is None:
            return None
        queue, n = place
        name = self._held.pop(key.event_seq)
        del queue.items[n]
        self._forget_if_done(name, queue)
        return name if n == 0 and queue.items else None

    def _place(self, key: DeliveryKey) -> tuple[_Queue, int] | None:
        name = self._held.get(key.event_seq)
        if name is None:
            return None
        queue = self._queues[name]
        if queue.items[0].key == key:
            return queue, 0
        return next((queue, n) for n, item in enumerate(queue.items) if item.key == key)

    def _take(self, due: Due, ended: bool = False) -> str | None:
        """Take in the next delivery of the lane, or leave it to its queue's refill."""
        seq = self.cursor = due.key.event_seq
        if ended or seq in self._held:
            return None
        queue = self._queues.get(due.queue)
        if queue is None:
            queue = self._queues[due.queue] = _Queue()
        if seq <= queue.last:
            return None
        if due.queue in self._more or len(queue.items) >= PER_QUEUE:
            queue.last = queue.last or seq - 1
            queue.skips += 1
            self._more[due.queue] = queue
            return None
        self._append(queue, due)
        queue.last = seq
        return due.queue if len(queue.items) == 1 else None

    def _append(self, queue: _Queue, due: Due) -> None:
        if due.key.event_seq not in self._held:
            queue.items.append(due)
            self._held[due.key.event_seq] = due.queue

    def _forget_if_done(self, name: str, queue: _Queue) -> None:
        """A queue read ahead of the lane is remembered until the lane has come as far."""
        if not queue.items and name not in self._more and queue.last <= self.cursor:
            del self._queues[name]
