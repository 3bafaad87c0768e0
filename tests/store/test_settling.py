"""Due deliveries in order, and what attempts change about them."""

import asyncio

from msgspec.structs import replace
from storekit.values import arrival, at, exchange, outcome, owed

from tocsin.model.delivery import DeliveryKey
from tocsin.model.kinds import Lane
from tocsin.store.contract import Lease


async def seqs(store, destination="arc", lane=Lane.ALARM, after=0, limit=1000, **more):
    return [due.key.event_seq for due in await store.due(destination, lane, after, limit, **more)]


async def test_due_is_in_order_in_chunks_and_of_one_lane_and_destination(store):
    lanes = [Lane.ALARM, Lane.STATUS, Lane.ROUTINE]
    await store.accept([arrival(f"E{n}", owed("arc", lanes[n % 3]), owed("web", Lane.ALARM)) for n in range(30)])
    assert await seqs(store) == list(range(1, 31, 3))
    assert await seqs(store, lane=Lane.ROUTINE) == list(range(3, 31, 3))
    assert await seqs(store, "web", limit=4) == [1, 2, 3, 4]
    assert await seqs(store, "web", after=4, limit=4) == [5, 6, 7, 8]
    assert await seqs(store, "nobody") == []


async def test_due_of_one_queue_and_without_some(store):
    await store.accept([arrival(f"E{n}", owed(queue=f"q{n % 3}")) for n in range(9)])
    assert await seqs(store, queue="q1") == [2, 5, 8]
    assert await seqs(store, queue="q1", after=2, limit=1) == [5]
    assert await seqs(store, without=["q1", "q2"]) == [1, 4, 7]
    assert await seqs(store, without=["q0"], after=2, limit=2) == [3, 5]


async def test_a_due_delivery_carries_its_event_and_what_the_attempts_left(store):
    came = arrival("E1", owed(address="#1|2-3", queue="1", number=9), text="north gate")
    await store.accept([came])
    await store.settle([outcome(1, "arc", "retrying", 3, due_at=at(60))])
    [due] = await store.due("arc", Lane.ALARM, 0, 10)
    assert (due.key, due.event, due.lane) == (DeliveryKey(1, "arc"), came.event, Lane.ALARM)
    assert (due.address, due.queue, due.number, due.attempts, due.due_at) == ("#1|2-3", "1", 9, 3, at(60))


async def test_held_and_retrying_are_still_open(store):
    await store.accept([arrival("A", owed(state="held", due_at=at(9))), arrival("B"), arrival("C")])
    await store.settle([outcome(2, "arc", "retrying", due_at=at(1)), outcome(3, "arc", "delivered")])
    assert await seqs(store) == [1, 2]


async def test_a_receipt(store):
    await store.accept([arrival("A")])
    delivered = outcome(1, "arc", "delivered", 2, at=at(7), host="192.0.2.5:4001", receipt="ACK 0001")
    assert list(await store.settle([delivered])) == [delivered.key]
    kept = await store.delivery(delivered.key)
    assert (kept.state, kept.attempts, kept.delivered_at) == ("delivered", 2, at(7))
    assert (kept.host, kept.receipt, kept.due_at) == ("192.0.2.5:4001", "ACK 0001", None)
    assert await seqs(store) == []
    assert await store.last_delivered("arc") == kept


async def test_what_is_no_longer_open_is_left_out(store):
    await store.accept([arrival("A"), arrival("B")])
    await store.discard(DeliveryKey(1, "arc"), "by hand", at(1))
    late = [outcome(1, "arc", "delivered"), outcome(2, "arc", "delivered"), outcome(3, "arc", "delivered")]
    assert list(await store.settle([*late, outcome(1, "nobody", "delivered")])) == [DeliveryKey(2, "arc")]
    assert (await store.delivery(DeliveryKey(1, "arc"))).state == "discarded"
    assert list(await store.settle(late)) == []
    assert list(await store.settle([])) == []


async def test_a_lost_lease_writes_nothing(store):
    await store.accept([arrival("A"), arrival("B")])
    old = await store.claim("arc", "node1", 2, at(0))
    new = await store.claim("arc", "node2", 2, at(3))
    first, second = outcome(1, "arc", "delivered"), outcome(2, "arc", "retrying")
    fenced, taken = await asyncio.gather(store.settle([first, second], old), store.settle([second], new))
    assert (list(fenced), list(taken)) == ([], [second.key])
    assert (await store.delivery(first.key)).state == "pending"
    assert list(await store.settle([first], Lease("never claimed", "x", 1, at(0)))) == []


async def test_an_expired_lease_nobody_took_still_counts(store):
    await store.accept([arrival("A")])
    lease = await store.claim("arc", "node1", 2, at(0))
    assert list(await store.settle([outcome(1, "arc", "delivered", at=at(100))], lease)) == [DeliveryKey(1, "arc")]


async def test_the_same_delivery_twice_in_one_call_goes_through_both_states(store):
    await store.accept([arrival("A")])
    steps = [outcome(1, "arc", "retrying", 1, exchanges=(exchange(1),)), outcome(1, "arc", "delivered", 2)]
    again = outcome(1, "arc", "delivered", 3, receipt="late")
    assert list(await store.settle([*steps, again])) == [DeliveryKey(1, "arc")] * 2
    kept = await store.delivery(DeliveryKey(1, "arc"))
    assert (kept.state, kept.attempts, kept.receipt) == ("delivered", 2, "")
    assert len(await store.trace(kept.key)) == 1


async def test_many_settled_at_once(store):
    await store.accept([arrival(f"E{n}", owed("arc"), owed("web")) for n in range(1500)])
    outcomes = [outcome(seq, name, "delivered") for seq in range(1, 1501) for name in ("web", "arc")]
    assert list(await store.settle(outcomes)) == [one.key for one in outcomes]
    assert await seqs(store) == await seqs(store, "web") == []
    assert (await store.last_delivered("web")).key == DeliveryKey(1500, "web")


async def test_exchanges_are_kept_in_order_and_bounded(store):
    await store.accept([arrival("A"), arrival("B")])
    await store.settle([outcome(2, "arc", "retrying", exchanges=(exchange(1), exchange(2)))])
    assert list(await store.trace(DeliveryKey(2, "arc"))) == [exchange(1), exchange(2)]
    sent = 0
    for size in (1, 3, 18, 1, 7, 45, 2):
        burst = tuple(exchange(n) for n in range(sent + 1, sent + size + 1))
        await store.settle([outcome(1, "arc", "retrying", exchanges=burst)])
        sent += size
        expected = range(1, sent + 1) if sent <= 21 else [1, *range(sent - 19, sent + 1)]
        assert list(await store.trace(DeliveryKey(1, "arc"))) == [exchange(n) for n in expected]
    assert list(await store.trace(DeliveryKey(9, "arc"))) == []


async def test_a_huge_answer_is_cut(store):
    await store.accept([arrival("A")])
    huge = replace(exchange(1), answer="x" * 1_000_000)
    await store.settle([outcome(1, "arc", "retrying", exchanges=(huge,))])
    [kept] = await store.trace(DeliveryKey(1, "arc"))
    assert len(kept.answer) < 40_000
    assert kept.answer.endswith("(967232 more characters)")


async def test_backlog_counts_open_deliveries_per_lane(store):
    lanes = [Lane.ALARM, Lane.ALARM, Lane.ALARM, Lane.ROUTINE]
    await store.accept([arrival(f"E{n}", owed(lane=lane), accepted_at=at(n)) for n, lane in enumerate(lanes)])
    await store.settle([outcome(1, "arc", "delivered"), outcome(2, "arc", "retrying")])
    backlog = await store.backlog("arc")
    assert {lane: (one.pending, one.oldest) for lane, one in backlog.items()} == {
        Lane.ALARM: (2, at(1)),
        Lane.STATUS: (0, None),
        Lane.ROUTINE: (1, at(3)),
    }
    assert {one.pending for one in (await store.backlog("nobody")).values()} == {0}


async def test_last_delivered_is_the_latest_by_its_instant(store):
    await store.accept([arrival(f"E{n}") for n in range(3)])
    assert await store.last_delivered("arc") is None
    await store.settle([outcome(2, "arc", "delivered", at=at(5)), outcome(1, "arc", "delivered", at=at(4))])
    assert (await store.last_delivered("arc")).key.event_seq == 2
    await store.settle([outcome(3, "arc", "rejected", at=at(6))])
    assert (await store.last_delivered("arc")).key.event_seq == 2


async def test_what_newer_ones_make_needless_is_closed_and_forgotten_where_nobody_else_is_told(store):
    await store.accept(
        [
            arrival("alone", owed("cloud"), owed("arc", state="filtered")),
            arrival("both", owed("cloud"), owed("arc")),
            arrival("told", owed("cloud"), owed("arc")),
            arrival("newest", owed("cloud")),
        ]
    )
    await store.settle([outcome(1, "cloud", "retrying", exchanges=(exchange(1),)), outcome(3, "arc", "delivered")])
    gone = [outcome(seq, "cloud", "superseded") for seq in (1, 2, 3)]
    lease = await store.claim("destination/cloud", "here", 60, at(0))
    assert list(await store.supersede(gone, replace(lease, epoch=lease.epoch - 1))) == []
    assert list(await store.supersede(gone, lease)) == [one.key for one in gone]
    assert await seqs(store, "cloud") == [4]
    assert await store.event("alone") is None
    assert [await store.delivery(DeliveryKey(1, name)) for name in ("cloud", "arc")] == [None, None]
    assert (await store.delivery(DeliveryKey(2, "cloud"))).state == "superseded"
    assert [one.event.id for one in [await store.event("both"), await store.event("told")]] == ["both", "told"]
    assert await seqs(store) == [2]
    assert list(await store.supersede([*gone, outcome(2, "arc", "superseded")])) == [DeliveryKey(2, "arc")]
    assert await store.event("both") is None
    assert list(await store.supersede([])) == []
    [after] = await store.accept([arrival("later")])
    assert after.seq == 5
