"""Virtual time passes without waiting, in the same order each time, and lets nothing real in."""

import asyncio
import random
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from harness.virtual import EPOCH, NotVirtual, Stuck, VirtualClock, run_virtually

from tocsin.engine.contracts import Clock


def test_a_week_passes_at_once_and_the_clock_shows_it() -> None:
    async def week(clock: Clock) -> None:
        await asyncio.sleep(7 * 86400)
        assert abs(clock.now() - EPOCH - timedelta(days=7)) < timedelta(milliseconds=1)
        assert clock.monotonic() == asyncio.get_running_loop().time()

    run_virtually(week)


def test_timers_fire_in_order_and_timeouts_work() -> None:
    async def main(clock: VirtualClock) -> list[tuple[str, float]]:
        seen: list[tuple[str, float]] = []

        async def note(name: str, after_s: float) -> None:
            await asyncio.sleep(after_s)
            seen.append((name, round(clock.monotonic(), 3)))

        async with asyncio.TaskGroup() as group:
            for name, after_s in (("late", 3600.0), ("early", 1.0), ("middle", 60.5)):
                group.create_task(note(name, after_s))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        seen.append(("deadline", round(clock.monotonic(), 3)))
        return seen

    assert run_virtually(main) == [("early", 1.0), ("middle", 60.5), ("late", 3600.0), ("deadline", 3630.0)]


def test_the_same_seed_gives_the_same_run_also_through_sets_of_tasks() -> None:
    async def main(clock: VirtualClock) -> list[tuple[int, float]]:
        randomness = random.Random(11)
        seen: list[tuple[int, float]] = []

        async def worker(n: int) -> None:
            try:
                for _ in range(20):
                    await asyncio.sleep(randomness.random() * 10)
                    seen.append((n, clock.monotonic()))
                await asyncio.Event().wait()
            finally:
                seen.append((-n, clock.monotonic()))

        tasks = {asyncio.create_task(worker(n)) for n in range(1, 30)}
        await asyncio.wait(tasks, timeout=300)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        return seen

    first = run_virtually(main)
    litter = [object() for _ in range(1000)]  # other addresses for the second run
    assert run_virtually(main) == first
    assert len(litter) == 1000


REAL_THINGS: dict[str, Callable[[], Any]] = {
    "connection": lambda: asyncio.open_connection("127.0.0.1", 9),
    "server": lambda: asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0),
    "name": lambda: asyncio.get_running_loop().getaddrinfo("localhost", 80),
    "thread": lambda: asyncio.to_thread(lambda: None),
    "process": lambda: asyncio.create_subprocess_exec("true"),
}


@pytest.mark.parametrize("thing", sorted(REAL_THINGS))
def test_the_real_world_is_refused(thing: str) -> None:
    async def main(clock: VirtualClock) -> None:
        with pytest.raises(NotVirtual):
            await REAL_THINGS[thing]()

    run_virtually(main)


def test_a_thread_cannot_reach_in() -> None:
    refused: list[Exception] = []

    async def main(clock: VirtualClock) -> None:
        loop = asyncio.get_running_loop()

        def reach() -> None:
            try:
                loop.call_soon_threadsafe(print)
            except NotVirtual as error:
                refused.append(error)

        thread = threading.Thread(target=reach)
        thread.start()
        thread.join()

    run_virtually(main)
    assert len(refused) == 1


def test_waiting_for_nothing_is_an_error_not_a_hang() -> None:
    async def main(clock: VirtualClock) -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck, match="no timer runs"):
        run_virtually(main)


def test_going_round_without_time_is_an_error_not_a_hang() -> None:
    async def main(clock: VirtualClock) -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Stuck, match="time stands still"):
        run_virtually(main)
