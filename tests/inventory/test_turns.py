"""Many systems take turns at being read; one that hangs takes nobody's."""

import asyncio

import pytest
from tests.engine.virtual_house import SetClock, on_virtual_time
from tests.inventory.conftest import ScriptedSystem, camera, opened
from tests.inventory.conftest import site as one_site

from tocsin.engine.inventory.systems import PATIENCE_S, READ_AT_ONCE
from tocsin.engine.inventory.turns import Turns


@on_virtual_time
async def test_so_many_at_once_and_the_next_when_one_is_done(clock: SetClock) -> None:
    turns, inside, most = Turns(2, 1000.0), 0, 0

    async def one() -> None:
        nonlocal inside, most
        async with turns.turn():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(1.0)
            inside -= 1

    await asyncio.gather(*(one() for _ in range(9)))
    assert most == 2


@on_virtual_time
async def test_who_takes_long_counts_no_more_and_gives_nothing_back_twice(clock: SetClock) -> None:
    turns, order = Turns(1, 10.0), []

    async def one(name: str, takes_s: float) -> None:
        async with turns.turn():
            order.append(f"{name} in")
            await asyncio.sleep(takes_s)
            order.append(f"{name} out")

    await asyncio.gather(one("hung", 15.0), one("b", 9.0), one("c", 1.0), one("d", 1.0))
    assert order == ["hung in", "b in", "hung out", "b out", "c in", "c out", "d in", "d out"]


@pytest.mark.parametrize("how", ["cancelled", "failed"])
@on_virtual_time
async def test_a_turn_ends_however_it_ends(clock: SetClock, how: str) -> None:
    turns = Turns(1, 1000.0)

    async def one() -> None:
        async with turns.turn():
            if how == "failed":
                raise ValueError
            await asyncio.sleep(999)

    task = asyncio.create_task(one())
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    async with asyncio.timeout(1), turns.turn():
        pass


@on_virtual_time
async def test_systems_that_hang_hold_up_no_other(clock: SetClock) -> None:
    hung = []
    store = await opened()
    async with one_site(clock, ScriptedSystem(camera(1)), store=store) as s:
        await s.first_run()
        for n in range(READ_AT_ONCE):
            system = ScriptedSystem(camera(1))
            system.name, system.reading_takes_s = f"hung{n}", 1e6
            hung.append(system)
        await _reads_beside(s, hung)
    await store.aclose()


async def _reads_beside(s, hung) -> None:
    turns = s.gateway.systems._turns
    tasks = [asyncio.create_task(_read(turns, one)) for one in hung]
    await s.until(lambda: all(one.readings for one in hung))
    asked_at = asyncio.get_running_loop().time()
    assert (await s.run()).state == "succeeded"
    assert asyncio.get_running_loop().time() - asked_at <= PATIENCE_S + 1
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _read(turns: Turns, system: ScriptedSystem) -> None:
    async with turns.turn():
        async for _ in system.devices():
            pass
