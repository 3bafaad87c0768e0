"""Reads from the store what does not fit into a pump's memory."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from tocsin.engine.window import PER_QUEUE, LaneWindow
from tocsin.model.kinds import Lane
from tocsin.store.contract import Store, StoreUnavailable

LOAD = 500
AGAIN_S = 1.0

Windows = Mapping[Lane, LaneWindow]


class Reading:
    """Fills the windows of one destination whenever `want` was called. `heads` hears of queues with a new head."""

    def __init__(
        self, store: Store, name: str, windows: Callable[[], Windows], heads: Callable[[Lane, Sequence[str]], None]
    ) -> None:
        self._store = store
        self._name = name
        self._windows = windows
        self._heads = heads
        self._wanted = asyncio.Event()

    def want(self) -> None:
        self._wanted.set()

    async def run(self) -> None:
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
        while window.wants_load():
            found = await self._store.due(self._name, lane, window.cursor, LOAD, without=window.left_out())
            if not self._current(lane, window):
                return
            self._heads(lane, window.load(found, LOAD))
        for queue, after, mark in window.wants_refill():
            found = await self._store.due(self._name, lane, after, PER_QUEUE, queue)
            if not self._current(lane, window):
                return
            if window.refill(queue, found, mark):
                self._heads(lane, [queue])
        if window.wants_refill():
            self.want()

    def _current(self, lane: Lane, window: LaneWindow) -> bool:
        """False when the pump began anew meanwhile; then what was read belongs to nobody."""
        return self._windows()[lane] is window
