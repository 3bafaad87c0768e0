"""Writes down what attempts changed, many at a time, and again until the store has taken it."""

import asyncio
from collections.abc import Callable, Sequence

from tocsin.model.delivery import Outcome
from tocsin.store.contract import Lease, Store, StoreUnavailable

BATCH = 500
MOST_WAITING = 5000
LONGEST_PAUSE_S = 5.0


class Settler:
    """A station's acknowledgement is written shortly after it came; a crash between the two repeats the delivery."""

    def __init__(
        self, store: Store, lease: Callable[[], Lease | None], written: Callable[[Sequence[Outcome]], None]
    ) -> None:
        self._store = store
        self._lease = lease
        self._written = written
        self._waiting: list[Outcome] = []
        self._woken = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._idle = asyncio.Event()
        self._idle.set()

    def add(self, outcome: Outcome) -> None:
        self._waiting.append(outcome)
        self._woken.set()
        self._idle.clear()
        if len(self._waiting) >= MOST_WAITING:
            self._room.clear()

    async def room(self) -> None:
        """Waits while too much is unwritten, so that memory stays bounded when the disk is slow or gone."""
        await self._room.wait()

    async def drained(self) -> None:
        """Waits until everything is written."""
        await self._idle.wait()

    async def run(self) -> None:
        while True:
            await self._woken.wait()
            batch = self._waiting[:BATCH]
            await self._write(batch)
            del self._waiting[: len(batch)]
            self._room.set()
            if not self._waiting:
                self._woken.clear()
                self._idle.set()

    async def _write(self, batch: Sequence[Outcome]) -> None:
        pause_s = 0.1
        while True:
            try:
                await self._store.settle(batch, self._lease())
            except StoreUnavailable:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            else:
                self._written(batch)
                return
