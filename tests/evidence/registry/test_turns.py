"""Turns at calling the registry: in order, the urgent first, and none that was given up holds up the others."""

import asyncio
import random

import pytest

from tocsin.engine.clock import LoopClock
from tocsin.evidence.registry.pace import Pace


@pytest.mark.parametrize("seed", range(10))
async def test_turns_that_are_given_up_at_any_moment_hold_up_nobody(seed: int) -> None:
    """Also given up twice: a job is stopped while it is being stopped."""
    chance = random.Random(seed)
    pace = Pace(LoopClock(), per_second=500, burst=1)
    waiting = [asyncio.create_task(pace.turn(chance.random() < 0.3)) for _ in range(60)]
    for task in waiting:
        for _ in range(chance.randrange(3)):
            await asyncio.sleep(chance.choice((0, 0, 0.001, 0.002)))
            task.cancel()
    async with asyncio.timeout(30):
        await asyncio.wait(waiting)
        await pace.turn()


async def test_who_is_in_a_hurry_comes_first() -> None:
    pace, came = Pace(LoopClock(), per_second=20, burst=1), list[str]()

    async def turn(name: str, urgent: bool = False) -> None:
        await pace.turn(urgent)
        came.append(name)

    await pace.turn()
    async with asyncio.TaskGroup() as group:
        for name in ("first", "second"):
            group.create_task(turn(name))
        await asyncio.sleep(0)
        group.create_task(turn("renewal", urgent=True))
    assert came == ["renewal", "first", "second"]
