"""Keeps the outbox of a service cloud bounded while nobody takes anything (connectors.md 2.7).

Of a cloud's backlog only the end counts: the newest inventory, and how each device is now. When more waits than may,
inventories that newer ones have superseded go first, then of each device all but its newest states.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from tocsin.engine.members import Member
from tocsin.engine.pump import Pump
from tocsin.engine.surroundings import PumpParts
from tocsin.model.delivery import DeliveryKey, Due, Outcome
from tocsin.model.event import HealthNotice, InventoryNotice
from tocsin.model.kinds import Lane
from tocsin.store.contract import StoreUnavailable
from tocsin.telemetry.occurrences import OutboxCompacted

LOOK_EVERY_S = 10.0
PAGE = 500
GROWTH = 1.25
"""What cannot be made less is looked at again when a quarter has come to it."""
WHY = "too much waits: only the newest is kept"


class Surplus:
    """Told of open deliveries in their order; `inventories` and `states` are what newer ones make needless.

    Of a device the newest state stays, and the newest that turned it online or offline, which is all that the profile
    `brief` tells.
    """

    def __init__(self) -> None:
        self.inventories: list[DeliveryKey] = []
        self.states: list[DeliveryKey] = []
        self._kept: dict[str, list[DeliveryKey]] = {}
        """By queue: the newest that turned, if any, then the newest after it, if any."""
        self._turned: set[DeliveryKey] = set()

    def came(self, due: Due) -> None:
        notice = due.event.notice
        before = self._kept.get(due.queue, [])
        turns = not isinstance(notice, HealthNotice) or notice.turned
        stays = [key for key in before if not turns and key in self._turned]
        needless = self.inventories if isinstance(notice, InventoryNotice) else self.states
        needless += [key for key in before if key not in stays]
        self._kept[due.queue] = [*stays, due.key]
        if turns:
            self._turned.add(due.key)


class Compaction:
    """One cloud's. `run` until cancelled. `most`: how many deliveries may wait."""

    def __init__(self, pump: Pump, most: int, parts: PumpParts) -> None:
        self._pump = pump
        self._most = most
        self._parts = parts
        self._look_above = most

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            with contextlib.suppress(StoreUnavailable):
                await self.look()

    async def look(self) -> None:
        """Compact if more waits than may. Raises StoreUnavailable."""
        waiting = await self._waiting()
        if waiting <= self._most:
            self._look_above = self._most
        elif waiting > self._look_above and self._pump.lease is not None:
            surplus = await self._surplus()
            lost = await self._drop(surplus.inventories)
            if waiting - lost > self._most:
                lost += await self._drop(surplus.states)
            self._look_above = max(self._most, int((waiting - lost) * GROWTH))
            self._parts.record(OutboxCompacted(self._pump.name, lost, waiting - lost))

    async def _waiting(self) -> int:
        backlog = await self._parts.store.backlog(self._pump.name)
        return sum(lane.pending for lane in backlog.values())

    async def _surplus(self) -> Surplus:
        surplus = Surplus()
        for lane in Lane:
            after, found = 0, await self._page(lane, 0)
            while found:
                for due in found:
                    surplus.came(due)
                after = found[-1].key.event_seq
                found = await self._page(lane, after)
        return surplus

    async def _page(self, lane: Lane, after: int) -> Sequence[Due]:
        return await self._parts.store.due(self._pump.name, lane, after, PAGE)

    async def _drop(self, needless: Sequence[DeliveryKey]) -> int:
        """How many were still open and idle."""
        dropped = 0
        for place in range(0, len(needless), PAGE):
            dropped += await self._drop_some(needless[place : place + PAGE], self._parts.clock.now())
        return dropped

    async def _drop_some(self, needless: Iterable[DeliveryKey], now: datetime) -> int:
        idle = [key for key in needless if not self._pump.is_under_way(key)]
        outcomes = [Outcome(key, "superseded", 0, now, reason=WHY) for key in idle]
        closed = await self._parts.store.supersede(outcomes, self._pump.lease)
        for key in closed:
            self._pump.forget(key)
        return len(closed)


Work = tuple[str, str, Callable[[], object]]


def compactions(members: Iterable[Member], pumps: Mapping[str, Pump], parts: PumpParts) -> list[Work]:
    """Name, kind and task of each cloud's, for supervision."""
    return [
        (f"outbox of {one.destination.name}", "task", Compaction(pumps[one.destination.name], one.most, parts).run)
        for one in members
        if one.cloud and one.most
    ]
