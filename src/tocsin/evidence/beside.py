"""Work with guards beside it: when a guard gives way, the work ends with it."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def guarded_by(guards: Sequence[Coroutine[Any, Any, None]], work: Coroutine[Any, Any, T]) -> T:
    """The work's result or error. A guard runs until cancelled, or raises: then the work is cancelled, has ended when
    this returns, and the guard's error is raised.
    """
    working = asyncio.ensure_future(work)
    guarding = [asyncio.ensure_future(guard) for guard in guards]
    everybody: list[asyncio.Future[Any]] = [working, *guarding]
    try:
        await asyncio.wait(everybody, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await _ended(everybody)
    gave_way = [error for guard in guarding if not guard.cancelled() and (error := guard.exception()) is not None]
    if not working.cancelled():
        return working.result()
    for error in gave_way:
        raise error
    raise asyncio.CancelledError


async def _ended(tasks: Sequence["asyncio.Future[Any]"]) -> None:
    """Cancels them and waits for their end, whatever happens meanwhile."""
    cancelled = False
    while waiting := [task for task in tasks if not task.done()]:
        for task in waiting:
            task.cancel()
        try:
            await asyncio.wait(waiting)
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
