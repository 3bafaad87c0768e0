"""Who wants to see changes as they happen: the live stream's middle. Nobody who reads slowly holds anyone up."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

from msgspec import Struct

from tocsin.model.delivery import DeliveryKey
from tocsin.store.contract import Accepted

Topic = Literal[
    "event", "delivery", "device", "destination", "command", "test", "run", "system", "agent", "job", "missed"
]
LONGEST_QUEUE = 1000


class Change(Struct, frozen=True):
    """One change. `data` is what JSON can carry. `missed`: the reader was too slow; `data` says how many it lost."""

    topic: Topic
    id: str
    data: dict[str, Any]


def event_kept(accepted: Accepted) -> Change:
    event = accepted.event
    data = {
        "seq": accepted.seq,
        "kind": event.kind,
        "state": event.state,
        "device_id": event.device_id,
        "area": event.place.area,
        "destinations": [one.destination for one in accepted.owed if one.state != "filtered"],
    }
    if event.notice is not None:
        data["system"] = event.notice.system
    return Change("event", event.id, data)


def delivery_changed(key: DeliveryKey, state: str, reason: str) -> Change:
    data = {"destination": key.destination, "event_seq": key.event_seq, "state": state, "reason": reason}
    return Change("delivery", str(key), data)


class Subscription(AsyncIterator[Change]):
    """Changes since it was made, until `aclose`; `contextlib.aclosing` ends it in every case."""

    def __init__(self, end: Callable[["Subscription"], None]) -> None:
        self._end = end
        self.waiting: deque[Change] = deque()
        self.missed = 0
        self.woken = asyncio.Event()

    def give(self, change: Change) -> None:
        if len(self.waiting) >= LONGEST_QUEUE:
            self.missed += 1
        else:
            self.waiting.append(change)
        self.woken.set()

    async def __anext__(self) -> Change:
        while not self.waiting:
            self.woken.clear()
            await self.woken.wait()
        if len(self.waiting) == 1 and self.missed:
            missed, self.missed = self.missed, 0
            self.waiting.append(Change("missed", "", {"count": missed}))
        return self.waiting.popleft()

    async def aclose(self) -> None:
        self._end(self)


class Hub:
    """Changes go to every subscriber's bounded queue."""

    def __init__(self) -> None:
        self._readers: set[Subscription] = set()

    @property
    def watched(self) -> bool:
        """Whether anybody looks; spares making changes nobody sees."""
        return bool(self._readers)

    def publish(self, change: Change) -> None:
        for reader in self._readers:
            reader.give(change)

    def subscribe(self) -> Subscription:
        """Changes from now on: it stands when this returns. The caller closes it."""
        reader = Subscription(self._readers.discard)
        self._readers.add(reader)
        return reader
