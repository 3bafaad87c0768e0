"""What may be asked of the store about devices of on-prem systems, their health, and the runs that read them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from tocsin.model.canonical import DeviceRecord, Health, KeptDevice, Run, SystemStanding


class InventoryChange(Struct, frozen=True):
    """What one run leaves behind. `issued`: ids given for the first time, by kind and native key."""

    system: str
    standing: SystemStanding
    run: Run
    devices: Sequence[KeptDevice] = ()
    forgotten: Sequence[str] = ()
    issued: Mapping[tuple[str, str], str] = {}


class InventoryStore(Protocol):
    """Written durably like everything else (store/contract.py). Health is kept apart, so that nobody overwrites it."""

    async def inventory(self, system: str) -> Sequence[KeptDevice]:
        """Every device of a system, tombstones too, by id."""

    async def records(self, ids: Sequence[str]) -> Mapping[str, DeviceRecord]:
        """The facts of these devices, by id; those that are not kept are left out."""

    async def inventory_systems(self) -> Sequence[str]:
        """The systems that were ever read, also those no longer configured."""

    async def identities(self, system: str) -> Mapping[tuple[str, str], str]:
        """The ids that were given, by kind and native key."""

    async def standing(self, system: str) -> SystemStanding | None: ...

    async def keep_inventory(self, change: InventoryChange) -> None:
        """All of it in one transaction. A tombstone loses its health; else `KeptDevice.health` is not written."""

    async def put_healths(self, healths: Mapping[str, Health]) -> None:
        """What is now known of these devices; ids that are not kept are left out."""

    async def put_run(self, run: Run) -> None: ...

    async def run(self, run_id: str) -> Run | None: ...

    async def runs(self, system: str, limit: int) -> Sequence[Run]:
        """The last ones, newest first."""
