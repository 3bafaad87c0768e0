"""Work with guards beside it."""

import asyncio
import gc

import pytest

from tocsin.evidence.beside import guarded_by


async def gives_way(moment: asyncio.Event) -> None:
    await moment.wait()
    raise ValueError("the guard")


async def test_a_guard_that_gives_way_ends_the_work() -> None:
    moment = asyncio.Event()
    moment.set()
    with pytest.raises(ValueError, match="the guard"):
        await guarded_by([gives_way(moment)], asyncio.Event().wait())


async def test_a_guard_that_gives_way_when_the_work_is_done_is_not_complained_of() -> None:
    """The renewal of a lock that is refused, because the job was completed a moment before."""
    moment, complaints = asyncio.Event(), []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["message"]))

    async def work() -> str:
        moment.set()
        await asyncio.sleep(0)
        return "done"

    assert await guarded_by([gives_way(moment)], work()) == "done"
    gc.collect()
    assert complaints == []
