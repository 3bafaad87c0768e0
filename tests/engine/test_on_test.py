"""On test: whom it concerns, what reaches stations, and that it ends by itself, also over a restart, on every node."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.engine.conftest import Open, ScriptedStation
from tests.engine.virtual_house import SetClock, on_virtual_time, virtual_house

from tocsin.engine.contracts import Submission
from tocsin.engine.on_test import concerns, marked, problem_with
from tocsin.engine.routing import GATEWAY
from tocsin.model.delivery import DeliveryKey
from tocsin.model.event import Event, Place
from tocsin.model.kinds import KINDS
from tocsin.model.on_test import STAY_REAL, OnTest
from tocsin.store.contract import StoreUnavailable

START = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)
TEST = OnTest("T1", "North", START, START + timedelta(hours=2), "battery change", "eva")


def event(kind: str = "motion", **facts: Any) -> Event:
    at = START + timedelta(minutes=1)
    given = {
        "occurred_at": at,
        "accepted_at": at,
        "source": "detectors",
        "device_id": "d1",
        "place": Place(area="Depot"),
    }
    return Event("", kind, **{**given, **facts})  # type: ignore[arg-type]


LINEAGE = ("Depot", "North")


@pytest.mark.parametrize(
    ("test", "given", "lineage", "yes"),
    [
        (TEST, event(), LINEAGE, True),
        (replace(TEST, area="Depot"), event(), LINEAGE, True),
        (TEST, event(), ("Yard",), False),
        (TEST, event(), (), False),
        (replace(TEST, devices=("d1",)), event(), LINEAGE, True),
        (replace(TEST, devices=("d2",)), event(), LINEAGE, False),
        (TEST, event(accepted_at=TEST.until), LINEAGE, False),
        (TEST, event(accepted_at=START - timedelta(seconds=1), occurred_at=START), LINEAGE, False),
        (TEST, event(occurred_at=START - timedelta(seconds=1)), LINEAGE, False),
        (TEST, event("info", source=GATEWAY), LINEAGE, False),
        (TEST, event("destination_down", source=GATEWAY), LINEAGE, False),
        (TEST, event("supervision_lost", source=GATEWAY), LINEAGE, False),
        (replace(TEST, include=("supervision_lost",)), event("supervision_lost", source=GATEWAY), LINEAGE, True),
        (replace(TEST, include=("connection_lost",)), event("connection_lost"), LINEAGE, True),
        (replace(TEST, include=("connection_lost",)), event("connection_restored"), LINEAGE, False),
        (TEST, event("fire"), LINEAGE, False),
        (replace(TEST, include=("fire",)), event("fire"), LINEAGE, True),
        (replace(TEST, include=("fire",)), event("panic"), LINEAGE, False),
    ],
)
def test_whom_it_concerns(test: OnTest, given: Event, lineage: tuple[str, ...], yes: bool) -> None:
    assert concerns(test, given, lineage) is yes


@given(st.sampled_from(sorted(KINDS)), st.sets(st.sampled_from(sorted(STAY_REAL))), st.booleans())
def test_what_stays_real_is_never_on_test_unless_chosen(kind: str, include: set[str], narrowed: bool) -> None:
    test = replace(TEST, include=tuple(sorted(include)), devices=("d1",) if narrowed else ())
    assert concerns(test, event(kind), LINEAGE) == (kind not in STAY_REAL or kind in include)


def test_an_event_says_for_whom_it_is_a_test() -> None:
    at_arc = replace(TEST, destinations=("arc",))
    at_mail = replace(TEST, destinations=("mail", "arc"))
    assert marked(event(), [TEST, at_arc]).flags == ("on_test",)
    scoped = marked(event(flags=("unknown_device",)), [at_arc, at_mail])
    assert scoped.flags == ("unknown_device", "on_test:arc", "on_test:mail")
    assert (scoped.is_test, scoped.under_test) == (False, True)
    assert marked(event(), [TEST]).is_test


def test_an_end_lies_ahead_and_not_too_far() -> None:
    assert problem_with(START, START + timedelta(days=7)) == ""
    assert "past" in problem_with(START, START)
    assert "7 days" in problem_with(START, START + timedelta(days=7, seconds=1))


def on_test(now: datetime, **facts: Any) -> OnTest:
    return OnTest(**{"id": "", "area": "North", "since": now, "until": now + timedelta(hours=1), "reason": "work",
                     "by": "eva", **facts})  # fmt: skip


async def test_marked_where_it_can_be_said_held_back_where_not(house: Open) -> None:
    plain, telling = ScriptedStation("plain"), ScriptedStation("telling")
    async with house([plain, telling], says_test=("telling",)) as h:
        await h.post("tamper")
        await telling.until(lambda: telling.kinds() == ["tamper"])
        await h.gateway.tests.begin(on_test(h.gateway.clock.now()))
        taken = await h.post("tamper")
        assert taken.destinations == ("telling",)
        await h.settles(taken, "telling", "delivered")
        due = next(due for due in telling.seen if due.key.event_seq == taken.seq)
        assert due.event.is_test
        delivery = await h.store.delivery(DeliveryKey(taken.seq, "telling"))
        assert delivery.receipt == "ACK (sent as a test: it was on test)"
        assert [one.result for one in await h.store.trace(delivery.key)] == ["delivered", "note"]
        held = await h.store.delivery(DeliveryKey(taken.seq, "plain"))
        assert held.state == "filtered"
        assert "held back: on test until" in held.reason
        assert "by eva (work)" in held.reason
        assert "on_test" in (await h.store.event(taken.id)).event.flags
        fire = await h.post("fire")
        await h.settles(fire, "plain", "delivered")
        silent = await h.post("connection_lost")
        for name in ("plain", "telling"):
            await h.settles(silent, name, "delivered")
        assert not (await h.store.event(silent.id)).event.under_test, "after the test nobody would say it again"
        (test,) = h.gateway.tests.all()
        await h.gateway.tests.end(test, "eva")
        real = await h.post("tamper")
        await h.settles(real, "plain", "delivered")
        assert not (await h.store.event(real.id)).event.under_test
        texts = [due.event.text for due in plain.seen if due.event.kind == "info"]
        assert texts[-1] == "test: North is no longer on test: ended by eva"


async def test_one_destination_on_test_leaves_the_others_alone(house: Open) -> None:
    first, second = ScriptedStation("first"), ScriptedStation("second")
    async with house([first, second], says_test=("first", "second")) as h:
        await h.gateway.tests.begin(on_test(h.gateway.clock.now(), destinations=("first",)))
        taken = await h.post("tamper")
        for name in ("first", "second"):
            await h.settles(taken, name, "delivered")
        told = {due.key.destination: due.event.is_test for one in (first, second) for due in one.seen
                if due.key.event_seq == taken.seq}  # fmt: skip
        assert told == {"first": True, "second": False}


async def test_it_survives_a_restart_and_the_same_scope_again_makes_it_longer(house: Open) -> None:
    async with house([ScriptedStation()]) as h:
        now = h.gateway.clock.now()
        await h.gateway.tests.begin(on_test(now))
        await h.gateway.tests.begin(on_test(now, area="Depot"))
        await h.gateway.tests.begin(on_test(now, until=now + timedelta(hours=5)))
        assert [test.area for test in h.gateway.tests.all()] == ["Depot", "North"]
    async with house([ScriptedStation()]) as h:
        kept = {test.area: test.until - test.since for test in h.gateway.tests.all()}
        assert kept == {"North": timedelta(hours=5), "Depot": timedelta(hours=1)}
        taken = await h.post("tamper")
        assert taken.destinations == ()
        audit = [(one.who, one.action, one.subject) for one in await h.store.audit_entries(10)]
        assert audit.count(("eva", "on test", "North")) == 2


def submitted(now: datetime, kind: str = "tamper") -> Submission:
    return Submission(Event("", kind, now, now, "detectors", device_id="d1", place=Place(area="North")))  # type: ignore[arg-type]


@on_virtual_time
async def test_it_reminds_and_ends_by_itself(clock: SetClock) -> None:
    station = ScriptedStation()
    async with virtual_house(clock, station) as h:
        await h.gateway.tests.begin(on_test(clock.now()))
        begun = clock.monotonic()
        said: list[tuple[float, str]] = []

        def infos() -> list[str]:
            return [due.event.text for due in station.seen if due.event.kind == "info"]

        for count in (1, 2, 3):
            await h.until(lambda count=count: len(infos()) == count, 4000)  # type: ignore[misc]
            said.append((round((clock.monotonic() - begun) / 60), infos()[-1].partition(" on test ")[2][:5]))
        assert said[:2] == [(0, "until"), (45, "only ")]
        assert said[2][0] == 60
        assert infos()[-1] == "test: North is no longer on test: its time is over"
        assert list(h.gateway.tests.all()) == []
        assert list(await h.store.tests()) == []
        await h.hand_in(submitted(clock.now()))
        await h.until(lambda: station.kinds()[-1] == "tamper")


async def test_an_end_that_passed_while_nothing_ran_is_made_up_for(house: Open) -> None:
    async with house([ScriptedStation()]) as h:
        await h.store.put_test(on_test(h.gateway.clock.now() - timedelta(hours=3), id="T9"))
    station = ScriptedStation()
    async with house([station]) as h:
        real = await h.post("tamper")
        assert real.destinations == ("arc",)
        await station.until(lambda: station.kinds().count("info") == 2)
        texts = [due.event.text for due in station.seen if due.event.kind == "info"]
        assert texts[-1] == "test: North is no longer on test: its time is over"
        async with asyncio.timeout(5):
            while await h.store.tests():
                await asyncio.sleep(0.01)


async def test_once_it_is_said_to_be_over_alarms_are_real_even_if_the_store_fails_then(
    house: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house([ScriptedStation()]) as h:
        test = await h.gateway.tests.begin(on_test(h.gateway.clock.now()))
        ending = h.store.end_test

        async def fails(test_id: str) -> bool:
            raise StoreUnavailable("the disk is full")

        monkeypatch.setattr(h.store, "end_test", fails)
        with pytest.raises(StoreUnavailable):
            await h.gateway.tests.end(test, "eva")
        real = event(occurred_at=h.gateway.clock.now(), accepted_at=h.gateway.clock.now(), place=Place(area="North"))
        assert (list(h.gateway.tests.of(real)), list(h.gateway.tests.all())) == ([], [])
        assert await h.store.tests() == [test], "it would be back after a restart"
        monkeypatch.setattr(h.store, "end_test", ending)
        async with asyncio.timeout(5):
            while await h.store.tests():
                await asyncio.sleep(0.02)


@on_virtual_time
async def test_every_node_knows_within_seconds_and_says_it_once(clock: SetClock) -> None:
    here, there = ScriptedStation(), ScriptedStation()
    nodes = {"lease_ttl_s": 2, "shared": True}
    async with (
        virtual_house(clock, here, node="here", **nodes) as h,
        virtual_house(clock, there, store=h.store, node="there", **nodes) as other,
    ):
        await h.gateway.tests.begin(on_test(clock.now(), until=clock.now() + timedelta(minutes=4)))
        await other.until(lambda: len(other.gateway.tests.all()) == 1, 3)
        await asyncio.sleep(0.1)
        held = await other.hand_in(submitted(clock.now()))
        assert held.destinations == ()
        await other.until(lambda: not other.gateway.tests._tests and not h.gateway.tests._tests, 300)
        seen = [due.event.text for due in (*here.seen, *there.seen) if due.event.kind == "info"]
        assert len(seen) == len(set(seen)) == 3
