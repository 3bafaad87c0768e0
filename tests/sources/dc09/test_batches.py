"""Batches on their way to the disk: whatever happens to one, what waits behind it goes on."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tocsin.sources.dc09.source import BATCHES_AT_ONCE


class Asker:
    def __init__(self, breaks: bool = False) -> None:
        self.breaks = breaks
        self.answered_it = asyncio.Event()

    def answered(self, replies: Sequence[bytes]) -> None:
        self.answered_it.set()
        if self.breaks:
            raise RuntimeError("the link is gone")


@pytest.fixture
async def quiet_loop() -> None:
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)


async def test_what_waits_behind_batches_that_fail_is_answered(receiving: Any, quiet_loop: None) -> None:
    gw = await receiving()
    gate = asyncio.Event()
    keep = gw.source._keep

    async def slowly(takings: Sequence[Any]) -> list[bytes]:
        await gate.wait()
        return await keep(takings)

    gw.source._keep = slowly
    broken = [Asker(breaks=True) for _ in range(BATCHES_AT_ONCE)]
    for asker in broken:
        gw.source.hand_over(asker, ())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    behind = [Asker(), Asker()]
    for asker in behind:
        gw.source.hand_over(asker, ())
    gate.set()
    async with asyncio.timeout(5):
        for asker in (*broken, *behind):
            await asker.answered_it.wait()
    later = Asker()
    gw.source.hand_over(later, ())
    async with asyncio.timeout(5):
        await later.answered_it.wait()
    assert gw.source._batches_under_way <= BATCHES_AT_ONCE
