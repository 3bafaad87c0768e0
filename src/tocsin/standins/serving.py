"""Running a stand-in by itself, as the command line does."""

import asyncio
from collections.abc import Awaitable, Callable

Started = Callable[[int], None]


async def until_cancelled(
    start: Callable[[], Awaitable[int]], aclose: Callable[[], Awaitable[None]], started: Started | None = None
) -> None:
    """`started` is told the port. Raises OSError if it cannot listen there."""
    try:
        port = await start()
        if started is not None:
            started(port)
        await asyncio.Event().wait()
    finally:
        await aclose()
