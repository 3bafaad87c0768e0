"""Faults in the middle of watching: nothing told is lost, nothing is asked for ever, and who is blind knows nothing."""

import asyncio
from itertools import pairwise
from typing import Any

from tests.engine.virtual_house import SetClock, on_virtual_time
from tests.inventory.conftest import ScriptedSystem, camera, health, opened, site, state
from tests.inventory.test_watching import watched

from tocsin.engine.systems import LoginRefused, Unreachable
from tocsin.model.inventory import FoundDevice
from tocsin.store.contract import StoreUnavailable


class FailingHealths:
    """A store that cannot write states as often as is said."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.failures = 0
        self.largest = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def put_healths(self, healths: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("disk full")
        self.largest = max(self.largest, len(healths))
        await self._store.put_healths(healths)


@on_virtual_time
async def test_a_baseline_that_failed_is_owed_even_if_the_session_is_resumed(clock: SetClock) -> None:
    async with watched(clock, camera(1)) as s:
        s.system.down = Unreachable("no answer to getState")
        s.system.stream.put_nowait("new_session")
        await s.until(lambda: s.system.baselines == 2)
        await s.passes(1)
        s.system.down, s.system.now = None, [state(1, "offline")]
        s.system.stream.put_nowait("resumed")
        await s.until(lambda: s.told() == [("1", "offline")])


@on_virtual_time
async def test_what_was_told_while_a_baseline_failed_is_not_lost(clock: SetClock) -> None:
    async with watched(clock, camera(1), camera(2)) as s:
        s.system.baseline_takes_s = 10.0
        before = clock.now()
        s.system.stream.put_nowait("new_session")
        await s.until(lambda: s.system.baselines == 2)
        await s.passes(1)
        s.system.stream.put_nowait(state(1, "offline", since=clock.now()))
        s.system.down = Unreachable("no answer to getState")
        await s.passes(15)
        s.system.down = None
        s.system.now = [state(n, "online", basis="state_snapshot", since=before) for n in (1, 2)]
        s.system.stream.put_nowait("resumed")
        await s.until(lambda: s.system.baselines == 3)
        await s.passes(15)
        assert s.told() == [("1", "offline")], "the baseline is older by the source's clock"


@on_virtual_time
async def test_a_defect_of_a_connector_makes_it_blind_too(clock: SetClock) -> None:
    async with watched(clock, camera(1)) as s:
        s.system.down = KeyError("a field that is not there")
        await s.passes(3600 + 1000)
        assert s.system.baselines > 1
        assert (await s.kept())["1"].health.state == "unknown"


@on_virtual_time
async def test_first_states_that_come_one_by_one_are_told_with_the_inventory_once_a_minute(clock: SetClock) -> None:
    system = ScriptedSystem(*[camera(n) for n in range(5)])
    async with site(clock, system) as s:
        await s.first_run()
        system.stream.put_nowait("new_session")
        await s.passes(5)
        assert len(s.inventories()) == 1
        for n in range(5):
            system.stream.put_nowait(state(n, "offline"))
            await s.passes(3)
        await s.passes(60)
        assert (len(s.inventories()), s.told()) == (3, []), "the first at once, the others together"


@on_virtual_time
async def test_a_device_that_was_never_seen_online_is_told_offline_with_the_inventory(clock: SetClock) -> None:
    system = ScriptedSystem(*[camera(n) for n in range(3)])
    system.now = [state(0, "online", basis="poll"), state(1, "online", basis="poll")]
    system.now.append(state(2, "offline", basis="poll"))
    async with site(clock, system, health(mode="poll", every_s=60.0, fail_threshold=3)) as s:
        await s.until(lambda: system.baselines == 3, 300)
        await s.passes(30)
        assert len(s.inventories()) == 3
        assert (await s.kept())["2"].health.state == "offline"


@on_virtual_time
async def test_first_states_that_cannot_be_told_now_are_told_later(clock: SetClock) -> None:
    system = ScriptedSystem(camera(1))
    system.now = [state(1, "online")]
    async with site(clock, system) as s:
        await s.first_run()
        await s.until(lambda: len(s.inventories()) == 1)
        s.gateway.intake.open = False
        system.stream.put_nowait("new_session")
        await s.passes(20)
        s.gateway.intake.open = True
        await s.until(lambda: len(s.inventories()) == 2)


@on_virtual_time
async def test_a_device_that_is_never_listed_does_not_have_the_system_read_for_ever(clock: SetClock) -> None:
    system = ScriptedSystem(camera(1))
    system.now = [state(1, "online", basis="poll"), state(99, "offline", basis="poll")]
    async with site(clock, system, health(mode="poll", every_s=60.0)) as s:
        await s.first_run()
        await s.passes(3 * 3600)
        assert system.readings == 2
        system.now[1] = state(99, "online", basis="poll")
        system.listed.append(camera(99))
        await s.passes(120)
        assert (system.readings, await s.alive()) == (3, ["1", "99"]), "that it changed is worth a look"


@on_virtual_time
async def test_what_could_not_be_told_does_not_wait_until_the_system_may_be_asked_again(clock: SetClock) -> None:
    async with watched(clock, camera(1)) as s:
        s.gateway.intake.open = False
        s.system.stream.put_nowait(state(1, "offline"))
        await s.passes(2)
        s.system.stream.put_nowait(LoginRefused("wrong password"))
        await s.passes(2)
        s.gateway.intake.open = True
        await s.until(lambda: s.told() == [("1", "offline")], 5)


@on_virtual_time
async def test_a_state_that_was_told_and_not_written_is_written_soon(clock: SetClock) -> None:
    store = FailingHealths(await opened())
    async with watched(clock, camera(1), store=store) as s:
        await s.passes(20)
        store.failures = 1
        s.system.stream.put_nowait(state(1, "offline"))
        await s.passes(10)
        (kept,) = await store.inventory("xp")
        assert kept.health.state == "offline"
    await store.aclose()


@on_virtual_time
async def test_states_of_very_many_devices_leave_the_loop_and_the_disk_to_others_in_between(clock: SetClock) -> None:
    store = FailingHealths(await opened())
    system = ScriptedSystem(*[camera(n) for n in range(3000)])
    system.now = [state(n, "online") for n in range(3000)]
    async with site(clock, system, store=store) as s:
        await s.first_run()
        system.stream.put_nowait("new_session")
        watch, known = s.gateway.systems._members["xp"].watch, [0]
        while known[-1] < 3000:
            await asyncio.sleep(0)
            known.append(len(watch.healths()))
        assert max(after - before for before, after in pairwise(known)) <= 500
        await s.passes(5)
        assert store.largest == 500
    await store.aclose()


@on_virtual_time
async def test_a_baseline_may_take_as_long_as_there_are_devices(clock: SetClock) -> None:
    system = ScriptedSystem(*[camera(n) for n in range(2000)])
    system.baseline_takes_s = 900.0
    system.now = [state(n, "online") for n in range(2000)]
    async with site(clock, system) as s:
        await s.first_run()
        system.stream.put_nowait("new_session")
        await s.passes(1000)
        (status,) = await s.gateway.systems.statuses()
        assert (status.source.status, status.devices) == ("ok", {"online": 2000})


async def told_by_silence_of(clock: SetClock, *devices: FoundDevice, itself: bool = False) -> list[tuple[str, str]]:
    """What is told when all of them fall silent at once. `itself`: the system judges silence."""
    system = ScriptedSystem(*devices)
    system.capabilities |= {"blindness"} if itself else frozenset()
    system.now = [state(one.native_key, "online", basis="poll") for one in devices]
    async with site(clock, system, health(mode="poll", every_s=60.0)) as s:
        await s.until(lambda: system.baselines == 2, 600)
        system.now = [state(one.native_key, "offline", basis="poll") for one in devices]
        await s.passes(600)
        return s.told()


@on_virtual_time
async def test_the_lenses_of_two_boxes_are_no_fleet(clock: SetClock) -> None:
    """That two boxes are off at once is nothing unusual, however many lenses they have."""
    lenses = [camera(f"a{n}", parent=("hardware", "a")) for n in range(4)]
    assert len(await told_by_silence_of(clock, *lenses, camera("b"))) == 5


@on_virtual_time
async def test_the_lenses_of_three_boxes_are_one(clock: SetClock) -> None:
    lenses = [camera(f"{box}{n}", parent=("hardware", box)) for box in "abc" for n in range(2)]
    assert await told_by_silence_of(clock, *lenses) == []


@on_virtual_time
async def test_a_system_that_judges_silence_itself_is_believed(clock: SetClock) -> None:
    assert len(await told_by_silence_of(clock, *[camera(n) for n in range(5)], itself=True)) == 5
