"""Numbers given once, and leases."""

import asyncio

import pytest
from storekit.values import at

from tocsin.store.contract import Lease
from tocsin.store.open import open_store


async def test_no_number_is_given_twice_also_not_after_reopening_or_by_another_node(place):
    given: list[int] = []

    async def take(store, count):
        first = await store.reserve("arc/9280", count)
        given.extend(range(first, first + count))

    first, second = open_store(place), open_store(place)
    await first.open()
    await second.open()
    await asyncio.gather(*(take(store, 1 + n % 4) for n in range(40) for store in (first, second)))
    await first.aclose()
    await second.aclose()
    again = open_store(place)
    await again.open()
    await take(again, 5)
    assert await again.reserve("arc/1", 2) == 1
    await again.aclose()
    assert sorted(given) == list(range(1, len(given) + 1))


async def test_nonsense_is_not_reserved(store):
    with pytest.raises(ValueError, match="cannot reserve 0"):
        await store.reserve("x", 0)


async def test_claim_renew_refuse_take_over(store):
    assert await store.claim("arc", "node1", 2, at(0)) == Lease("arc", "node1", 1, at(2))
    assert await store.claim("arc", "node1", 2, at(1)) == Lease("arc", "node1", 1, at(3))
    assert await store.claim("arc", "node2", 2, at(2.9)) is None
    assert await store.claim("other", "node2", 2, at(2.9)) == Lease("other", "node2", 1, at(4.9))
    assert await store.claim("arc", "node2", 2, at(3)) == Lease("arc", "node2", 2, at(5))
    assert await store.claim("arc", "node1", 2, at(4)) is None
    assert await store.claim("arc", "node2", 2, at(9)) == Lease("arc", "node2", 3, at(11))


async def test_a_released_lease_is_free_and_the_next_epoch_is_higher(store):
    lease = await store.claim("arc", "node1", 60, at(0))
    await store.release(lease)
    newer = await store.claim("arc", "node2", 60, at(1))
    assert newer.epoch == 2
    await store.release(lease)  # too late: it is another's now
    assert await store.claim("arc", "node1", 60, at(2)) is None


async def test_of_many_claimants_one_wins(place):
    nodes = [open_store(place) for _ in range(2)]
    for node in nodes:
        await node.open()
    claims = [node.claim("arc", f"n{i}-{j}", 5, at(0)) for i, node in enumerate(nodes) for j in range(10)]
    won = [lease for lease in await asyncio.gather(*claims) if lease is not None]
    assert len(won) == 1
    assert won[0].epoch == 1
    for node in nodes:
        await node.aclose()
