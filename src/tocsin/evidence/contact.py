"""Telling the registry something while a lock is held: again and again until it is told or the fence is reached."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tocsin.engine.contracts import Randomness
from tocsin.evidence.locking import JobLock
from tocsin.evidence.registry.faults import Misconfigured, TryAgain

T = TypeVar("T")
FIRST_S = 0.5
LONGEST_S = 30.0


class Contact:
    """Calls under a lock. `doubt` after a call: an earlier try of it may have been carried out."""

    def __init__(self, lock: JobLock, randomness: Randomness) -> None:
        self._lock = lock
        self._randomness = randomness
        self.doubt = False

    async def insist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Raises Fenced, Withdrawn, Superseded, NotMine, NotUnderstood."""
        self.doubt = False
        failures = 0
        while True:
            self._lock.fence()
            try:
                return await call()
            except (TryAgain, Misconfigured):  # a login that is refused now may be mended within the lock's life
                self.doubt = True
            failures += 1
            await asyncio.sleep(self._randomness.random() * min(FIRST_S * 2 ** min(failures, 10), LONGEST_S))
