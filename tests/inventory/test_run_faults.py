"""Runs while the store hesitates or fails, and what a run must not do."""

import asyncio
from typing import Any

from tests.engine.virtual_house import SetClock, on_virtual_time
from tests.inventory.conftest import ScriptedSystem, camera, opened, site

from tocsin.engine.inventory.systems import Wish
from tocsin.store.contract import StoreUnavailable


class Hesitant:
    """A store that takes its time to write, and fails while `down`."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.takes_s = 0.1
        self.down = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def put_run(self, run: Any) -> None:
        await self._write()
        await self._store.put_run(run)

    async def keep_inventory(self, change: Any) -> None:
        await self._write()
        await self._store.keep_inventory(change)

    async def _write(self) -> None:
        await asyncio.sleep(self.takes_s)
        if self.down:
            raise StoreUnavailable("disk full")


@on_virtual_time
async def test_two_who_ask_in_the_same_moment_get_one_run(clock: SetClock) -> None:
    store = Hesitant(await opened())
    async with site(clock, ScriptedSystem(camera(1)), store=store) as s:
        await s.first_run()
        sync = s.gateway.systems.sync
        (one, _), (other, joined) = await asyncio.gather(sync("xp", Wish()), sync("xp", Wish("rpc")))
        assert (one.id, joined) == (other.id, True)
        await s.ended(one.id)
        assert s.system.readings == 2
    await store.aclose()


@on_virtual_time
async def test_a_run_whose_end_could_not_be_written_has_ended_once_the_store_writes_again(clock: SetClock) -> None:
    store = Hesitant(await opened())
    system = ScriptedSystem(camera(1))
    async with site(clock, system, store=store) as s:
        await s.first_run()
        system.reading_takes_s = 10.0
        asked, _ = await s.gateway.systems.sync("xp", Wish())
        await s.until(lambda: system.readings == 2)
        store.down = True
        await s.passes(30)
        assert (await store.run(asked.id)).state == "running"
        store.down = False
        await s.passes(10)
        ended = await store.run(asked.id)
        assert (ended.state, ended.error, system.readings) == ("failed", "disk full", 2)
    await store.aclose()


@on_virtual_time
async def test_a_dry_run_does_not_put_off_the_schedule(clock: SetClock) -> None:
    system = ScriptedSystem(camera(1))
    async with site(clock, system) as s:
        await s.first_run()
        for _ in range(14):
            await s.passes(1800)
            await s.run(dry_run=True)
        assert [run.trigger for run in await s.store.runs("xp", 20) if not run.dry_run] == ["schedule"] * 2
