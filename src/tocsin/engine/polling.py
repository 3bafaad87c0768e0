"""Supervision of a destination: keeps the link proved in quiet times, and on a dead link it is the probe (dc09.md
13.2).
"""

import asyncio
from collections.abc import Awaitable, Callable

from tocsin.engine.contracts import Clock, Randomness
from tocsin.engine.link import Link

LONGEST_SPREAD_S = 5.0
AGAIN_S = 1.0


class Polling:
    """Calls `exchange` after `interval_s` of silence, or when a blocked link's next probe is due and `may` allows
    it.
    """

    def __init__(
        self,
        interval_s: float,
        link: Link,
        clock: Clock,
        randomness: Randomness,
        may: Callable[[], bool],
        exchange: Callable[[], Awaitable[None]],
    ) -> None:
        self._interval_s = interval_s
        self._link = link
        self._clock = clock
        self._randomness = randomness
        self._may = may
        self._exchange = exchange
        self._changed = asyncio.Event()

    def link_changed(self) -> None:
        """Look again when the next exchange is due."""
        self._changed.set()

    async def run(self) -> None:
        await asyncio.sleep(self._randomness.random() * min(self._interval_s, LONGEST_SPREAD_S))
        while True:
            now = self._clock.monotonic()
            wait_s = self._wait_s(now)
            if wait_s > 0:
                await self._pause(wait_s)
            elif self._may() and self._link.may_try(now):
                await self._exchange()
            else:
                await self._pause(AGAIN_S)

    def _wait_s(self, now: float) -> float:
        if self._link.blocked:
            next_try = self._link.next_try()
            return AGAIN_S if next_try is None else next_try - now
        return self._link.last_contact + self._interval_s - now if self._link.contacted else 0.0

    async def _pause(self, seconds: float) -> None:
        self._changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
