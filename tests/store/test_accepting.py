"""Keeping events: numbering, duplicates, identifiers used twice, all or nothing."""

import asyncio

import pytest
from msgspec.structs import replace
from storekit.values import arrival, at, event, outcome, owed, own, photo

from tocsin.model.delivery import DeliveryKey
from tocsin.model.kinds import Lane
from tocsin.store.contract import EventFilter
from tocsin.store.open import open_store


async def all_ids(store):
    return [stored.event.id for stored in await store.events(EventFilter(limit=1000))][::-1]


async def test_everything_that_came_with_an_event_is_there(store):
    owing = [
        owed("arc", address="R1L2#9280|01-004", queue="9280", number=17),
        owed("cloud", Lane.STATUS, state="held", due_at=at(5), address="", queue="d1"),
        owed("mail", Lane.ROUTINE, state="filtered", reason="filter.kinds: no", address=""),
        owed("old", state="rejected", reason="no account", address="", queue=""),
    ]
    came = replace(arrival("E1", *owing, flags=("raw",), raw="<0A>"), photos=[photo(1), photo(2, b"\x00\xff")])

    [accepted] = await store.accept([came])

    assert accepted.event == came.event
    assert (accepted.seq, accepted.duplicate, list(accepted.owed)) == (1, False, owing)
    stored = await store.event("E1")
    assert (stored.seq, stored.event) == (1, came.event)
    assert list(await store.photos(1)) == list(came.photos)
    kept = (await store.deliveries_of([1]))[1]
    assert {one.key.destination: (one.lane, one.state, one.reason) for one in kept} == {
        "arc": (Lane.ALARM, "pending", ""),
        "cloud": (Lane.STATUS, "held", ""),
        "mail": (Lane.ROUTINE, "filtered", "filter.kinds: no"),
        "old": (Lane.ALARM, "rejected", "no account"),
    }
    arc = await store.delivery(DeliveryKey(1, "arc"))
    assert (arc.event_id, arc.address, arc.queue, arc.number) == ("E1", "R1L2#9280|01-004", "9280", 17)
    assert (arc.attempts, arc.accepted_at, arc.due_at) == (0, came.event.accepted_at, None)
    assert (await store.delivery(DeliveryKey(1, "cloud"))).due_at == at(5)


async def test_nothing_to_accept(store):
    assert list(await store.accept([])) == []


async def test_places_rise_by_one_in_the_order_asked(store):
    first = await store.accept([arrival(f"A{n}") for n in range(1203)])
    second = await store.accept([arrival("B")])
    assert [one.seq for one in first] == list(range(1, 1204))
    assert second[0].seq == 1204
    assert await all_ids(store) == [*(f"A{n}" for n in range(204, 1203)), "B"]


async def test_a_repeat_is_answered_with_what_was_kept(store):
    [first] = await store.accept([own("X", accepted_at=at(0))])
    [again] = await store.accept([own("X", accepted_at=at(9))])
    assert (again.seq, again.duplicate, again.event, again.owed) == (first.seq, True, first.event, ())
    assert await all_ids(store) == ["X"]


async def test_a_repeat_within_one_batch(store):
    one, again, other = await store.accept([own("X"), own("X"), own("Y")])
    assert (one.duplicate, again.duplicate, other.duplicate) == (False, True, False)
    assert (one.seq, again.seq, other.seq) == (1, 1, 2)


async def test_the_same_id_with_other_content_is_kept_and_flagged(store):
    await store.accept([own("X", "a")])
    [other] = await store.accept([own("X", "b", "ALT")])
    assert (other.event.id, other.event.flags, other.seq, other.duplicate) == ("ALT", ("id_reused",), 2, False)
    assert (await store.event("ALT")).event == other.event


async def test_the_same_id_from_another_device_is_another_event_without_a_flag(store):
    await store.accept([own("1", device_id="d1")])
    [other] = await store.accept([own("1", device_id="d2", alternate="ALT")])
    assert (other.event.id, other.event.flags, other.duplicate) == ("ALT", (), False)


async def test_a_repeat_of_an_event_kept_under_another_id_is_known(store):
    """Two devices that both count from 1: neither's resending makes a new event."""
    await store.accept([own("1", device_id="d1")])
    [kept] = await store.accept([own("1", device_id="d2", alternate="ALT1")])
    [again] = await store.accept([own("1", device_id="d2", alternate="ALT2")])
    assert (again.duplicate, again.seq, again.event) == (True, kept.seq, kept.event)


async def test_identifiers_of_all_shapes_meet_in_one_batch(store):
    batch = [own("X", "a"), own("X", "b"), own("X", "a"), own("X", "b"), arrival("G"), own("X", device_id="d9")]
    assert [(one.seq, one.duplicate) for one in await store.accept(batch)] == [
        (1, False),
        (2, False),
        (1, True),
        (2, True),
        (3, False),
        (4, False),
    ]


async def test_asking_again_after_a_commit_in_doubt(store):
    """The gateway's own identifiers settle it too: the same arrival is found, not stored twice."""
    [first] = await store.accept([arrival("G1")])
    again, new = await store.accept([arrival("G1"), arrival("G2")])
    assert (again.seq, again.duplicate, again.event) == (first.seq, True, first.event)
    assert (new.seq, new.duplicate) == (2, False)


async def test_what_shares_a_transaction_with_a_conflict_is_kept(store):
    await store.accept([arrival("G1")])
    answers = await asyncio.gather(*(store.accept([arrival(f"G{n}")]) for n in (5, 1, 6)), store.reserve("c", 1))
    assert [one[0].duplicate for one in answers[:3]] == [False, True, False]
    assert answers[3] == 1


async def test_all_of_a_batch_or_none(store):
    broken = replace(arrival("BAD"), owed=[owed("arc"), owed("arc")])
    good = asyncio.create_task(store.accept([arrival("GOOD")]))
    with pytest.raises(Exception, match=r"(?i)unique"):
        await store.accept([arrival("A"), broken, arrival("B")])
    assert (await good)[0].duplicate is False
    assert await all_ids(store) == ["GOOD"]
    assert [due.event.id for due in await store.due("arc", Lane.ALARM, 0, 10)] == ["GOOD"]
    assert store.writable()


async def test_many_callers_at_once(store):
    answers = await asyncio.gather(*(store.accept([arrival(f"E{n:03}")]) for n in range(300)))
    assert sorted(one[0].seq for one in answers) == list(range(1, 301))
    assert [one[0].event.id for one in answers] == [f"E{n:03}" for n in range(300)]
    assert len(await store.due("arc", Lane.ALARM, 0, 1000)) == 300


async def test_a_cancelled_caller_harms_nobody(store):
    tasks = [asyncio.create_task(store.accept([arrival(f"E{n}")])) for n in range(20)]
    await asyncio.sleep(0)
    tasks[3].cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in done].count(asyncio.CancelledError) == 1
    assert {one[0].event.id for one in done if isinstance(one, list)} >= {"E0", "E19"}


async def test_repeats_of_a_source_survive_reopening(place):
    first = open_store(place)
    await first.open()
    await first.accept(
        [
            replace(arrival("P1", source="panels", accepted_at=at(1)), repeat_key=b"k1\x00"),
            replace(arrival("P2", source="panels", accepted_at=at(2)), repeat_key=b"k2"),
            replace(arrival("Q1", source="others", accepted_at=at(2)), repeat_key=b"k3"),
            arrival("P3", source="panels", accepted_at=at(3)),
        ]
    )
    await first.aclose()
    again = open_store(place)
    await again.open()
    assert list(await again.recent_repeats("panels", at(1))) == [(b"k1\x00", at(1), 1), (b"k2", at(2), 2)]
    assert list(await again.recent_repeats("panels", at(1.5))) == [(b"k2", at(2), 2)]
    assert (await again.accept([arrival("P4")]))[0].seq == 5
    await again.aclose()


async def test_text_with_nul_is_kept_readable(store):
    [one] = await store.accept([arrival("E1", owed(address="#1\0", reason="\0"), device_id="d\0", text="a\0b")])
    assert (await store.event("E1")).event.text == "a\0b"
    assert [stored.seq for stored in await store.events(EventFilter(device_id="d\0"))] == [one.seq]
    await store.settle([outcome(1, "arc", "delivered", receipt="\0")])
    assert (await store.delivery(DeliveryKey(1, "arc"))).receipt == "␀"


async def test_what_cannot_be_stored_fails_at_its_caller(store):
    with pytest.raises(TypeError):
        await store.accept([arrival("N", accepted_at=at(0).replace(tzinfo=None))])
    assert await store.event("N") is None
    assert (await store.accept([arrival("E")]))[0].event == event("E")
