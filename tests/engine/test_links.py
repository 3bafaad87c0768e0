"""Links to events: made with the event, told instead of the source's own address, good for a while, revocable."""

import random
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from tests.engine.conftest import Open, ScriptedStation
from tests.engine.virtual_house import SetClock, on_virtual_time

from tocsin.engine.contracts import Attempt, Submission, TryLater
from tocsin.engine.links import Links
from tocsin.model.delivery import DeliveryKey, Due, Outcome, Owed, Receipt
from tocsin.model.event import Event
from tocsin.model.kinds import Lane
from tocsin.store.contract import Arrival
from tocsin.store.open import open_inline_store

PUBLIC = "https://gw.example.net"
OWN = "https://camera.example.net/clip/7"


async def test_stations_that_carry_links_are_told_the_page_the_others_the_sources_own(house: Open) -> None:
    told, silent = ScriptedStation("told"), ScriptedStation("silent")
    async with house([told, silent], links=("told",), public_url=f"{PUBLIC}/") as h:
        taken = await h.post(url=OWN)
        for name in ("told", "silent"):
            await h.settles(taken, name, "delivered")
        page = told.seen[0].event.url
        assert page.startswith(f"{PUBLIC}/e/")
        assert len(page) == len(f"{PUBLIC}/e/") + 32
        assert told.seen[0].event.source_url == OWN
        assert (silent.seen[0].event.url, silent.seen[0].event.source_url) == (OWN, "")
        stored = await h.store.event(taken.id)
        assert stored.event.url == OWN
        found = await h.gateway.links.find(page.removeprefix(f"{PUBLIC}/e/"))
        assert (found.stored.event.id, found.link.standing) == (taken.id, "valid")


async def test_no_link_without_public_url_or_when_nobody_is_told(house: Open) -> None:
    for more in ({"links": ("arc",)}, {"public_url": PUBLIC}):
        async with house([ScriptedStation("arc")], **more) as h:
            taken = await h.post(url=OWN)
            assert (await h.store.event(taken.id)).event.link == ""
            assert await h.gateway.links.of(await h.store.event(taken.id)) is None


async def test_a_retry_carries_the_same_link(house: Open) -> None:
    station = ScriptedStation()
    urls: list[str] = []

    async def busy_once(due: Due, attempt: Attempt) -> Receipt:
        urls.append(due.event.url)
        if len(urls) == 1:
            raise TryLater("busy")
        return Receipt("station:1", "ACK")

    station.script = busy_once
    async with house([station], links=("arc",), public_url=PUBLIC) as h:
        await h.settles(await h.post(), "arc", "delivered")
        assert len(urls) == 2
        assert urls[0] == urls[1]


async def test_revoked_for_good_and_on_record(house: Open) -> None:
    async with house([ScriptedStation()], links=("arc",), public_url=PUBLIC) as h:
        stored = await h.store.event((await h.post()).id)
        assert await h.gateway.links.revoke(stored, "eva")
        assert not await h.gateway.links.revoke(stored, "eva")
        assert (await h.gateway.links.of(stored)).standing == "revoked"
        (entry, *_) = await h.store.audit_entries(5)
        assert (entry.who, entry.action, entry.subject) == ("eva", "revoke link", stored.event.id)
    async with house([ScriptedStation()], links=("arc",), public_url=PUBLIC) as h:
        assert (await h.gateway.links.of(stored)).standing == "revoked"


@on_virtual_time
async def test_it_ends_twelve_hours_after_the_last_delivery_that_carries_it(clock: SetClock) -> None:
    store = open_inline_store()
    await store.open()
    links = Links(store, clock, random.Random(1), PUBLIC, 12 * 3600.0, ["silent"])
    now = clock.now()
    event = Event("E", "motion", now, now, "detectors", link=links.token())
    owing = [Owed(name, Lane.ALARM) for name in ("first", "second", "silent")]
    await store.accept([Arrival(event, (), [*owing, Owed("unwanted", Lane.ALARM, "filtered")])])

    async def standing(hours: float) -> str:
        clock.put_forward = timedelta(hours=hours)
        return (await links.find(event.link)).link.standing  # type: ignore[union-attr]

    def delivered(name: str, hours: float) -> Outcome:
        return Outcome(DeliveryKey(1, name), "delivered", 1, now + timedelta(hours=hours))

    await store.settle([delivered("first", 0)])
    assert await standing(20) == "valid"
    await store.settle([delivered("second", 20)])
    assert [await standing(hours) for hours in (31.9, 32.1)] == ["valid", "expired"]
    await store.settle([delivered("silent", 40)])
    assert await standing(40) == "expired"
    await store.aclose()


async def test_what_will_never_be_delivered_keeps_no_link_alive(house: Open) -> None:
    """A paused station, and one that left the configuration, whose deliveries nobody closes."""
    async with house([ScriptedStation("arc"), ScriptedStation("gone")], links=("arc", "gone"), public_url=PUBLIC) as h:
        for name in ("arc", "gone"):
            await h.gateway.pause(name, "eva")
        stored = await h.store.event((await h.post()).id)
        assert (await h.gateway.links.of(stored)).until is None
    two_days_ago = structs.replace(stored.event, accepted_at=stored.event.accepted_at - timedelta(hours=48))
    async with house([ScriptedStation("arc")], links=("arc",), public_url=PUBLIC) as h:
        await h.gateway.pause("arc", "eva")
        await h.store.amend(two_days_ago, ())
        link = await h.gateway.links.of(await h.store.event(stored.event.id))
        assert (link.standing, link.until) == ("expired", two_days_ago.accepted_at + timedelta(hours=24 + 12))


@given(st.integers(0, 2**32), st.text(max_size=60) | st.from_regex(r"[A-Za-z0-9_-]{31,33}", fullmatch=True))
@on_virtual_time
async def test_tokens_are_all_of_one_form_and_nothing_else_opens_anything(
    clock: SetClock, seed: int, guess: str
) -> None:
    store = open_inline_store()
    await store.open()
    links = Links(store, clock, random.Random(seed), PUBLIC, 3600.0, [])
    tokens = [links.token() for _ in range(3)]
    assert len(set(tokens)) == 3
    assert {len(token) for token in tokens} == {32}
    now = clock.now()
    events = [Event(str(n), "motion", now, now, "detectors", link=token) for n, token in enumerate(tokens)]
    await store.accept([Arrival(event, (), ()) for event in events])
    for n, token in enumerate(tokens):
        assert (await links.find(token)).stored.event.id == str(n)  # type: ignore[union-attr]
        for forged in (token[:-1], token + "A", token.swapcase(), token[::-1], token[:-1] + "~", f"{token}\n"):
            assert forged in tokens or await links.find(forged) is None
    assert guess in tokens or await links.find(guess) is None
    await store.aclose()


async def test_the_gateways_own_events_have_no_page(house: Open) -> None:
    station = ScriptedStation()
    async with house([station], links=("arc",), public_url=PUBLIC) as h:
        taken = await h.gateway.test("arc", "eva")
        await h.settles(taken, "arc", "delivered")
        assert station.seen[0].event.link == ""
        own = Submission(Event("", "motion", h.gateway.clock.now(), h.gateway.clock.now(), "detectors"))
        assert (await h.store.event((await h.hand_in(own)).id)).event.link
