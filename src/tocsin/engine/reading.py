"""Reads from the store what does not fit into a pump's memory."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from tocsin.engine.window import PER_QUEUE, LaneWindow
from tocsin.model.delivery import DeliveryKey, Due
from tocsin.model.event import Event
from tocsin.model.kinds import Lane
from tocsin.store.contract import Store, StoreUnavailable

LOAD = 500
AGAIN_S = 1.0

Windows = Mapping[Lane, LaneWindow]


class Reading:
    """Fills the windows of one destination whenever `want` was called. `heads` hears of queues with a new head, `idle`
    says whether nothing of a lane may be tried now.

    A reading may find what has changed meanwhile: deliveries that have `ended` but are not `written` yet are passed
    over, events `amended` while a reading was under way go out as amended.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        windows: Callable[[], Windows],
        heads: Callable[[Lane, Sequence[str]], None],
        idle: Callable[[Lane], bool],
    ) -> None:
        self._store = store
        self._name = name
        self._windows = windows
        self._heads = heads
        self._idle = idle
        self._wanted = asyncio.Event()
        self._under_way = False
        self._ended: set[DeliveryKey] = set()
        self._written: set[DeliveryKey] = set()
        self._amended: dict[int, Event] = {}

    def want(self) -> None:
        self._wanted.set()

    def ended(self, key: DeliveryKey) -> None:
        self._ended.add(key)

    def written(self, keys: Iterable[DeliveryKey]) -> None:
        """These may be forgotten as soon as no reading begun before is under way."""
        if self._under_way:
            self._written.update(keys)
        else:
            self._ended.difference_update(keys)

    def opened(self, key: DeliveryKey) -> None:
        """It is owed again."""
        self._ended.discard(key)
        self._written.discard(key)

    def amended(self, event_seq: int, event: Event) -> None:
        if self._under_way:
            self._amended[event_seq] = event

    async def run(self) -> None:
        self.want()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                for lane in Lane:
                    await self._lane(lane, self._windows()[lane])
            except StoreUnavailable:
                await asyncio.sleep(AGAIN_S)
                self.want()

    async def _lane(self, lane: Lane, window: LaneWindow) -> None:
        while window.wants_load(self._idle(lane)):
            found = await self._due(lane, window.cursor, LOAD, without=window.left_out())
            if not self._current(lane, window):
                return
            self._heads(lane, window.load(found, LOAD, self._ended))
            self._read()
        for queue, after, mark in window.wants_refill():
            found = await self._due(lane, after, PER_QUEUE, queue)
            if not self._current(lane, window):
                return
            if window.refill(queue, found, mark, self._ended):
                self._heads(lane, [queue])
            self._read()
        if window.wants_refill():
            self.want()

    async def _due(
        self, lane: Lane, after: int, limit: int, queue: str | None = None, without: Sequence[str] = ()
    ) -> list[Due]:
        self._under_way = True
        try:
            found = await self._store.due(self._name, lane, after, limit, queue, without)
        finally:
            self._under_way = False
        amended, self._amended = self._amended, {}
        return [replace(due, event=amended.get(due.key.event_seq, due.event)) if amended else due for due in found]

    def _read(self) -> None:
        """What the reading found has been compared with what ended during it."""
        self._ended -= self._written
        self._written.clear()

    def _current(self, lane: Lane, window: LaneWindow) -> bool:
        """False when the pump began anew meanwhile; then what was read belongs to nobody."""
        return self._windows()[lane] is window
