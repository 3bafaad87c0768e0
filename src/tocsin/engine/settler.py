"""Writes down what attempts changed, many at a time, and again until the store has taken it."""

import asyncio
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from tocsin.model.delivery import Outcome
from tocsin.store.contract import Lease, Store, StoreUnavailable

BATCH = 500
MOST_WAITING = 5000
LONGEST_PAUSE_S = 5.0

Settled = Callable[[Sequence[Outcome], Sequence[Outcome]], None]
"""All outcomes that are dealt with, and those among them that were written."""


class Settler:
    """A station's acknowledgement is written shortly after it came; a crash between the two repeats the delivery.

    `lease` is the newest this node had, even if it has run out: the store knows whether somebody else has it now.
    """

    def __init__(self, store: Store, lease: Callable[[], Lease | None], settled: Settled) -> None:
        self._store = store
        self._lease = lease
        self._settled = settled
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

    def has_room(self) -> bool:
        return self._room.is_set()

    async def drained(self) -> None:
        """Waits until everything is written."""
        await self._idle.wait()

    async def run(self) -> None:
        while True:
            await self._woken.wait()
            batch = self._waiting[:BATCH]
            self._settled(batch, await self._write(batch))
            del self._waiting[: len(batch)]
            if len(self._waiting) < MOST_WAITING:
                self._room.set()
            if not self._waiting:
                self._woken.clear()
                self._idle.set()

    async def _write(self, batch: Sequence[Outcome]) -> list[Outcome]:
        """What was written of it. Left out is what was closed meanwhile or belongs to another node now."""
        pause_s = 0.1
        written: list[Outcome] = []
        while batch:
            lease = self._lease()
            try:
                keys = frozenset(await self._settle(batch, lease))
            except StoreUnavailable:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
                continue
            written += [outcome for outcome in batch if outcome.key in keys]
            if _epoch(lease) == _epoch(self._lease()):
                break
            # This node took the lease anew while it wrote: what was left out was fenced by itself.
            batch = [outcome for outcome in batch if outcome.key not in keys]
        return written

    async def _settle(self, batch: Sequence[Outcome], lease: Lease | None) -> list[object]:
        """Exchanges the store cannot keep cost the exchanges, not the destination."""
        try:
            return list(await self._store.settle(batch, lease))
        except (ValueError, TypeError):
            if len(batch) == 1:
                bare = replace(batch[0], host="", receipt="", reason="what was exchanged cannot be kept", exchanges=())
                return list(await self._store.settle([bare], lease))
        return [key for one in batch for key in await self._settle([one], lease)]


def _epoch(lease: Lease | None) -> int:
    return 0 if lease is None else lease.epoch
