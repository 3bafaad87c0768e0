"""What links and tests need of the store: kept with their event, seen by every node, gone when their time is over."""

import hashlib
from datetime import timedelta

from msgspec.structs import replace
from storekit.values import arrival, at, own

from tocsin.model.on_test import OnTest
from tocsin.store.contract import Retention
from tocsin.store.open import open_store

TOKEN = "A" * 32
DIGEST = hashlib.sha256(TOKEN.encode()).digest()
TEST = OnTest("T1", "Depot", at(0), at(0) + timedelta(hours=2), "battery change", "eva", ("d1",), ("arc",), ("fire",))


async def test_an_event_is_found_by_its_links_digest_also_by_another_node(store, place):
    await store.accept([arrival("A"), arrival("B", link=TOKEN, url="https://source.example.net/1"), arrival("C")])
    other = open_store(place)
    await other.open()
    found = await other.link(DIGEST)
    assert (found.digest, found.stored.seq, found.stored.event.id, found.revoked_at) == (DIGEST, 2, "B", None)
    assert (found.stored.event.link, found.stored.event.url) == (TOKEN, "https://source.example.net/1")
    assert await other.link(b"x" * 32) is None
    assert await store.revoke_link(2, at(5))
    assert not await store.revoke_link(2, at(6))
    assert not await store.revoke_link(1, at(6))
    assert (await other.link(DIGEST)).revoked_at == at(5)
    await other.aclose()


async def test_a_repeat_makes_no_second_link(store):
    first = own("A", link=TOKEN)
    await store.accept([first])
    again = replace(first, event=replace(first.event, link="B" * 32))
    (kept,) = await store.accept([again])
    assert (kept.duplicate, kept.event.link) == (True, TOKEN)
    assert await store.link(hashlib.sha256(b"B" * 32).digest()) is None


async def test_a_link_goes_with_its_event(store):
    await store.accept([arrival("A", link=TOKEN)])
    await store.discard((await store.deliveries_of([1]))[1][0].key, "enough", at(1))
    await store.accept([arrival("C", accepted_at=at(100))])
    await store.prune(Retention(at(50), at(50), at(-1), at(-1)), 100)
    assert await store.event("A") is None
    assert await store.link(DIGEST) is None


async def test_what_is_on_test_is_kept_replaced_and_ended_once(store, place):
    await store.put_test(TEST)
    longer = replace(TEST, id="T2", since=at(60), until=at(0) + timedelta(hours=4))
    other = open_store(place)
    await other.open()
    assert list(await other.tests()) == [TEST]
    await other.put_test(longer, ["T1"])
    assert list(await store.tests()) == [longer]
    assert [await store.end_test("T2"), await other.end_test("T2"), await store.end_test("nothing")] == [
        True,
        False,
        False,
    ]
    assert list(await other.tests()) == []
    await other.aclose()
    await store.put_test(replace(TEST, reason="NUL \0 and 'quotes'; DROP"))
    assert (await store.tests())[0].reason == "NUL \0 and 'quotes'; DROP"
