"""Late additions, and deliveries opened and closed by hand."""

from msgspec.structs import replace
from storekit.values import arrival, at, event, exchange, outcome, owed, photo

from tocsin.model.delivery import DeliveryKey
from tocsin.model.event import Actor
from tocsin.model.kinds import Lane

ARC = DeliveryKey(1, "arc")


async def test_a_late_classification_replaces_the_body(store):
    await store.accept([arrival("A", classification="pending"), arrival("B")])
    now = event("A", actors=(Actor("person", 0.93),), area="North")
    assert await store.amend(now) is True
    assert (await store.event("A")).event == now
    assert (await store.due("arc", Lane.ALARM, 0, 1))[0].event == now
    assert (await store.event("B")).event == event("B")
    assert await store.amend(event("nobody")) is False


async def test_late_photos_are_added_and_none_is_lost(store):
    await store.accept([replace(arrival("A", photos=1), photos=[photo(1, b"first")])])
    await store.amend(event("A", photos=2), [photo(2, b"second")])
    await store.amend(event("A", photos=2), [photo(2, b"another second")])
    await store.amend(event("A", photos=2), [photo(2, b"second")])
    assert [(one.n, one.data) for one in await store.photos(1)] == [
        (1, b"first"),
        (2, b"second"),
        (3, b"another second"),
    ]
    assert (await store.event("A")).event.photos == 3
    assert list(await store.photos(2)) == []


async def test_held_deliveries_of_an_event_become_due(store):
    held = owed("arc", state="held", due_at=at(10))
    await store.accept([arrival("A", held, replace(held, destination="web"), owed("mail")), arrival("B", held)])
    now = event("A", text="classified")
    await store.amend(now)
    dues = await store.unhold("A")
    assert {(due.key.destination, due.due_at, due.event) for due in dues} == {("arc", None, now), ("web", None, now)}
    assert list(await store.unhold("A")) == []
    assert list(await store.unhold("nobody")) == []
    assert [one.state for one in (await store.deliveries_of([1]))[1]] == ["pending"] * 3
    assert (await store.delivery(DeliveryKey(2, "arc"))).state == "held"


async def test_resubmitted_with_the_address_of_now(store):
    await store.accept([arrival("A", owed(state="rejected", reason="no account", address="", queue=""))])
    due = await store.resubmit(ARC, owed(address="#77", queue="77", number=5), at(9))
    assert (due.key, due.address, due.queue, due.number, due.event) == (ARC, "#77", "77", 5, event("A"))
    kept = await store.delivery(ARC)
    assert (kept.state, kept.address, kept.reason, kept.due_at) == ("pending", "#77", "", None)
    assert [one.key for one in await store.due("arc", Lane.ALARM, 0, 9)] == [ARC]
    assert [(one.result, one.at) for one in await store.trace(ARC)] == [("note", at(9))]


async def test_only_what_was_set_aside_is_opened_again(store):
    states = ["rejected", "expired", "discarded", "delivered", "superseded", "retrying"]
    await store.accept([arrival(f"E{n}") for n, _ in enumerate(states)])
    await store.settle([outcome(n, "arc", state) for n, state in enumerate(states, 1)])
    opened = [await store.resubmit(DeliveryKey(n, "arc"), owed(), at(9)) for n, _ in enumerate(states, 1)]
    assert [due is not None for due in opened] == [True, True, True, False, False, False]
    assert await store.resubmit(DeliveryKey(99, "arc"), owed(), at(9)) is None
    assert await store.resubmit(DeliveryKey(1, "nobody"), owed(), at(9)) is None


async def test_discarding(store):
    states = ["pending", "retrying", "rejected", "delivered", "expired", "discarded"]
    await store.accept([arrival(f"E{n}") for n, _ in enumerate(states)])
    await store.settle([outcome(n, "arc", state, exchanges=(exchange(1),)) for n, state in enumerate(states, 1)])
    done = [await store.discard(DeliveryKey(n, "arc"), "not ours", at(9)) for n, _ in enumerate(states, 1)]
    assert done == [True, True, True, False, False, False]
    assert await store.discard(DeliveryKey(99, "arc"), "x", at(9)) is False
    kept = await store.delivery(DeliveryKey(2, "arc"))
    assert (kept.state, kept.reason) == ("discarded", "not ours")
    assert [one.result for one in await store.trace(kept.key)] == ["silent", "note"]
    assert (await store.trace(kept.key))[1].note == "discarded by hand (was retrying): not ours"
    assert list(await store.due("arc", Lane.ALARM, 0, 9)) == []
