"""Repeats of sources without ids, and running numbers: none swallowed, none given twice."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.conftest import Open, ScriptedStation

from tocsin.engine.contracts import IntakeClosed, Submission, Taken
from tocsin.engine.numbers import BLOCK, LARGEST_BLOCK, Numbers
from tocsin.engine.repeats import REACH, Repeats
from tocsin.model.event import Event
from tocsin.store.contract import Accepted, Arrival, StoreUnavailable
from tocsin.store.open import open_inline_store

NOW = datetime(2026, 3, 4, 8, 15, tzinfo=UTC)


def said(key: bytes = b"k", window_s: float = 90.0, source: str = "panels") -> Submission:
    return Submission(Event("", "fire", NOW, NOW, source), repeat_key=key, repeat_window_s=window_s)


async def test_the_first_and_its_repeats_at_once_are_one_event(house: Open) -> None:
    station = ScriptedStation()
    async with house([station]) as h:
        answers = await asyncio.gather(*(h.hand_in(said()) for _ in range(20)))
        assert [one.duplicate for one in answers] == [False] + [True] * 19
        assert len({one.id for one in answers}) == 1
        batch = await h.gateway.intake.accept_many([said(b"x"), said(b"x"), said(b"k"), said(b"y")])
        assert [one.duplicate for one in batch] == [False, True, True, False]
        await station.until(lambda: len(station.seen) == 3)


async def test_the_same_key_of_another_source_is_another_event(house: Open) -> None:
    async with house([ScriptedStation()]) as h:
        assert not (await h.hand_in(said())).duplicate
        assert not (await h.hand_in(said(source="others"))).duplicate


async def test_a_window_of_nothing_knows_no_repeat_later(house: Open) -> None:
    async with house([ScriptedStation()]) as h:
        assert not (await h.hand_in(said(window_s=0))).duplicate
        now = h.gateway.clock.now()
        while h.gateway.clock.now() == now:
            await asyncio.sleep(0)
        assert not (await h.hand_in(said(window_s=0))).duplicate


async def test_repeats_of_what_was_not_kept_are_not_acknowledged_and_the_next_is_new(house: Open) -> None:
    async with house([ScriptedStation()]) as h:
        real, go = h.store.accept, asyncio.Event()

        async def fails(arrivals: Sequence[Arrival]) -> Sequence[Accepted]:
            await go.wait()
            raise StoreUnavailable("disk full")

        h.store.accept = fails
        tries = [asyncio.create_task(h.hand_in(said())) for _ in range(3)]
        await asyncio.sleep(0)
        tries[1].cancel()
        go.set()
        ended: list[Any] = await asyncio.gather(*tries, return_exceptions=True)
        assert [type(one) for one in ended] == [IntakeClosed, asyncio.CancelledError, IntakeClosed]
        h.store.accept = real
        assert not (await h.hand_in(said())).duplicate


async def test_a_restart_still_knows_what_was_said(house: Open) -> None:
    station = ScriptedStation()

    class Panels:
        name = "panels"

        async def run(self, intake: Any) -> None:
            await asyncio.Event().wait()

        def states(self) -> list[Any]:
            return []

        def supervised(self) -> list[Any]:
            return []

    async with house([station]) as h:
        assert not (await h.hand_in(said())).duplicate
    async with house([ScriptedStation()]) as h:
        h.gateway.add_source(Panels())
        await h.gateway.start()
        assert (await h.hand_in(said())).duplicate


async def test_memory_of_repeats_ends_with_the_longest_window() -> None:
    repeats = Repeats()
    taken: asyncio.Future[Taken] = asyncio.get_running_loop().create_future()
    for n in range(1000):
        repeats.remember(str(n).encode(), NOW + timedelta(seconds=n * 2), taken)
    assert len(repeats._said) <= REACH.total_seconds() / 2 + 1
    assert repeats.earlier(b"999", 90, NOW + timedelta(seconds=2000)) is taken
    assert repeats.earlier(b"0", 1e6, NOW) is None


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 150)), max_size=6), st.integers(0, 5))
def test_no_number_is_given_twice_over_restarts_and_at_once(rounds: list[tuple[str, int]], restart: int) -> None:
    async def main() -> None:
        store = open_inline_store()
        await store.open()
        numbers = Numbers(store)
        given_out: dict[str, list[int]] = {"a": [], "b": []}
        for n, (scope, count) in enumerate(rounds):
            if n == restart:
                numbers = Numbers(store)
            given_out[scope] += await asyncio.gather(*(numbers.take(scope) for _ in range(count)))
        for taken in given_out.values():
            assert len(set(taken)) == len(taken)
            assert min(taken, default=1) >= 1
        await store.aclose()

    asyncio.run(main())


async def test_takers_who_wait_for_a_block_together_get_different_numbers() -> None:
    class Slow:
        def __init__(self) -> None:
            self.next = 1

        async def reserve(self, scope: str, count: int) -> int:
            first, self.next = self.next, self.next + count
            await asyncio.sleep(0)
            return first

    numbers = Numbers(Slow())  # type: ignore[arg-type]
    taken = await asyncio.gather(*(numbers.take("a") for _ in range(3 * BLOCK)))
    assert len(set(taken)) == 3 * BLOCK


async def test_a_busy_counter_is_reserved_in_larger_blocks_and_a_quiet_one_is_not() -> None:
    reserved: list[tuple[str, int]] = []

    class Counting:
        async def reserve(self, scope: str, count: int) -> int:
            first = 1 + sum(size for of, size in reserved if of == scope)
            reserved.append((scope, count))
            return first

    numbers = Numbers(Counting())  # type: ignore[arg-type]
    await numbers.take("quiet")
    assert [await numbers.take("busy") for _ in range(10_000)] == list(range(1, 10_001))
    sizes = [size for of, size in reserved if of == "busy"]
    assert sizes[:5] == [BLOCK, 2 * BLOCK, 4 * BLOCK, 8 * BLOCK, LARGEST_BLOCK]
    assert max(sizes) == LARGEST_BLOCK
    assert [size for of, size in reserved if of == "quiet"] == [BLOCK]


async def test_without_the_store_there_is_no_number() -> None:
    class Gone:
        async def reserve(self, scope: str, count: int) -> int:
            raise StoreUnavailable("gone")

    with pytest.raises(StoreUnavailable):
        await Numbers(Gone()).take("a")  # type: ignore[arg-type]
