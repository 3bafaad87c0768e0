"""No more than so many calls per second (clearance.md 9.1); renewals of locks come before everything that waits."""

import asyncio
import contextlib
import heapq
from itertools import count

from tocsin.engine.contracts import Clock

PER_SECOND = 5.0
BURST = 10


class Pace:
    """`turn` returns when a call may be made. `hold` makes everybody wait, because the registry asked for it."""

    def __init__(self, clock: Clock, per_second: float = PER_SECOND, burst: int = BURST) -> None:
        self._clock = clock
        self._interval_s = 1 / per_second
        self._burst_s = (burst - 1) / per_second
        self._due = clock.monotonic() - self._burst_s
        """When the next call would be made by a caller that never had a burst."""
        self._held_until = 0.0
        self._waiting: list[tuple[bool, int]] = []
        self._numbers = count()
        self._changed = asyncio.Event()

    def hold(self, seconds: float) -> None:
        """Retry-After always wins."""
        self._held_until = max(self._held_until, self._clock.monotonic() + seconds)

    async def turn(self, urgent: bool = False) -> None:
        """It may be cancelled at any wait, also twice: nobody waits for a turn that was given up."""
        ticket = (not urgent, next(self._numbers))
        heapq.heappush(self._waiting, ticket)
        try:
            while self._waiting[0] != ticket or self._wait_s() > 0:
                await self._wait(self._wait_s() if self._waiting[0] == ticket else None)
            self._due = max(self._due, self._clock.monotonic() - self._burst_s) + self._interval_s
        finally:
            self._waiting.remove(ticket)
            heapq.heapify(self._waiting)
            self._changed.set()
            self._changed = asyncio.Event()

    async def _wait(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _wait_s(self) -> float:
        now = self._clock.monotonic()
        return max(self._due - now, self._held_until - now)
