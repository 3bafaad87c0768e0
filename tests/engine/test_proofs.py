"""When a panel may be told that a station has its event, and that its repeats stay one event meanwhile."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.engine.conftest import ScriptedStation
from tests.engine.virtual_house import SetClock, VirtualHouse, on_virtual_time, virtual_house
from tests.proof.harness.memory_store import MemoryStore
from tests.proof.harness.virtual import EPOCH

from tocsin.engine.contracts import Attempt, Rejected, Submission, Taken, TryLater
from tocsin.engine.proofs import proven
from tocsin.model.delivery import Delivery, DeliveryKey, Due, Receipt
from tocsin.model.event import Event
from tocsin.model.kinds import Lane


def from_panel(clock: SetClock, kind: str = "burglary", **changes: Any) -> Submission:
    now = clock.now()
    event = Event("", kind, now, now, "panels")  # type: ignore[arg-type]
    given = Submission(event, repeat_key=b"frame 1", repeat_window_s=90.0, unanswered=True)
    return replace(given, **changes)


async def silent(due: Due, attempt: Attempt) -> Receipt:
    raise TryLater("silent")


async def waited(house: VirtualHouse, taken: Taken, within_s: float) -> tuple[bool, float]:
    began = house.clock.monotonic()
    answer = await house.gateway.intake.all_delivered([taken], within_s)
    return answer, house.clock.monotonic() - began


@on_virtual_time
async def test_one_station_of_two_is_enough(clock: SetClock) -> None:
    dead, alive = ScriptedStation("dead"), ScriptedStation("alive")
    dead.script = silent

    async def slow(due: Due, attempt: Attempt) -> Receipt:
        await asyncio.sleep(7)
        return Receipt("station:1", "ACK")

    alive.script = slow
    async with virtual_house(clock, dead, alive) as h:
        answer, seconds = await waited(h, await h.hand_in(from_panel(clock)), 15)
        assert answer
        assert 7 <= seconds < 7.5, "told at once, not at the next look"


@on_virtual_time
async def test_not_in_time_and_then_at_once(clock: SetClock) -> None:
    station = ScriptedStation()
    station.script = silent
    async with virtual_house(clock, station) as h:
        first = await h.hand_in(from_panel(clock))
        assert await waited(h, first, 15) == (False, pytest.approx(15, abs=0.1))
        seqs = set()
        for _ in range(30):
            await asyncio.sleep(20)
            again = await h.hand_in(from_panel(clock))
            assert again.duplicate
            seqs.add(again.seq)
            assert not (await waited(h, again, 5))[0]
        assert seqs == {first.seq}, "one event, however long the panel repeats it"
        station.script = ScriptedStation().script
        again = await h.hand_in(from_panel(clock))
        assert (await waited(h, again, 62))[0]
        assert await waited(h, await h.hand_in(from_panel(clock)), 5) == (True, pytest.approx(0, abs=0.1))
        assert station.kinds() == ["burglary"]
        await asyncio.sleep(100)
        assert not (await h.hand_in(from_panel(clock))).duplicate, "after a quiet window it is a new alarm"


@on_virtual_time
async def test_a_source_that_does_not_wait_has_its_window_from_the_first(clock: SetClock) -> None:
    async with virtual_house(clock, ScriptedStation()) as h:
        assert not (await h.hand_in(from_panel(clock, unanswered=False))).duplicate
        await asyncio.sleep(60)
        assert (await h.hand_in(from_panel(clock, unanswered=False))).duplicate
        await asyncio.sleep(60)
        assert not (await h.hand_in(from_panel(clock, unanswered=False))).duplicate


@on_virtual_time
async def test_a_restart_knows_the_repeat_and_whether_it_was_delivered(clock: SetClock) -> None:
    store, station = MemoryStore(), ScriptedStation()
    station.script = silent
    async with virtual_house(clock, station, store=store) as h:
        first = await h.hand_in(from_panel(clock))
        assert not (await waited(h, first, 5))[0]
    async with virtual_house(clock, station, store=store) as h:
        await h.gateway.intake.remember({"panels": clock.now() - timedelta(minutes=5)})
        again = await h.hand_in(from_panel(clock))
        assert (again.duplicate, again.seq) == (True, first.seq)
        assert not (await waited(h, again, 5))[0], "an answer lost with the process is not taken for a delivery"
        station.script = ScriptedStation().script
        assert (await waited(h, await h.hand_in(from_panel(clock)), 62))[0]


@on_virtual_time
async def test_nobody_owes_it(clock: SetClock) -> None:
    async with virtual_house(clock) as h:
        assert await waited(h, await h.hand_in(from_panel(clock)), 5) == (True, 0.0)


@on_virtual_time
async def test_only_a_person_owes_it(clock: SetClock) -> None:
    async def refuses(due: Due, attempt: Attempt) -> Receipt:
        raise Rejected("unknown account")

    station = ScriptedStation()
    station.script = refuses
    async with virtual_house(clock, station) as h:
        taken = await h.hand_in(from_panel(clock))
        assert not (await waited(h, taken, 5))[0], "no station has it"
        await h.settles(taken, "arc", "rejected")
        await h.gateway.discard(DeliveryKey(taken.seq, "arc"), "eva")
        assert (await waited(h, await h.hand_in(from_panel(clock)), 5))[0], "a person took it over"


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ((), True),
        (("filtered", "filtered"), True),
        (("delivered", "pending"), True),
        (("filtered", "pending"), False),
        (("rejected", "filtered"), False),
        (("discarded", "filtered"), True),
        (("expired",), False),
        (("held",), False),
        (("retrying",), False),
    ],
)
def test_what_proves_that_it_arrived(states: tuple[str, ...], expected: bool) -> None:
    deliveries = [
        Delivery(DeliveryKey(1, f"d{n}"), "E", Lane.ALARM, state, "", "", 0, 0, EPOCH)  # type: ignore[arg-type]
        for n, state in enumerate(states)
    ]
    assert proven(deliveries) is expected
