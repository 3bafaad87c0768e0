"""What goes wrong only when two things happen at once: nothing accepted may be stuck, stale or sent for nothing."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from tests.engine.conftest import Open, ScriptedStation, takes_it

from tocsin.engine.backoff import Retry
from tocsin.engine.contracts import Attempt, IntakeClosed, LinkDown, PhotoIn, Submission, TryLater
from tocsin.engine.routing import Filter
from tocsin.engine.submission import EventIn, submission
from tocsin.model.delivery import DeliveryKey, Due, Receipt
from tocsin.model.event import Actor, Event
from tocsin.store.contract import Accepted, Arrival, StoreUnavailable

JPEG = b"\xff\xd8\xff\xe0picture"
PERSONS = {"arc": Filter(actors=frozenset({"person"}))}


def gated(store: Any, name: str) -> tuple[asyncio.Event, asyncio.Event]:
    """Holds the store's method back: the first event is set when it is called, setting the second lets it go on."""
    called, go = asyncio.Event(), asyncio.Event()
    real = getattr(store, name)

    async def held(*arguments: Any, **named: Any) -> Any:
        called.set()
        await go.wait()
        return await real(*arguments, **named)

    setattr(store, name, held)
    return called, go


async def test_what_a_vanished_sender_handed_in_is_delivered_and_its_repeat_knows_it(house: Open) -> None:
    station = ScriptedStation()
    async with house([station]) as h:
        now = h.gateway.clock.now()
        event = Event("", "fire", now, now, "panels", device_id="d1")
        given = Submission(event, repeat_key=b"k", repeat_window_s=90)
        called, go = gated(h.store, "accept")
        first = asyncio.create_task(h.hand_in(given))
        await called.wait()
        repeat = asyncio.create_task(h.hand_in(given))
        first.cancel()
        await asyncio.wait([first])
        go.set()
        assert (await repeat).duplicate
        assert (await h.hand_in(given)).duplicate
        await station.until(lambda: station.kinds() == ["fire"])


async def test_a_commit_whose_answer_was_lost_is_delivered(house: Open) -> None:
    station = ScriptedStation()
    async with house([station]) as h:
        before = await h.post(text="before")
        await h.settles(before, "arc", "delivered")
        real = h.store.accept

        async def in_doubt(arrivals: Sequence[Arrival]) -> Sequence[Accepted]:
            await real(arrivals)
            h.store.accept = real
            raise StoreUnavailable("the answer never came")

        h.store.accept = in_doubt
        with pytest.raises(IntakeClosed):
            await h.post(id="own", text="doubtful")
        again = await h.post(id="own", text="doubtful")
        assert again.duplicate
        await h.settles(again, "arc", "delivered")


async def test_a_retry_whose_answer_was_lost_is_delivered(house: Open) -> None:
    station = ScriptedStation()
    station.no_address = "no address"
    async with house([station]) as h:
        taken = await h.post()
        station.no_address = ""
        await h.settles(await h.post(text="later"), "arc", "delivered")
        real = h.store.resubmit

        async def in_doubt(*arguments: Any) -> Due | None:
            await real(*arguments)
            raise StoreUnavailable("the answer never came")

        h.store.resubmit = in_doubt
        with pytest.raises(StoreUnavailable):
            await h.gateway.retry(DeliveryKey(taken.seq, "arc"), "eva")
        await h.settles(taken, "arc", "delivered")


async def test_discarding_what_is_under_way_ends_it_and_frees_its_queue(house: Open) -> None:
    station = ScriptedStation()
    under_way, fail = asyncio.Event(), asyncio.Event()
    tries: list[str] = []

    async def poisoned(due: Due, attempt: Attempt) -> Receipt:
        tries.append(due.event.text)
        if due.event.text != "poison":
            return await takes_it(due, attempt)
        under_way.set()
        await fail.wait()
        raise TryLater("no answer")

    station.script = poisoned
    async with house([station], retry=Retry(first_s=60)) as h:
        poison = await h.post(text="poison")
        await under_way.wait()
        behind = await h.post(text="behind")
        assert await h.gateway.discard(DeliveryKey(poison.seq, "arc"), "eva")
        fail.set()
        await h.settles(behind, "arc", "delivered")
        assert tries == ["poison", "behind"]
        assert (await h.states(poison))["arc"] == "discarded"


async def test_discarding_what_waits_for_its_retry_lets_the_next_go_at_once(house: Open) -> None:
    station = ScriptedStation()

    async def refuses_poison(due: Due, attempt: Attempt) -> Receipt:
        if due.event.text == "poison":
            raise TryLater("busy", 60)
        return await takes_it(due, attempt)

    station.script = refuses_poison
    async with house([station]) as h:
        poison = await h.post(text="poison")
        behind = await h.post(text="behind")
        await h.settles(poison, "arc", "retrying")
        assert await h.gateway.discard(DeliveryKey(poison.seq, "arc"), "eva")
        await h.settles(behind, "arc", "delivered")


async def test_opened_again_while_its_old_attempt_is_under_way_it_goes_to_the_new_address(house: Open) -> None:
    station = ScriptedStation()
    under_way, fail = asyncio.Event(), asyncio.Event()

    async def first_hangs(due: Due, attempt: Attempt) -> Receipt:
        if not under_way.is_set():
            under_way.set()
            await fail.wait()
            raise TryLater("no answer")
        return await takes_it(due, attempt)

    station.script = first_hangs
    async with house([station], retry=Retry(first_s=60)) as h:
        taken = await h.post()
        key = DeliveryKey(taken.seq, "arc")
        await under_way.wait()
        assert await h.gateway.discard(key, "eva")
        assert await h.gateway.retry(key, "eva")
        fail.set()
        await h.settles(taken, "arc", "delivered")
        assert len({due.number for due in station.seen}) == 1


async def test_what_comes_late_is_sent_although_the_delivery_already_waited_for_the_link(house: Open) -> None:
    station = ScriptedStation()
    refused, up = asyncio.Event(), asyncio.Event()

    async def down_at_first(due: Due, attempt: Attempt) -> Receipt:
        if not up.is_set():
            refused.set()
            raise LinkDown("refused")
        return await takes_it(due, attempt)

    station.script = down_at_first
    async with house([station], hold_s=0) as h:
        taken = await h.post()
        await refused.wait()
        await h.gateway.amend(taken.id, (Actor("person", 0.9),), None, "detectors")
        up.set()
        await h.settles(taken, "arc", "delivered")
        assert station.seen[0].event.actors == (Actor("person", 0.9),)


async def test_what_came_in_part_is_sent_in_part_when_the_wait_is_over(house: Open) -> None:
    station = ScriptedStation()
    async with house([station], hold_s=0.3) as h:
        taken = await h.post(photos_expected=2)
        assert await h.gateway.add_photos(taken.id, [PhotoIn(JPEG)]) == []
        await h.settles(taken, "arc", "delivered")
        assert station.seen[0].event.photos == 1


async def test_late_actors_and_late_photos_at_once_do_not_undo_each_other(house: Open) -> None:
    station = ScriptedStation()
    async with house([station], hold_s=60) as h:
        taken = await h.post(photos_expected=2, classification="pending")
        await asyncio.gather(
            h.gateway.amend(taken.id, (Actor("person", 0.9),), "done", "detectors"),
            h.gateway.add_photos(taken.id, [PhotoIn(JPEG)]),
            h.gateway.add_photos(taken.id, [PhotoIn(JPEG + b"2")]),
        )
        await h.settles(taken, "arc", "delivered")
        (due,) = station.seen
        assert (due.event.photos, due.event.actors) == (2, (Actor("person", 0.9),))


async def test_a_motion_still_to_be_classified_is_not_filtered_by_its_actors(house: Open) -> None:
    station = ScriptedStation()
    async with house([station], filters=PERSONS, hold_s=60) as h:
        person = await h.post(classification="pending")
        cat = await h.post(classification="pending", device="d2")
        await h.gateway.amend(person.id, (Actor("person", 0.9),), "done", "detectors")
        await h.gateway.amend(cat.id, (), "done", "detectors")
        await h.settles(person, "arc", "delivered")
        await h.settles(cat, "arc", "filtered")
        assert len(station.seen) == 1


async def test_a_motion_never_classified_is_sent_when_the_wait_is_over(house: Open) -> None:
    station = ScriptedStation()
    async with house([station], filters=PERSONS, hold_s=0.05) as h:
        await h.settles(await h.post(classification="pending"), "arc", "delivered")


async def test_a_defect_in_one_destinations_addressing_does_not_keep_the_event_from_the_others(house: Open) -> None:
    broken, sound = ScriptedStation("broken"), ScriptedStation("sound")
    broken.address = lambda event, device: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    async with house([broken, sound]) as h:
        taken = await h.post()
        await h.settles(taken, "sound", "delivered")
        assert (await h.states(taken))["broken"] == "rejected"


async def test_a_test_that_the_format_cannot_say_is_not_sent_without_address(house: Open) -> None:
    station = ScriptedStation()
    real = station.address

    def mute(event: Event, device: Any) -> Any:
        from msgspec.structs import replace

        return replace(real(event, device), address="", unsupported="no word for it")

    station.address = mute  # type: ignore[method-assign]
    async with house([station]) as h:
        taken = await h.gateway.test("arc", "eva")
        assert (await h.states(taken))["arc"] == "filtered"
        assert taken.destinations == ()


async def test_after_a_doubt_nothing_acknowledged_but_unwritten_is_sent_again(house: Open) -> None:
    station = ScriptedStation()
    async with house([station]) as h:
        called, go = gated(h.store, "settle")
        taken = await h.post()
        await called.wait()
        pump = h.gateway._pumps["arc"]
        pump.doubt()
        behind = await h.post(device="d2")
        await station.until(lambda: len(station.seen) >= 2)
        go.set()
        await h.settles(behind, "arc", "delivered")
        await h.settles(taken, "arc", "delivered")
        assert [due.key.event_seq for due in station.seen] == [taken.seq, behind.seq]


async def test_a_pump_that_broke_begins_anew_with_what_was_under_way(house: Open) -> None:
    station = ScriptedStation()
    under_way, hang = asyncio.Event(), True

    async def hangs_at_first(due: Due, attempt: Attempt) -> Receipt:
        nonlocal hang
        if hang:
            hang = False
            under_way.set()
            await asyncio.Event().wait()
        return await takes_it(due, attempt)

    station.script = hangs_at_first
    async with house([station]) as h:
        taken = await h.post()
        await under_way.wait()
        real = h.store.due

        async def breaks(*arguments: Any, **named: Any) -> Any:
            h.store.due = real
            raise ZeroDivisionError

        h.store.due = breaks
        h.gateway._pumps["arc"].look()
        await h.settles(taken, "arc", "delivered")


async def test_a_photo_check_that_hangs_or_breaks_costs_the_photo_only(
    house: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.engine.intake.PHOTO_LIMIT_S", 0.05)

    async def bad(picture: PhotoIn) -> bytes | str:
        if picture.data == b"hang":
            await asyncio.Event().wait()
        raise ZeroDivisionError

    async with house([ScriptedStation()]) as h:
        h.gateway.intake._parts = h.gateway.intake._parts._replace(photo_check=bad)
        given = submission(EventIn("fire", "d1"), "detectors", h.gateway.clock.now(), [PhotoIn(b"hang"), PhotoIn(b"x")])
        taken = await h.hand_in(given)
        assert [one.n for one in taken.photos_refused] == [1, 2]
        await h.settles(taken, "arc", "delivered")


async def test_expired_deliveries_are_told_once_for_many(house: Open) -> None:
    station, other = ScriptedStation(), ScriptedStation("backup")

    async def never(due: Due, attempt: Attempt) -> Receipt:
        raise LinkDown("no route")

    station.script = never
    async with house([station, other], retry=Retry(first_s=0.01, expire_s=0.2)) as h:
        taken = [await h.post(device=f"d{n % 7}") for n in range(50)]
        await asyncio.gather(*(h.settles(one, "arc", "expired") for one in taken))
        await other.until(lambda: "trouble" in other.kinds())
        (said,) = [due.event.text for due in other.seen if due.event.kind == "trouble"]
        assert "deliveries to arc expired" in said
