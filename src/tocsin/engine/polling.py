"""Supervision of a destination: keeps the link proved in quiet times, and on a dead link it is the probe (dc09.md
13.2).
"""

import asyncio
from collections.abc import Callable

from tocsin.engine.contracts import Attempt, Destination, LinkDown, Rejected, TryLater
from tocsin.engine.news import LinkNews
from tocsin.engine.surroundings import PumpParts
from tocsin.telemetry.occurrences import AttemptMade

LONGEST_SPREAD_S = 5.0
AGAIN_S = 1.0
EXCHANGE_LIMIT_S = 300.0
"""A destination has its own deadlines; this one only ends a destination that forgot one."""


class Polling:
    """Supervises after `interval_s` of silence, or when a blocked link's next probe is due, if `may` allows it. `done`
    is called after each exchange.
    """

    def __init__(
        self,
        destination: Destination,
        news: LinkNews,
        parts: PumpParts,
        may: Callable[[], bool],
        done: Callable[[], None],
    ) -> None:
        self._destination = destination
        self._interval_s = destination.supervision_s or 0.0
        self._news = news
        self._link = news.link
        self._parts = parts
        self._clock = parts.clock
        self._may = may
        self._done = done
        self._changed = asyncio.Event()

    def link_changed(self) -> None:
        """Look again when the next exchange is due."""
        self._changed.set()

    async def run(self) -> None:
        await asyncio.sleep(self._parts.randomness.random() * min(self._interval_s, LONGEST_SPREAD_S))
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

    async def _exchange(self) -> None:
        attempt = Attempt(self._clock, self._parts.store.photos, 0)
        name = self._destination.name
        try:
            async with asyncio.timeout(EXCHANGE_LIMIT_S):
                await self._destination.supervise(attempt)
        except (LinkDown, TryLater, Rejected, TimeoutError) as error:
            self._parts.record(AttemptMade(name, "unreachable"))
            self._news.unreachable(str(error) or "no answer to supervision")
        except Exception as error:  # noqa: BLE001 - a defect in supervision must not stop deliveries
            self._news.defect(error)
            self._news.unreachable("internal error")
        else:
            self._parts.record(AttemptMade(name, "supervised"))
            self._news.worked()
        self._done()
