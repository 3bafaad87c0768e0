"""The way of an event through the real engine and a real store, with stations that do as the test says."""

import asyncio

import pytest
from tests.engine.conftest import Open, ScriptedStation, takes_it

from tocsin.engine.backoff import Retry
from tocsin.engine.contracts import Attempt, IntakeClosed, LinkDown, Rejected, TryLater
from tocsin.engine.routing import Filter
from tocsin.engine.submission import ActorIn, PhotoPart
from tocsin.engine.window import PER_LANE
from tocsin.model.delivery import DeliveryKey, Due, Receipt
from tocsin.model.event import Actor
from tocsin.telemetry.occurrences import DestinationCameUp, DestinationWentDown

JPEG = b"\xff\xd8\xff\xe0picture"


async def test_accepted_delivered_and_proved(house: Open) -> None:
    station = ScriptedStation()
    async with house([station]) as h:
        taken = await h.post(photos=[PhotoPart(JPEG), PhotoPart(b"GIF89a")])
        assert taken.destinations == ("arc",)
        assert [(one.n, one.reason) for one in taken.photos_refused] == [(2, "it does not begin like a JPEG")]
        await h.settles(taken, "arc", "delivered")
        delivery = await h.store.delivery(DeliveryKey(taken.seq, "arc"))
        assert (delivery.receipt, delivery.host, delivery.attempts) == ("ACK", "station:1", 1)
        (exchange,) = await h.store.trace(delivery.key)
        assert (exchange.sent, exchange.answer, exchange.result) == ("frame", "ACK", "delivered")
        assert station.seen[0].event.place.area == "Depot"
        assert [photo.data for photo in await h.store.photos(taken.seq)] == [JPEG]


async def test_a_repeat_with_an_own_id_is_not_a_new_event(house: Open) -> None:
    station = ScriptedStation()
    async with house([station]) as h:
        first = await h.post(id="x1", text="a")
        again = await h.post(id="x1", text="a")
        other = await h.post(id="x1", text="b")
        other_again = await h.post(id="x1", text="b")
        assert (again.duplicate, again.id) == (True, first.id)
        assert not other.duplicate
        assert other.id != first.id
        assert (other_again.duplicate, other_again.id) == (True, other.id)
        stored = await h.store.event(other.id)
        assert "id_reused" in stored.event.flags
        await station.until(lambda: len(station.seen) == 2)


async def test_an_unknown_device_is_kept_and_flagged(house: Open) -> None:
    async with house([ScriptedStation()]) as h:
        taken = await h.post(device="nobody")
        stored = await h.store.event(taken.id)
        assert stored.event.flags == ("unknown_device",)


async def test_order_per_queue_and_alarms_first(house: Open) -> None:
    station = ScriptedStation(concurrency=2)
    async with house([station]) as h:
        h.gateway._pumps["arc"].pause()
        for n in range(30):
            await h.post("battery_low", f"d{n % 3}", text=str(n))
        for n in range(30):
            await h.post("tamper", f"d{n % 3}", text=str(n))
        h.gateway._pumps["arc"].resume()
        await station.until(lambda: len(station.seen) == 60)
        assert set(station.kinds()[:30]) == {"tamper"}
        for device in ("d0", "d1", "d2"):
            for kind in ("tamper", "battery_low"):
                mine = [
                    int(due.event.text)
                    for due in station.seen
                    if due.event.device_id == device and due.event.kind == kind
                ]
                assert mine == sorted(mine)


async def test_a_backlog_larger_than_memory_is_brought_out_in_order(house: Open) -> None:
    station = ScriptedStation(concurrency=8)
    async with house([station]) as h:
        await h.gateway.pause("arc", "test")
        for start in range(0, 3000, 500):
            await asyncio.gather(*(h.post("tamper", f"d{n % 5}", text=str(n)) for n in range(start, start + 500)))
        await h.gateway.resume("arc", "test")
        await station.until(lambda: len(station.seen) == 3000, 60)
        for device in range(5):
            mine = [due.key.event_seq for due in station.seen if due.queue == f"d{device}"]
            assert mine == sorted(mine)


async def test_a_dead_link_waits_and_uses_up_no_attempt(house: Open) -> None:
    station = ScriptedStation()
    tries = 0

    async def refuses_connections(due: Due, attempt: Attempt) -> Receipt:
        nonlocal tries
        tries += 1
        if tries < 4:
            attempt.exchanged("station:1", "unreachable", note="refused")
            raise LinkDown("connection refused")
        return await takes_it(due, attempt)

    station.script = refuses_connections
    other = ScriptedStation("backup")
    async with house([station, other]) as h:
        taken = await h.post()
        await h.settles(taken, "arc", "delivered")
        delivery = await h.store.delivery(DeliveryKey(taken.seq, "arc"))
        assert delivery.attempts == 1
        assert [one.result for one in await h.store.trace(delivery.key)] == ["unreachable"] * 3 + ["delivered"]
        downs = [one for one in h.occurrences if isinstance(one, DestinationWentDown)]
        ups = [one for one in h.occurrences if isinstance(one, DestinationCameUp)]
        assert (len(downs), len(ups)) == (1, 1)
        await other.until(lambda: {"destination_down", "destination_up"} <= set(other.kinds()))
        assert {due.event.flags for due in other.seen if due.event.kind.startswith("destination")} == {()}
        assert set(station.kinds()) == {"motion"}


async def test_what_fails_for_now_holds_only_its_queue(house: Open) -> None:
    station = ScriptedStation()
    failed = 0

    async def one_device_fails_twice(due: Due, attempt: Attempt) -> Receipt:
        nonlocal failed
        if due.queue == "d1" and failed < 2:
            failed += 1
            raise TryLater("busy")
        return await takes_it(due, attempt)

    station.script = one_device_fails_twice
    async with house([station], retry=Retry(first_s=0.2)) as h:
        first = await h.post(device="d1", text="1")
        second = await h.post(device="d1", text="2")
        third = await h.post(device="d2", text="3")
        await h.settles(third, "arc", "delivered")
        assert (await h.states(first))["arc"] == "retrying"
        assert (await h.states(second))["arc"] == "pending"
        await h.settles(second, "arc", "delivered")
        assert [due.event.text for due in station.seen] == ["3", "1", "2"]
        assert (await h.store.delivery(DeliveryKey(first.seq, "arc"))).attempts == 3


async def test_a_thousand_that_wait_for_their_retry_hold_up_no_fresh_alarm(house: Open) -> None:
    station = ScriptedStation(concurrency=8)
    asked: set[str] = set()

    async def busy_for_old_devices(due: Due, attempt: Attempt) -> Receipt:
        asked.add(due.queue)
        if due.queue.startswith("old"):
            raise TryLater("busy", 3600)
        return await takes_it(due, attempt)

    station.script = busy_for_old_devices
    old = [f"old-{n}" for n in range(PER_LANE + 200)]
    async with house([station]) as h:
        await h.gateway.pause("arc", "test")
        for start in range(0, len(old), 200):
            await asyncio.gather(*(h.post(device=device) for device in old[start : start + 200]))
        await h.gateway.resume("arc", "test")
        await station.until(lambda: asked >= set(old), 60)
        fresh = await h.post(device="fresh")
        await h.settles(fresh, "arc", "delivered")


async def test_what_is_refused_is_set_aside_and_can_be_tried_again(house: Open) -> None:
    station = ScriptedStation()

    async def refuses(due: Due, attempt: Attempt) -> Receipt:
        raise Rejected("DUH: unknown account")

    station.script = refuses
    async with house([station]) as h:
        taken = await h.post()
        after = await h.post(text="after")
        await h.settles(after, "arc", "rejected")
        key = DeliveryKey(taken.seq, "arc")
        assert (await h.store.delivery(key)).reason == "DUH: unknown account"
        station.script = takes_it
        assert await h.gateway.retry(key, "eva")
        await h.settles(taken, "arc", "delivered")
        assert not await h.gateway.retry(key, "eva")
        assert await h.gateway.discard(DeliveryKey(after.seq, "arc"), "eva")
        assert (await h.states(after))["arc"] == "discarded"


async def test_no_address_is_set_aside_with_its_reason(house: Open) -> None:
    station = ScriptedStation()
    station.no_address = "no address"
    async with house([station]) as h:
        taken = await h.post()
        delivery = await h.store.delivery(DeliveryKey(taken.seq, "arc"))
        assert (delivery.state, delivery.reason) == ("rejected", "no address")
        station.no_address = ""
        assert await h.gateway.retry(delivery.key, "eva")
        await h.settles(taken, "arc", "delivered")


async def test_a_filtered_event_says_why(house: Open) -> None:
    station = ScriptedStation()
    async with house([station], filters={"arc": Filter(areas=frozenset({"South"}))}) as h:
        taken = await h.post()
        delivery = await h.store.delivery(DeliveryKey(taken.seq, "arc"))
        assert delivery.state == "filtered"
        assert delivery.reason == "filter.areas: Depot is not in South"
        assert taken.destinations == ()


async def test_a_defect_in_a_destination_costs_an_attempt_and_stops_nobody(house: Open) -> None:
    station, other = ScriptedStation(), ScriptedStation("backup")
    tries = 0

    async def breaks_once(due: Due, attempt: Attempt) -> Receipt:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ZeroDivisionError
        return await takes_it(due, attempt)

    station.script = breaks_once
    async with house([station, other]) as h:
        taken = await h.post()
        await h.settles(taken, "backup", "delivered")
        await h.settles(taken, "arc", "delivered")
        assert tries == 2


async def test_what_waits_for_photos_goes_when_they_come(house: Open) -> None:
    station = ScriptedStation()
    async with house([station], hold_s=60) as h:
        taken = await h.post(photos_expected=1, classification="pending")
        assert (await h.states(taken))["arc"] == "held"
        await h.gateway.amend(taken.id, (Actor("person", 0.9),), "done", "detectors")
        assert await h.gateway.add_photos(taken.id, [PhotoPart(JPEG)]) == []
        await h.settles(taken, "arc", "delivered")
        assert station.seen[0].event.actors == (Actor("person", 0.9),)
        assert station.seen[0].event.photos == 1


async def test_what_waits_goes_without_them_when_its_time_is_up(house: Open) -> None:
    station = ScriptedStation()
    async with house([station], hold_s=0.05) as h:
        taken = await h.post(photos_expected=1)
        await h.settles(taken, "arc", "delivered")


async def test_what_waits_goes_when_no_photo_will_come(house: Open) -> None:
    station = ScriptedStation()
    async with house([station], hold_s=60) as h:
        taken = await h.post(photos_expected=2)
        assert await h.gateway.intake.add_photos(taken.id, [PhotoPart(JPEG)]) == []
        assert (await h.states(taken))["arc"] == "held"
        assert await h.gateway.intake.add_photos(taken.id, [], last=True) == []
        await h.settles(taken, "arc", "delivered")
        assert (station.seen[0].event.photos, station.seen[0].event.photos_expected) == (1, 1)
        assert await h.gateway.intake.add_photos("nobody", [], last=True) is None


async def test_expired_deliveries_end_and_are_told(house: Open) -> None:
    station, other = ScriptedStation(), ScriptedStation("backup")

    async def never(due: Due, attempt: Attempt) -> Receipt:
        raise LinkDown("no route")

    station.script = never
    async with house([station, other], retry=Retry(first_s=0.01, expire_s=0.05)) as h:
        taken = await h.post()
        await h.settles(taken, "arc", "expired")
        await other.until(lambda: "trouble" in other.kinds())


async def test_a_restart_brings_out_what_was_left(house: Open) -> None:
    station = ScriptedStation()

    async def hangs(due: Due, attempt: Attempt) -> Receipt:
        await asyncio.Event().wait()
        raise AssertionError

    station.script = hangs
    async with house([station]) as h:
        taken = [await h.post(text=str(n)) for n in range(5)]
        h.gateway._pumps["arc"].stop = _at_once
    revived = ScriptedStation()
    async with house([revived]) as h:
        await h.settles(taken[-1], "arc", "delivered")
        assert [due.event.text for due in revived.seen] == ["0", "1", "2", "3", "4"]
        numbers = [due.number for due in revived.seen]
        fresh = await h.post(text="5")
        await h.settles(fresh, "arc", "delivered")
        assert revived.seen[-1].number > max(numbers)


async def _at_once() -> None:
    return


async def test_supervision_polls_in_quiet_times(house: Open) -> None:
    station = ScriptedStation(supervision_s=0.02)
    async with house([station]):
        await station.until(lambda: station.polls >= 3)


async def test_a_stopping_gateway_takes_nothing(house: Open) -> None:
    async with house([ScriptedStation()]) as h:
        h.gateway.intake.open = False
        with pytest.raises(IntakeClosed):
            await h.post()


async def test_a_test_goes_to_one_destination_past_its_filter(house: Open) -> None:
    station, other = ScriptedStation(), ScriptedStation("backup")
    async with house([station, other], filters={"arc": Filter(kinds=frozenset({"fire"}))}) as h:
        taken = await h.gateway.test("arc", "eva")
        assert taken.destinations == ("arc",)
        await h.settles(taken, "arc", "delivered")
        assert station.seen[0].event.is_test
        assert other.seen == []


async def test_actors_from_the_sender_reach_the_filter(house: Open) -> None:
    station = ScriptedStation()
    async with house([station], filters={"arc": Filter(actors=frozenset({"person"}), min_confidence=0.5)}) as h:
        cat = await h.post()
        weak = await h.post(actors=[ActorIn("person", 0.4)])
        strong = await h.post(actors=[ActorIn("person", 0.6)])
        assert [(await h.states(one))["arc"] for one in (cat, weak)] == ["filtered", "filtered"]
        await h.settles(strong, "arc", "delivered")
