"""A reading that tells what the last one told looks at nothing that is kept; and all that must not rest on that."""

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.engine.virtual_house import SetClock, on_virtual_time
from tests.inventory.conftest import CUSTOMER, RULES, ScriptedSystem, camera, opened, site

from tocsin.engine.inventory.reading import imprint
from tocsin.engine.inventory.rules import CustomerRule
from tocsin.model.inventory import FoundDevice, Note
from tocsin.store.contract import StoreUnavailable

TEXTS = st.text(st.characters(codec=None) | st.sampled_from("\ud800\n,"), max_size=3)
VALUES = TEXTS | st.booleans() | st.integers() | st.floats()
DEVICES = st.builds(
    FoundDevice,
    kind=st.sampled_from(["camera", "reader"]),
    native_key=TEXTS,
    name=TEXTS,
    type=st.just("camera"),
    macs=st.lists(TEXTS, max_size=2).map(tuple),
    parent=st.none() | st.tuples(TEXTS, TEXTS),
    channel=st.none() | st.integers(0, 3),
    enabled=st.booleans(),
    attributes=st.dictionaries(TEXTS, VALUES, max_size=2),
)
TOLD = st.lists(DEVICES | st.builds(Note, TEXTS, st.booleans()), max_size=3)


class Watched:
    """A store that counts how often all that is kept of a system is read, and refuses events while `down`."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.looks = 0
        self.down = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def inventory(self, system: str) -> Any:
        self.looks += 1
        return await self._store.inventory(system)

    async def accept(self, *given: Any, **more: Any) -> Any:
        if self.down:
            raise StoreUnavailable("disk full")
        return await self._store.accept(*given, **more)


@given(TOLD, TOLD, st.randoms())
def test_the_same_imprint_is_the_same_told_in_whatever_order(one: Any, other: Any, chance: random.Random) -> None:
    shuffled = chance.sample(one, len(one))
    assert imprint(shuffled) == imprint(one)
    same = sorted(map(repr, one)) == sorted(map(repr, other))
    assert (imprint(one) == imprint(other)) == same


@pytest.mark.parametrize(
    "changed",
    [
        camera(1, name="Gate"),
        camera(1, attributes={"firmware": "11.8"}),
        camera(1, attributes={"firmware": 1}),
        camera(1, enabled=False),
        camera(1, macs=("3C:EF:8C:0A:51:7E",)),
        camera(1, parent=("hardware", "9")),
        camera(1, orders=("siren",)),
        Note("camera groups could not be read", partial=True),
    ],
    ids=str,
)
def test_whatever_is_told_otherwise_is_another_imprint(changed: FoundDevice | Note) -> None:
    assert imprint([camera(1), changed]) != imprint([camera(1), camera(1)])


@on_virtual_time
async def test_the_same_once_more_changes_nothing_and_is_told_all_the_same(clock: SetClock) -> None:
    store = Watched(await opened())
    rules = replace(RULES, customers=(CustomerRule(name_glob="Spare*"), CustomerRule("acct-2", name_glob="B*")))
    listed = [camera(1), camera(2, name="Spare"), camera(3, name="B"), Note("one of two sites")]
    async with site(clock, ScriptedSystem(*listed), rules, store) as s:
        first, before = await s.first_run(), await s.kept()
        await s.until(lambda: len(s.inventories()) == 2)
        looks, asked_at = store.looks, clock.now()
        again = await s.run()
        assert store.looks == looks
        assert (again.state, again.counts) == ("succeeded", replace(first.counts, added=0))
        assert (again.notes, again.differences) == (first.notes, ())
        assert (await store.standing("xp")).last_complete_sync >= asked_at
        assert (await store.standing("xp")).last_run == again.id
        assert await s.kept() == before
        await s.until(lambda: len(s.inventories()) == 4)
        assert {one.customer_id for one in s.inventories()[2:]} == {CUSTOMER, "acct-2"}
        s.system.listed.reverse()
        await s.run()
        assert store.looks == looks + 1, "by this test"
    await store.aclose()


@on_virtual_time
async def test_one_fact_of_one_device_is_a_change(clock: SetClock) -> None:
    system = ScriptedSystem(camera(1), camera(2))
    async with site(clock, system) as s:
        await s.first_run()
        await s.run()
        system.listed[1] = camera(2, name="Gate")
        changed = await s.run()
        assert [(line.what, line.id) for line in changed.differences] == [("~", "xp:camera:2")]
        assert (await s.run()).differences == ()
        system.listed[1] = camera(2)
        assert (await s.run()).counts.changed == 1, "as before the last run is not as before"


@on_virtual_time
async def test_other_rules_read_the_same_facts_anew(clock: SetClock) -> None:
    store, system = await opened(), ScriptedSystem(camera(1))
    async with site(clock, system, store=store) as s:
        await s.first_run()
        await s.run()
    moved = ScriptedSystem(camera(1))
    async with site(clock, moved, replace(RULES, customer_id="acct-9"), store) as s:
        await s.until(lambda: moved.readings > 0)
        (run, *_) = await store.runs("xp", 1)
        assert (await s.ended(run.id)).counts.changed == 1
        assert [one.record.customer_id for one in (await s.kept()).values()] == ["acct-9"]
    await store.aclose()


@on_virtual_time
async def test_what_the_book_of_devices_lost_is_entered_again(clock: SetClock) -> None:
    async with site(clock, ScriptedSystem(camera(1), camera(2))) as s:
        await s.first_run()
        await s.run()
        book = s.gateway.devices
        await book.delete("xp:camera:1")
        await book.put(replace(book.get("xp:camera:2"), name="Mine", description="by the door"), clock.now())
        await s.run()
        assert book.get("xp:camera:1").name == "Camera 1"
        assert (book.get("xp:camera:2").name, book.get("xp:camera:2").description) == ("Camera 2", "by the door")


@on_virtual_time
async def test_a_tombstone_is_forgotten_in_its_time_though_nothing_else_changes(clock: SetClock) -> None:
    store = Watched(await opened())
    system = ScriptedSystem(camera(1), camera(2))
    async with site(clock, system, store=store) as s:
        await s.first_run()
        del system.listed[1]
        await s.run()
        assert (await s.run()).counts.removed == 1
        assert (await s.run()).counts.missing == 0
        looks = store.looks
        clock.put_forward += timedelta(days=29)
        await s.run()
        assert store.looks == looks, "a tombstone alone is no reason to look"
        clock.put_forward += timedelta(days=2)
        await s.run()
        assert list(await s.kept()) == ["1"]
    await store.aclose()


@on_virtual_time
async def test_a_device_that_is_missing_is_counted_each_time_it_is(clock: SetClock) -> None:
    system = ScriptedSystem(camera(1), camera(2))
    async with site(clock, system, replace(RULES, remove_after=4)) as s:
        await s.first_run()
        del system.listed[1]
        assert [(await s.run()).counts.removed for _ in range(5)] == [0, 0, 0, 1, 0]


@on_virtual_time
async def test_whoever_could_not_be_told_is_told_by_the_next_run(clock: SetClock) -> None:
    store = Watched(await opened())
    async with site(clock, ScriptedSystem(camera(1)), store=store) as s:
        await s.first_run()
        await s.until(lambda: len(s.inventories()) == 1)
        await s.run()
        await s.until(lambda: len(s.inventories()) == 2)
        store.down = True
        await s.run()
        store.down = False
        looks = store.looks
        await s.until(lambda: len(s.inventories()) == 3, 120)
        assert store.looks == looks + 1
    await store.aclose()
