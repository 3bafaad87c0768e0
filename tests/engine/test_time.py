"""Clocks that are set, waits that must end, and nothing that turns in a circle: on virtual time."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest
from tests.engine.conftest import ScriptedStation, takes_it
from tests.engine.virtual_house import SetClock, on_virtual_time, virtual_house

from tocsin.engine.backoff import Retry
from tocsin.engine.contracts import Attempt, IntakeClosed, LinkDown, Submission, TryLater
from tocsin.model.delivery import DeliveryKey, Due, Receipt
from tocsin.model.event import Actor, Event
from tocsin.model.wording import canonical_name
from tocsin.store.contract import StoreUnavailable


async def unreachable(due: Due, attempt: Attempt) -> Receipt:
    raise LinkDown("no route")


@pytest.mark.parametrize("hours", [-30.0, 30.0, 24 * 365 * 6])
@on_virtual_time
async def test_a_clock_that_is_set_neither_expires_nor_stops_nor_delays_anything(clock: SetClock, hours: float) -> None:
    station = ScriptedStation()
    station.script = unreachable
    async with virtual_house(clock, station) as h:
        waiting = await h.post(device="d1")
        held = await h.post(device="d2", photos_expected=1)
        await asyncio.sleep(5)
        clock.put_forward = timedelta(hours=hours)
        await asyncio.sleep(1)
        station.script = takes_it
        fresh = await h.post(device="d3")
        await h.until(lambda: len(station.seen) == 3, 70)
        assert {due.key.event_seq for due in station.seen} == {waiting.seq, held.seq, fresh.seq}


@pytest.mark.parametrize("limit", [0.5, 10.0])
@on_virtual_time
async def test_late_classification_is_waited_for_no_longer_than_its_limit(clock: SetClock, limit: float) -> None:
    station = ScriptedStation()
    went: dict[str, float] = {}

    async def noted(due: Due, attempt: Attempt) -> Receipt:
        went[due.event.device_id] = clock.monotonic() - begun
        return await takes_it(due, attempt)

    station.script = noted
    async with virtual_house(clock, station, hold_s=limit) as h:
        begun = clock.monotonic()
        never = await h.post(device="never", classification="pending")
        soon = await h.post(device="soon", classification="pending")
        await asyncio.sleep(limit / 5)
        await h.gateway.amend(soon.id, (Actor("person", 0.9),), "done", "test")
        await h.until(lambda: len(went) == 2)
        assert went == {"soon": pytest.approx(limit / 5, abs=0.1), "never": pytest.approx(limit, abs=0.1)}
        (unclassified,) = [due.event for due in station.seen if due.key.event_seq == never.seq]
        assert canonical_name(unclassified) == "MovementDetected"
        await h.gateway.amend(never.id, (Actor("car", 0.9),), "done", "test")
        assert await h.states(never) == {"arc": "delivered"}, "what came too late takes nothing back"


@pytest.mark.parametrize("hours", [-30.0, 30.0])
@on_virtual_time
async def test_a_retry_keeps_its_time_when_the_clock_is_set(clock: SetClock, hours: float) -> None:
    station = ScriptedStation()
    tries: list[float] = []

    async def busy_once(due: Due, attempt: Attempt) -> Receipt:
        tries.append(clock.monotonic())
        if len(tries) == 1:
            raise TryLater("busy", 20)
        return await takes_it(due, attempt)

    station.script = busy_once
    async with virtual_house(clock, station) as h:
        await h.post()
        await asyncio.sleep(1)
        clock.put_forward = timedelta(hours=hours)
        await h.until(lambda: len(station.seen) == 1)
        assert tries[1] - tries[0] == pytest.approx(20, abs=0.1)


@on_virtual_time
async def test_what_is_really_old_expires(clock: SetClock) -> None:
    station = ScriptedStation()
    station.script = unreachable
    async with virtual_house(clock, station, retry=Retry(expire_s=3600)) as h:
        taken = await h.post()
        await asyncio.sleep(3500)
        assert (await h.states(taken))["arc"] == "pending"
        await asyncio.sleep(200)
        assert (await h.states(taken))["arc"] == "expired"


@on_virtual_time
async def test_a_repeat_is_not_swallowed_for_hours_after_the_clock_was_set_back(clock: SetClock) -> None:
    station = ScriptedStation()
    async with virtual_house(clock, station) as h:
        now = clock.now()
        panic = Submission(Event("", "panic", now, now, "panels"), repeat_key=b"k", repeat_window_s=90)
        assert not (await h.hand_in(panic)).duplicate
        assert (await h.hand_in(panic)).duplicate
        clock.put_forward = timedelta(hours=-3)
        assert not (await h.hand_in(panic)).duplicate


@on_virtual_time
async def test_a_blocked_link_with_nothing_to_send_lets_the_process_sleep(clock: SetClock) -> None:
    """The virtual loop raises Stuck when time stands still."""
    station = ScriptedStation()
    station.script = unreachable
    async with virtual_house(clock, station) as h:
        taken = await h.post()
        await asyncio.sleep(0.5)
        assert await h.gateway.discard(DeliveryKey(taken.seq, "arc"), "eva")
        await asyncio.sleep(3600)
        station.script = takes_it
        await h.settles(await h.post(), "arc", "delivered")


@on_virtual_time
async def test_a_blocked_link_whose_only_queue_waits_lets_the_process_sleep(clock: SetClock) -> None:
    station = ScriptedStation()
    answers = [TryLater("busy", 200), LinkDown("gone")]

    async def two_faults(due: Due, attempt: Attempt) -> Receipt:
        if due.queue == "slow" and answers:
            raise answers.pop(0)
        return await takes_it(due, attempt)

    station.script = two_faults
    async with virtual_house(clock, station) as h:
        await h.post(device="slow")
        await h.until(lambda: len(station.seen) == 1, 600)


@on_virtual_time
async def test_a_waiting_queue_is_served_in_time_while_another_worker_is_busy(clock: SetClock) -> None:
    station = ScriptedStation(concurrency=2)
    tries: dict[str, list[float]] = {"a": [], "b": []}

    async def slow_a(due: Due, attempt: Attempt) -> Receipt:
        tries[due.queue].append(clock.monotonic())
        if len(tries[due.queue]) == 1:
            raise TryLater("busy", 1.0 if due.queue == "a" else 2.0)
        if due.queue == "a":
            await asyncio.sleep(100)
        return await takes_it(due, attempt)

    station.script = slow_a
    async with virtual_house(clock, station) as h:
        await h.post(device="a")
        await h.post(device="b")
        await h.until(lambda: len(tries["b"]) == 2, 300)
        assert tries["b"][1] - tries["b"][0] == pytest.approx(2.0, abs=0.1)


@on_virtual_time
async def test_a_peer_may_ask_for_patience_but_neither_for_a_day_nor_for_none(clock: SetClock) -> None:
    station = ScriptedStation()
    asked = iter([1e300, float("nan"), 0.0, -5.0])
    tries: list[float] = []

    async def asks(due: Due, attempt: Attempt) -> Receipt:
        tries.append(clock.monotonic())
        after_s = next(asked, None)
        if after_s is None:
            return await takes_it(due, attempt)
        raise TryLater("later", after_s)

    station.script = asks
    async with virtual_house(clock, station) as h:
        await h.post()
        await h.until(lambda: len(station.seen) == 1, 1000)
        waits = [later - earlier for earlier, later in pairwise(tries)]
        assert waits == pytest.approx([300, 0.1, 0.1, 0.1], abs=0.01)


@on_virtual_time
async def test_stopping_takes_ten_seconds_at_most_whatever_hangs(clock: SetClock) -> None:
    station = ScriptedStation()

    async def hangs(due: Due, attempt: Attempt) -> Receipt:
        await asyncio.Event().wait()
        raise AssertionError

    async def never(*arguments: object, **named: object) -> None:
        await asyncio.Event().wait()

    station.script = hangs
    async with virtual_house(clock, station) as h:
        await h.post()
        await asyncio.sleep(1)
        for name in ("accept", "settle", "release"):
            setattr(h.store, name, never)
        began = clock.monotonic()
        await h.gateway.stop()
        assert clock.monotonic() - began <= 11


@on_virtual_time
async def test_what_another_node_accepted_into_the_shared_store_goes_out_too(clock: SetClock) -> None:
    here, there = ScriptedStation(), ScriptedStation()
    async with (
        virtual_house(clock, here, node="here", lease_ttl_s=2, shared=True) as h,
        virtual_house(clock, there, store=h.store, node="there", lease_ttl_s=2, shared=True) as other,
    ):
        await asyncio.sleep(3)
        for n in range(10):
            await (other if n % 2 else h).post(text=str(n))
        await h.until(lambda: len(here.seen) + len(there.seen) == 10)
        assert there.seen == []
        await asyncio.sleep(5)
        assert [due.event.text for due in here.seen] == [str(n) for n in range(10)]


@on_virtual_time
async def test_a_store_that_fails_to_give_the_photos_is_no_attempt_and_not_the_stations_fault(clock: SetClock) -> None:
    station = ScriptedStation()

    async def reads_photos(due: Due, attempt: Attempt) -> Receipt:
        await attempt.photos()
        return await takes_it(due, attempt)

    station.script = reads_photos
    async with virtual_house(clock, station) as h:
        real, failures = h.store.photos, 5

        async def flaky(seq: int) -> object:
            nonlocal failures
            failures -= 1
            if failures >= 0:
                raise StoreUnavailable("disk")
            return await real(seq)

        h.store.photos = flaky  # type: ignore[method-assign,assignment]
        taken = await h.post()
        await h.settles(taken, "arc", "delivered")
        delivery = await h.store.delivery(DeliveryKey(taken.seq, "arc"))
        assert delivery is not None
        assert delivery.attempts == 1
        assert h.gateway.live_state("arc") == ("up", "")


@on_virtual_time
async def test_expiries_are_told_once_a_minute_and_the_rest_at_the_end(clock: SetClock) -> None:
    station, other = ScriptedStation(), ScriptedStation("backup")
    station.script = unreachable

    def told() -> list[str]:
        return [due.event.text for due in other.seen if due.event.kind == "trouble"]

    async with virtual_house(clock, station, other, retry=Retry(expire_s=30)) as h:
        for n in range(100):
            await h.post(device=f"d{n % 3}")
            await asyncio.sleep(1)
        await asyncio.sleep(150)
        assert 2 <= len(told()) <= 4
        assert sum(int(text.split(": ")[1].split()[0]) for text in told()) == 100
        await h.post()
        await h.gateway.stop(announce=False)
        with pytest.raises(IntakeClosed):
            await h.post()
