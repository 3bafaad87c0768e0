"""Without the Events and State service: stored events, asked for regularly (connectors.md 4.7)."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from urllib.parse import quote

from tocsin.engine.contracts import Clock
from tocsin.engine.systems import LoginRefused, SystemFault
from tocsin.model.inventory import FoundState, Marker
from tocsin.systems.milestone.joining import Topology
from tocsin.systems.milestone.moments import instant, written
from tocsin.systems.milestone.rest import Rest
from tocsin.systems.milestone.states import MEANINGS, Occurred, read_occurred, states_of

TRY_AGAIN_S = 3600.0


class StoredEvents:
    """Gives transitions only, of the events that XProtect stores; no states of devices that do not change."""

    def __init__(self, rest: Rest, clock: Clock, zone: str, every_s: float, kinds: Collection[str]) -> None:
        self._rest = rest
        self._clock = clock
        self._zone = zone
        self._every_s = every_s
        self._kinds = kinds
        self._since: datetime | None = None

    async def states(self, topology: Topology) -> AsyncIterator[FoundState | Marker]:
        """For an hour; then the caller looks whether there is an Events and State service now. Raises LoginRefused."""
        since = self._since or self._clock.now()
        ends_at = self._clock.monotonic() + TRY_AGAIN_S
        seeing: bool | None = None
        while self._clock.monotonic() < ends_at:
            try:
                events = await self.after(since)
            except LoginRefused:
                raise
            except SystemFault:
                if seeing is not False:
                    seeing = False
                    yield "blind"
                await asyncio.sleep(self._every_s)
                continue
            if not seeing:
                seeing = True
                yield "live"
            for one in events:
                for state in states_of(one, MEANINGS, topology, self._zone, "poll"):
                    if state.kind in self._kinds:
                        yield state
                since = max(since, instant(one.time, self._zone) or since)
            self._since = since
            await asyncio.sleep(self._every_s)

    async def after(self, since: datetime) -> Sequence[Occurred]:
        """In the order they happened. Raises SystemFault."""
        query = f"time=gt:{quote(repr(written(since)), safe=':')}&orderBy=desc:{quote(repr('time'))}"
        listing = await self._rest.listing("events", query)
        if listing.fault is not None:
            raise listing.fault
        found = [read for item in listing.items if (read := read_occurred(item)) is not None]
        return sorted(found, key=lambda one: one.time)
