"""Who may read now: all systems at once would hold all their devices at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Turns:
    """So many at a time. One that takes longer than `patience_s` goes on, but counts no more: a system that hangs holds
    up nobody.
    """

    def __init__(self, at_once: int, patience_s: float) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._patience_s = patience_s

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        await self._free.acquire()
        counts = True

        def give_back() -> None:
            nonlocal counts
            if counts:
                counts = False
                self._free.release()

        impatient = asyncio.get_running_loop().call_later(self._patience_s, give_back)
        try:
            yield
        finally:
            impatient.cancel()
            give_back()
