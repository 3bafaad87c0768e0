"""What is past retention goes in small bites; what is owed, and what proves a delivery, stays."""

from msgspec.structs import replace
from storekit.values import arrival, at, exchange, outcome, owed, own, photo

from tocsin.model.delivery import DeliveryKey
from tocsin.model.kinds import Lane
from tocsin.store.contract import AuditEntry, DeliveryFilter, EventFilter, Retention


def past(events=-1.0, photos=-1.0, receipts=-1.0, audit=-1.0):
    return Retention(at(events), at(photos), at(receipts), at(audit))


async def prune_all(store, retention, limit=100):
    total = 0
    while gone := await store.prune(retention, limit):
        total += gone
    return total


async def ids(store):
    return [stored.event.id for stored in await store.events(EventFilter(limit=1000))][::-1]


async def fill(store, count=5):
    """One event per second; all delivered but the second."""
    await store.accept(
        [replace(arrival(f"E{n}", accepted_at=at(n)), photos=[photo(1), photo(2)]) for n in range(1, count + 1)]
    )
    done = [n for n in range(1, count + 1) if n != 2]
    await store.settle([outcome(n, "arc", "delivered", exchanges=(exchange(1),)) for n in done])


async def test_nothing_is_old(store):
    await fill(store)
    assert await store.prune(past(), 100) == 0
    assert await ids(store) == ["E1", "E2", "E3", "E4", "E5"]


async def test_events_go_but_never_with_something_owed_and_receipts_stay(store):
    await fill(store)
    await prune_all(store, past(events=3.5))
    assert await ids(store) == ["E2", "E4", "E5"]
    assert await store.event("E1") is None
    assert list(await store.photos(1)) == []
    assert list(await store.trace(DeliveryKey(1, "arc"))) == []
    receipt = await store.delivery(DeliveryKey(1, "arc"))
    assert (receipt.state, receipt.event_id, receipt.accepted_at) == ("delivered", "E1", at(1))
    assert len(await store.photos(2)) == 2
    assert [due.event.id for due in await store.due("arc", Lane.ALARM, 0, 10)] == ["E2"]


async def test_what_was_owed_goes_once_it_has_ended(store):
    await fill(store)
    await prune_all(store, past(events=3.5, receipts=3.5))
    assert await ids(store) == ["E2", "E4", "E5"]
    await store.settle([outcome(2, "arc", "expired")])
    await prune_all(store, past(events=3.5, receipts=3.5))
    assert await ids(store) == ["E4", "E5"]
    assert [str(one.key) for one in await store.deliveries(DeliveryFilter())] == ["5.arc", "4.arc"]


async def test_photos_go_before_their_events(store):
    await fill(store)
    await prune_all(store, past(photos=3.5))
    assert await ids(store) == ["E1", "E2", "E3", "E4", "E5"]
    assert [len(await store.photos(n)) for n in range(1, 6)] == [0, 2, 0, 2, 2]


async def test_receipts_past_their_time_go_with_their_event(store):
    await fill(store)
    await prune_all(store, past(events=99, receipts=99, photos=99))
    assert [str(one.key) for one in await store.deliveries(DeliveryFilter())] == ["2.arc"]
    assert await ids(store) == ["E2"]


async def test_places_are_never_given_again(store):
    """Also when everything was deleted: a delivery's printed id names one delivery for ever."""
    await store.accept([arrival("E1", owed(state="filtered"), accepted_at=at(1))])
    await prune_all(store, past(events=99, receipts=99))
    assert await ids(store) == []
    assert (await store.accept([arrival("E2")]))[0].seq == 2


async def test_a_bite_is_small_and_the_bites_come_to_an_end(store):
    await fill(store, 40)
    assert 0 < await store.prune(past(events=99), 10) <= 10
    assert len(await ids(store)) == 30
    assert 0 < await store.prune(past(photos=99), 7) <= 7
    await prune_all(store, past(events=99, photos=99, receipts=99), 7)
    assert await ids(store) == ["E2"]


async def test_a_repeat_of_an_event_past_retention_is_still_a_repeat(store):
    await store.accept([own("X", accepted_at=at(1)), arrival("Z", accepted_at=at(50))])
    await store.settle([outcome(1, "arc", "delivered")])
    await prune_all(store, past(events=9))
    [again] = await store.accept([own("X", accepted_at=at(60))])
    assert (again.duplicate, again.seq, again.event.id) == (True, 1, "X")


async def test_set_aside_without_its_event_cannot_be_sent_again(store):
    await store.accept([arrival("A", owed(state="rejected"), accepted_at=at(1))])
    await prune_all(store, past(events=9))
    assert await store.resubmit(DeliveryKey(1, "arc"), owed(), at(10)) is None


async def test_old_audit_entries_go(store):
    for n in range(9):
        await store.audit(AuditEntry(at(n), "eva", "login", "console"))
    assert await store.prune(past(audit=5.5), 4) == 4
    assert await store.prune(past(audit=5.5), 4) == 2
    assert [entry.at for entry in await store.audit_entries(9)] == [at(8), at(7), at(6)]
