"""What customers have, as of now: from the store, with what the watches know of health. What clouds and people ask."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec.structs import replace

from tocsin.engine.apart import Apart, at_once
from tocsin.engine.contracts import Clock
from tocsin.engine.inventory.rules import SystemRules
from tocsin.engine.inventory.telling import Inventory, aged, aged_health, inventory_of
from tocsin.model.canonical import Health, KeptDevice
from tocsin.store.contract import Store


class Healths(Protocol):
    """A watch, as far as the book asks it."""

    def health(self, device_id: str) -> Health | None: ...

    def healths(self) -> Mapping[str, Health]: ...

    def confirmed_at(self) -> datetime | None: ...

    def owned(self) -> bool: ...


NOTHING: Mapping[str, Health] = {}


class InventoryBook:
    """Everything asked of it raises StoreError when the store cannot be read."""

    def __init__(self, store: Store, clock: Clock, apart: Apart = at_once) -> None:
        self._store = store
        self._clock = clock
        self.apart = apart
        self._watched: dict[str, tuple[SystemRules, Healths]] = {}

    def watch(self, rules: SystemRules, healths: Healths) -> None:
        """From now on this system's states are asked of its watch."""
        self._watched[rules.name] = (rules, healths)

    async def of_system(self, system: str) -> list[KeptDevice]:
        """All that is kept, tombstones too, by id."""
        kept = await self._store.inventory(system)
        now, stale_s, known, confirmed = self._clock.now(), 0.0, NOTHING, None
        if system in self._watched:
            rules, healths = self._watched[system]
            stale_s = rules.health.stale_s
            if healths.owned():
                known, confirmed = healths.healths(), healths.confirmed_at()
        return await self.apart(lambda: [_newest(one, known, now, stale_s, confirmed) for one in kept])

    def health(self, device_id: str) -> Health | None:
        """How a device that is watched is now, from memory. An id begins with its system's name (connectors.md 1.4)."""
        watched = self._watched.get(device_id.partition(":")[0])
        known = watched[1].health(device_id) if watched else None
        if watched is None or known is None:
            return None
        return aged_health(known, self._clock.now(), watched[0].health.stale_s, watched[1].confirmed_at())

    async def of_customer(self, customer_id: str = "") -> list[KeptDevice]:
        """What is there and somebody's, of all systems, by id; of one customer if given."""
        kept = [one for system in await self._store.inventory_systems() for one in await self.of_system(system)]
        return await self.apart(lambda: _owned(kept, customer_id))

    async def inventory(self, system: str, customer_id: str) -> Inventory:
        """What a cloud is told of one system and customer: whole, and as of now."""
        standing = await self._store.standing(system)
        run = await self._store.run(standing.last_run) if standing and standing.last_run else None
        type_ = self._watched[system][0].type if system in self._watched else ""
        kept = await self.of_system(system)
        return await self.apart(lambda: inventory_of(system, type_, customer_id, kept, run))

    async def customers(self) -> Sequence[str]:
        return sorted({one.record.customer_id for one in await self.of_customer()})


def _newest(
    one: KeptDevice, known: Mapping[str, Health], now: datetime, stale_s: float, confirmed: datetime | None
) -> KeptDevice:
    health = known.get(one.record.id)
    return aged(replace(one, health=health) if health else one, now, stale_s, confirmed)


def _owned(kept: Sequence[KeptDevice], customer_id: str) -> list[KeptDevice]:
    owned = [one for one in kept if one.removal is None and one.record.customer_id]
    wanted = [one for one in owned if not customer_id or one.record.customer_id == customer_id]
    return sorted(wanted, key=lambda one: one.record.id)
