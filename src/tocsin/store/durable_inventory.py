"""The inventory's part of the store, on any engine."""

from collections.abc import Mapping, Sequence

from tocsin.model.canonical import DeviceRecord, Health, KeptDevice, Run, SystemStanding
from tocsin.store.engines import Engine
from tocsin.store.inventory import InventoryChange
from tocsin.store.plans import inventorying
from tocsin.store.steps import Operation


class DurableInventory:
    """Keeps inventory.InventoryStore."""

    _engine: Engine

    async def inventory(self, system: str) -> Sequence[KeptDevice]:
        return await self._engine.read(inventorying.devices(system))

    async def records(self, ids: Sequence[str]) -> Mapping[str, DeviceRecord]:
        return await self._engine.read(inventorying.records(ids))

    async def inventory_systems(self) -> Sequence[str]:
        return await self._engine.read(inventorying.systems())

    async def identities(self, system: str) -> Mapping[tuple[str, str], str]:
        return await self._engine.read(inventorying.identities(system))

    async def standing(self, system: str) -> SystemStanding | None:
        return await self._engine.read(inventorying.standing(system))

    async def keep_inventory(self, change: InventoryChange) -> None:
        weight = 2 + len(change.devices) + len(change.issued) + len(change.forgotten)
        await self._engine.write(Operation(inventorying.keep, change, weight))

    async def put_healths(self, healths: Mapping[str, Health]) -> None:
        if healths:
            await self._engine.write(Operation(inventorying.put_healths, healths, len(healths)))

    async def put_run(self, run: Run) -> None:
        await self._engine.write(Operation(inventorying.put_run, run))

    async def run(self, run_id: str) -> Run | None:
        return await self._engine.read(inventorying.run(run_id))

    async def runs(self, system: str, limit: int) -> Sequence[Run]:
        return await self._engine.read(inventorying.runs(system, limit))
