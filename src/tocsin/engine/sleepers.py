"""Workers with nothing to do, and the one timer that wakes one of them."""

import asyncio
from collections.abc import Callable


class Sleepers:
    """`next_look` says at which monotonic time somebody must look again by himself; None: only when woken."""

    def __init__(self, next_look: Callable[[], float | None]) -> None:
        self._next_look = next_look
        self._sleeping: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def sleep(self) -> None:
        """Until something may be ready."""
        sleeper = asyncio.get_running_loop().create_future()
        self._sleeping.append(sleeper)
        self.set_timer()
        try:
            await sleeper
        finally:
            if sleeper in self._sleeping:
                self._sleeping.remove(sleeper)

    def wake(self, everybody: bool = False) -> None:
        while self._sleeping:
            sleeper = self._sleeping.pop()
            if not sleeper.done():
                sleeper.set_result(None)
                if not everybody:
                    return

    def set_timer(self) -> None:
        """Whoever goes off to work leaves the timer to those who sleep on."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        at = self._next_look() if self._sleeping else None
        if at is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(at, loop.time()), self.wake)
