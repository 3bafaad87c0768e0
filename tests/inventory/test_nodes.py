"""Two nodes on one store: one has the system, and the other begins where it left off."""

import asyncio
from contextlib import asynccontextmanager

from tests.engine.virtual_house import SetClock, on_virtual_time
from tests.inventory.conftest import CUSTOMER, RULES, ScriptedSystem, camera, opened, site, state

from tocsin.engine.inventory.telling import inventory_body

NODE = {"lease_ttl_s": 2.0, "shared": True}


class Alarming(ScriptedSystem):
    """Counts how many listen to its alarms."""

    capabilities = ScriptedSystem.capabilities | {"alarms"}
    listening = 0

    async def alarms(self, intake):
        Alarming.listening += 1
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            Alarming.listening -= 1


@asynccontextmanager
async def two_nodes(clock, *systems):
    """The first has the system."""
    store = await opened()
    rules = RULES if not isinstance(systems[0], Alarming) else RULES.__class__(**ALARMED)
    async with site(clock, systems[0], rules, OfNode(store), node="a", **NODE) as first:
        await first.first_run()
        systems[0].stream.put_nowait("new_session")
        await first.passes(5)
        async with site(clock, systems[1], rules, store, node="b", **NODE) as second:
            await second.passes(5)
            yield first, second
    await store.aclose()


ALARMED = {"name": "xp", "type": "scripted", "customer_id": CUSTOMER, "alarms": frozenset({"motion"})}


class OfNode:
    """A node's way to the store; while it is frozen its leases are not renewed, and it learns of that afterwards."""

    def __init__(self, store):
        self._store = store
        self._frozen = asyncio.Event()
        self._frozen.set()

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def claim(self, *claim):
        await self._frozen.wait()
        return await self._store.claim(*claim)


async def freeze(first, second):
    """The first stands still until the second has the system."""
    first.store._frozen.clear()
    await second.until(second.gateway.systems._members["xp"].owned)
    first.store._frozen.set()
    await second.passes(2)


def pair(now):
    systems = [ScriptedSystem(camera(1)), ScriptedSystem(camera(1))]
    for one in systems:
        one.now = list(now)
    return systems


@on_virtual_time
async def test_the_next_node_compares_with_what_the_last_one_told(clock: SetClock) -> None:
    systems = pair([state(1, "online")])
    async with two_nodes(clock, *systems) as (first, second):
        systems[0].stream.put_nowait(state(1, "offline"))
        await first.passes(5)
        assert first.told() + second.told() == [("1", "offline")]
        await freeze(first, second)
        await second.until(lambda: systems[1].readings == 1)
        systems[1].stream.put_nowait("new_session")
        await second.passes(10)
        told = first.told() + second.told()
        assert told == [("1", "offline"), ("1", "online")], "it came back while nobody looked"


@on_virtual_time
async def test_a_node_that_has_lost_the_system_tells_nothing_more_of_it(clock: SetClock) -> None:
    systems = pair([state(1, "online")])
    async with two_nodes(clock, *systems) as (first, second):
        await freeze(first, second)
        await second.until(lambda: systems[1].readings == 1)
        systems[1].stream.put_nowait("new_session")
        await second.passes(5)
        for one in systems:
            one.stream.put_nowait(state(1, "offline"))
            await second.passes(3)
        assert first.told() + second.told() == [("1", "offline")]


@on_virtual_time
async def test_a_node_without_the_system_tells_the_state_that_is_kept_not_the_one_it_started_with(
    clock: SetClock,
) -> None:
    systems = pair([state(1, "online")])
    async with two_nodes(clock, *systems) as (first, second):
        systems[0].stream.put_nowait(state(1, "offline"))
        await first.passes(5)
        for node in (first, second):
            document = inventory_body(await node.gateway.systems.book.inventory("xp", CUSTOMER), "brief")
            assert b'"status":"offline"' in document


@on_virtual_time
async def test_a_node_that_starts_leaves_the_others_run_alone(clock: SetClock) -> None:
    store = await opened()
    systems = pair([])
    systems[0].reading_takes_s = 60.0
    async with site(clock, systems[0], RULES, OfNode(store), node="a", **NODE) as first:
        await first.until(lambda: systems[0].readings == 1)
        async with site(clock, systems[1], RULES, store, node="b", **NODE) as second:
            await first.passes(5)
            (run,) = await store.runs("xp", 5)
            assert run.state == "running"
            await freeze(first, second)
            await first.passes(5)
            assert [run.state for run in await store.runs("xp", 5)] == ["succeeded", "failed"]
            await first.passes(120)
            last, before = await store.runs("xp", 5)
            assert (last.state, before.state, before.counts.added) == ("succeeded", "failed", 0)
    await store.aclose()


@on_virtual_time
async def test_alarms_of_a_system_are_heard_by_one_node(clock: SetClock) -> None:
    systems = [Alarming(camera(1)), Alarming(camera(1))]
    async with two_nodes(clock, *systems) as (first, second):
        assert Alarming.listening == 1
        await freeze(first, second)
        await first.passes(10)
        assert Alarming.listening == 1
