"""What is owed to a cloud while nobody takes anything: bounded, in order, and at the end everything is known (2.7)."""

import random
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.engine.conftest import ScriptedStation, takes_it
from tests.engine.virtual_house import SetClock, on_virtual_time
from tests.inventory.conftest import CUSTOMER, RULES, ScriptedSystem, camera, opened, site, state
from tests.inventory.test_watching import watched
from tests.proof.harness.virtual import EPOCH

from tocsin.engine.compaction import Surplus
from tocsin.engine.contracts import Attempt, LinkDown
from tocsin.engine.inventory.rules import Schedule
from tocsin.engine.systems import Unreachable
from tocsin.model.delivery import DeliveryKey, Due, Receipt
from tocsin.model.event import Event, HealthNotice, InventoryNotice, SourceNotice
from tocsin.model.kinds import Lane
from tocsin.store.contract import EventFilter, Store
from tocsin.telemetry.occurrences import OutboxCompacted


class Killed(Exception):
    """Nobody had the time to stop anything."""


async def is_down(due: Due, attempt: Attempt) -> Receipt:
    raise LinkDown("nobody answers")


async def waiting(store: Store) -> int:
    return sum(lane.pending for lane in (await store.backlog("cloud")).values())


async def rows(store: Store) -> int:
    return len(await store.events(EventFilter(limit=1_000_000)))


def health(seq: int, device: str, status: str, turned: bool = True) -> Due:
    return _due(seq, device, HealthNotice("xp", CUSTOMER, status, f"e{seq}", turned=turned))  # type: ignore[arg-type]


def inventory(seq: int, run: str) -> Due:
    return _due(seq, "xp acct", InventoryNotice("xp", CUSTOMER, run))


def _due(seq: int, queue: str, notice: HealthNotice | InventoryNotice) -> Due:
    event = Event(f"e{seq}", "info", EPOCH, EPOCH, "xp", device_id=queue, notice=notice)
    return Due(DeliveryKey(seq, "cloud"), Lane.STATUS, queue, queue, 0, event)


SURPLUS = [
    ("one is not too many", [health(1, "a", "offline")], [], []),
    ("the newest stays", [health(1, "a", "offline"), health(2, "b", "offline"), health(3, "a", "online")], [1], []),
    ("the last that turned stays too", [health(1, "a", "offline"), health(2, "a", "unknown", False)], [], []),
    (
        "and what is older than it goes",
        [
            health(1, "a", "degraded", False),
            health(2, "a", "offline"),
            health(3, "a", "unknown", False),
            health(4, "a", "disabled", False),
            health(5, "a", "online"),
            health(6, "a", "degraded", False),
        ],
        [1, 2, 3, 4],
        [],
    ),
    ("the newest inventory", [inventory(1, "R1"), health(2, "a", "offline"), inventory(3, "R2")], [], [1]),
]


@pytest.mark.parametrize(("what", "came", "states", "inventories"), SURPLUS, ids=[one[0] for one in SURPLUS])
def test_what_newer_ones_make_needless(what: str, came: list[Due], states: list[int], inventories: list[int]) -> None:
    surplus = Surplus()
    for due in came:
        surplus.came(due)
    assert sorted(key.event_seq for key in surplus.states) == states
    assert [key.event_seq for key in surplus.inventories] == inventories


@on_virtual_time
async def test_scenario_17_a_full_outbox_keeps_the_newest_state_counts_what_is_lost_and_recovers(
    clock: SetClock,
) -> None:
    async with watched(clock, *[camera(n) for n in range(30)], most=100) as s:
        s.cloud.script = is_down
        for what in ("offline", "online", "offline", "online", "offline"):
            for n in range(30):
                s.system.stream.put_nowait(state(n, what))
            await s.passes(180)
        before = [one for one in s.occurrences if isinstance(one, OutboxCompacted)]
        assert len(before) == 1
        assert before[0].lost == 90, "of the first four changes of each device the last is left"
        assert await waiting(s.store) == 60
        s.system.stream.put_nowait(state(3, "online"))
        await s.passes(30)
        told = len(s.told())
        s.cloud.script = takes_it
        await s.until(lambda: len(s.told()) == told + 61, 600)
        last = dict(s.told())
        assert last == {str(n): "online" if n == 3 else "offline" for n in range(30)}
        assert await waiting(s.store) == 0
        s.system.stream.put_nowait(state(7, "online"))
        await s.until(lambda: s.told()[-1] == ("7", "online"))


@on_virtual_time
async def test_superseded_inventories_go_before_any_state(clock: SetClock) -> None:
    rules = replace(RULES, schedule=Schedule(every_s=60.0))
    async with watched(clock, camera(1), rules=rules, most=100) as s:
        s.cloud.script = is_down
        await s.until(lambda: s.system.readings == 60, 4000)
        s.system.stream.put_nowait(state(1, "offline"))
        await s.passes(200)
        s.system.stream.put_nowait(state(1, "online"))
        await s.until(lambda: any(isinstance(one, OutboxCompacted) for one in s.occurrences), 4000)
        s.cloud.script = takes_it
        await s.until(lambda: len(s.told()) == 2, 600)
        assert s.told() == [("1", "offline"), ("1", "online")]


@pytest.mark.parametrize(
    ("cameras", "every_s"),
    [(40, 1200.0), pytest.param(200, 300.0, marks=[pytest.mark.prove, pytest.mark.timeout(3600)])],
)
@pytest.mark.parametrize("most", [100_000, 200])
@on_virtual_time
async def test_scenario_15_the_receiver_is_down_for_a_day_and_the_gateway_restarts_meanwhile(
    clock: SetClock, cameras: int, every_s: float, most: int
) -> None:
    """Killed once and stopped once. Bounded: as many rows as may wait, a quarter more, and what ten seconds bring."""
    dice = random.Random(15)
    store, system = await opened(), ScriptedSystem(*[camera(n) for n in range(cameras)])
    is_now, made, most_seen = dict.fromkeys(range(cameras), "online"), {n: [] for n in range(cameras)}, [0, 0]
    cloud = ScriptedStation("cloud", concurrency=100)
    bound = max(most, 2 * cameras)

    async def changes_for(s, seconds):
        """Each camera once in `every_s`, in any order, so that none changes so often that it is flapping."""
        ends, turns = clock.monotonic() + seconds, []
        while clock.monotonic() < ends:
            await s.passes(every_s / cameras)
            turns = turns or dice.sample(range(cameras), cameras)
            n = turns.pop()
            is_now[n] = "offline" if is_now[n] == "online" else "online"
            made[n].append(is_now[n])
            system.stream.put_nowait(state(n, is_now[n], since=clock.now()))
            system.now = [state(key, what) for key, what in is_now.items()]
            if most < 1000 and dice.random() < every_s / cameras / 900:  # four times an hour
                most_seen[:] = max(most_seen[0], await waiting(store)), max(most_seen[1], await rows(store))

    async def lives(seconds, killed=False):
        async with site(clock, system, store=store, most=most, cloud=cloud) as s:
            system.stream.put_nowait("new_session")
            await s.until(lambda: s.system.baselines > 0, 60)
            await changes_for(s, seconds)
            await s.passes(5)
            if killed:
                raise Killed

    system.now = [state(n, "online") for n in range(cameras)]
    async with site(clock, system, store=store, most=most, cloud=cloud) as s:
        await s.first_run()
        system.stream.put_nowait("new_session")
        await s.until(lambda: len(s.inventories()) == 2)
        before = await rows(store)
    cloud.script = is_down
    with pytest.raises(Killed):
        await lives(30_000, killed=True)
    system.listed.append(camera("new"))
    await lives(56_400)
    if most < 1000:
        assert most_seen[0] <= bound * 1.25 + 40
        assert most_seen[1] - before <= bound * 1.25 + 60, "the file is bounded too"
    cloud.script = takes_it
    async with site(clock, system, store=store, most=most, cloud=cloud) as s:
        system.stream.put_nowait("new_session")
        await s.until(lambda: len(s.inventories()) >= 3, 600)
        await s.passes(600)
        assert await waiting(store) == 0
        told = {n: [what for key, what in s.told() if key == str(n)] for n in range(cameras)}
        assert {n: ([*one] or ["online"])[-1] for n, one in told.items()} == is_now, "final states"
        document = await s.gateway.systems.book.inventory("xp", CUSTOMER)
        assert {one.record.native_key for one in document.devices} == {*map(str, range(cameras)), "new"}
        if most > 1000:
            assert told == made, "nothing was lost, in order"
        assert all(in_order(cloud, n) for n in range(cameras))
    await store.aclose()


def in_order(cloud: ScriptedStation, n: int) -> bool:
    times = [due.event.occurred_at for due in cloud.seen if due.event.device_id == f"xp:camera:{n}"]
    return times == sorted(times)


@on_virtual_time
async def test_how_a_system_itself_is_told_to_each_customer_and_again_after_a_restart(clock: SetClock) -> None:
    store = await opened()
    async with watched(clock, camera(1), camera(2), store=store) as s:
        s.system.down = Unreachable("it restarts")
        await s.run()
        await s.until(lambda: len(sources(s)) == 2)
        well, gone = sources(s)
        assert (well.status, well.devices, well.customer_id) == ("ok", 0, CUSTOMER)
        assert (gone.status, gone.devices, gone.error) == ("unreachable", 2, "it restarts")
        assert gone.last_complete_sync is not None
        assert clock.now() - gone.since < timedelta(seconds=30)
    async with site(clock, ScriptedSystem(camera(1), camera(2)), store=store) as s:
        await s.until(lambda: [one.status for one in sources(s)] == ["ok"])
    await store.aclose()


def sources(s):
    return [due.event.notice for due in s.cloud.seen if isinstance(due.event.notice, SourceNotice)]


@on_virtual_time
async def test_a_device_is_told_of_in_order_whatever_its_state_is_called(clock: SetClock) -> None:
    """Tampering is an alarm to a station; to a cloud it stays behind what came before it."""
    async with watched(clock, camera(1)) as s:
        s.cloud.script = is_down
        for what in ("offline", "degraded", "offline", "unknown", "degraded"):
            s.system.stream.put_nowait(state(1, what))
            await s.passes(130)
        s.cloud.script = takes_it
        await s.until(lambda: len(s.told()) == 5, 600)
        assert [what for _, what in s.told()] == ["offline", "degraded", "offline", "unknown", "degraded"]
