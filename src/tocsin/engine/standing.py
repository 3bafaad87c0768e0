"""What outlives a reload and a restart: what a person paused, and what stations were told and must hear the end of."""

import asyncio
import contextlib
from collections.abc import Callable

import msgspec
from msgspec import Struct

from tocsin.store.contract import Store, StoreUnavailable

WRITE_EVERY_S = 1.0
CLOSE_LIMIT_S = 1.0


class Standing(Struct, frozen=True):
    """Destinations paused by hand, destinations announced as down, supervised subjects of sources and paths of
    destinations announced as lost, evidence agents paused by hand.
    """

    paused: frozenset[str] = frozenset()
    down: frozenset[str] = frozenset()
    lost: frozenset[tuple[str, str]] = frozenset()
    paths: frozenset[tuple[str, str]] = frozenset()
    agents: frozenset[str] = frozenset()


class StandingNote:
    """Keeps it in the store. `now` says how it is at the moment; a kill forgets at most the last second."""

    def __init__(self, store: Store, gateway: str, now: Callable[[], Standing]) -> None:
        self._store = store
        self._name = f"standing of {gateway}"
        self._now = now
        self._written = Standing()

    async def read(self) -> Standing:
        """As it was last. Raises StoreUnavailable."""
        text = await self._store.recall(self._name)
        if text:
            with contextlib.suppress(msgspec.DecodeError):  # another version's: stations are told anew
                self._written = msgspec.json.decode(text, type=Standing)
        return self._written

    async def write(self) -> None:
        """If it changed. Raises StoreUnavailable."""
        now = self._now()
        if now != self._written:
            await self._store.remember(self._name, msgspec.json.encode(now, order="deterministic").decode())
            self._written = now

    async def aclose(self) -> None:
        """Write what is left."""
        with contextlib.suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self.write()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            with contextlib.suppress(StoreUnavailable):
                await self.write()
