"""Long pure work is done apart, and alarms go their way meanwhile."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.engine.conftest import ScriptedStation
from tests.engine.virtual_house import SetClock, on_virtual_time
from tests.inventory.conftest import CUSTOMER, ScriptedSystem, camera, site

from tocsin.engine.contracts import Submission
from tocsin.model.event import Event


class Slow:
    """engine.apart.Apart: each piece of work takes half a minute, and somebody looks what it was."""

    def __init__(self) -> None:
        self.under_way = 0
        self.works = 0

    async def __call__(self, work: Callable[[], Any], /) -> Any:
        self.works += 1
        self.under_way += 1
        await asyncio.sleep(30)
        self.under_way -= 1
        return work()


@on_virtual_time
async def test_alarms_are_taken_while_a_run_compares_and_tells(clock: SetClock) -> None:
    slow, station = Slow(), ScriptedStation("station")
    async with site(clock, ScriptedSystem(camera(1)), stations=[station], apart=slow) as s:
        await s.until(lambda: s.system.readings > 0 and slow.under_way > 0, 300)
        (run,) = await s.store.runs("xp", 1)
        assert (s.system.readings, run.state) == (1, "running")
        alarm = Event("", "panic", clock.now(), clock.now(), "button")
        await s.gateway.intake.accept(Submission(alarm))
        await s.until(lambda: station.seen != [], 5)
        assert slow.under_way == 1, "the run is still at it"
        assert (await s.ended(run.id)).state == "succeeded"
        await s.until(lambda: s.inventories() != [], 300)


@on_virtual_time
async def test_an_inventory_is_put_together_apart(clock: SetClock) -> None:
    async with site(clock, ScriptedSystem(camera(1)), apart=(slow := Slow())) as s:
        await s.until(lambda: s.inventories() != [], 300)
        before = slow.works
        assert len((await s.gateway.systems.book.inventory("xp", CUSTOMER)).devices) == 1
        assert slow.works > before


@on_virtual_time
async def test_devices_nobody_expects_to_hear_from_cost_nothing_until_they_are_heard(clock: SetClock) -> None:
    async with site(clock, ScriptedSystem(*[camera(n) for n in range(3)])) as s:
        await s.first_run()
        await s.passes(60)
        assert list((await s.store.contact_record()).contacts) == []
        motion = Event("", "motion", clock.now(), clock.now(), "xp", device_id="xp:camera:1")
        await s.gateway.intake.accept(Submission(motion))
        await s.passes(60)
        assert [one.device_id for one in (await s.store.contact_record()).contacts] == ["xp:camera:1"]
