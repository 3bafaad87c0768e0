"""First and last recordings of many cameras, as far as archives tell them cheaply (clearance.md 8.2)."""

import asyncio
import contextlib
from collections.abc import Sequence
from contextlib import aclosing

from tocsin.engine.systems import Span
from tocsin.evidence.contracts import Archive, Impossible, NotNow

MOST_ASKED = 1000
LIMIT_S = 45.0


async def extents(archives: Sequence[Archive], devices: Sequence[str], limit_s: float = LIMIT_S) -> dict[str, Span]:
    """Of the first 1000 devices at most; what is not known when the time is over is left out."""
    asked = [(archive, list[str]()) for archive in archives]
    for device in devices[:MOST_ASKED]:
        if (of := next((of for archive, of in asked if archive.holds(device)), None)) is not None:
            of.append(device)
    found: dict[str, Span] = {}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await asyncio.gather(*(_of(archive, some, found) for archive, some in asked if some))
    return found


async def _of(archive: Archive, devices: Sequence[str], found: dict[str, Span]) -> None:
    with contextlib.suppress(Impossible, NotNow):
        async with aclosing(archive.extents(devices)) as told:
            async for device, span in told:
                found[device] = span
