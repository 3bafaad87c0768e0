"""From when to when a recording server holds something of a camera: the first and the last picture (connectors.md 4.9).

SequencesGet would need many questions for it: in which order a full answer counts is not published.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

from tocsin.engine.contracts import Clock
from tocsin.engine.systems import Span, SystemFault, Unreachable
from tocsin.systems.milestone.image_server import begin_call, goto_call
from tocsin.systems.milestone.recorders import Recorders
from tocsin.systems.milestone.resources import RecordingServer

LEAST = datetime(1990, 1, 1, tzinfo=UTC)
AT_ONCE = 8


class Extents:
    """One connection and two questions for each camera, eight cameras at once."""

    def __init__(self, recorders: Recorders, clock: Clock, timeout_s: float) -> None:
        self._recorders = recorders
        self._clock = clock
        self._timeout_s = timeout_s

    async def of(
        self, cameras: Sequence[str], recorder_of: Callable[[str], RecordingServer | None]
    ) -> AsyncIterator[tuple[str, Span]]:
        """A recording server that cannot be reached is not asked about its other cameras."""
        away: set[str] = set()
        asked = [(camera, server) for camera in cameras if (server := recorder_of(camera)) is not None]
        for n in range(0, len(asked), AT_ONCE):
            some = [(camera, server) for camera, server in asked[n : n + AT_ONCE] if server.id not in away]
            spans = await asyncio.gather(*(self._unless_away(*one, away) for one in some))
            for (camera, _), span in zip(some, spans, strict=True):
                if span is not None:
                    yield camera, span

    async def _unless_away(self, camera: str, server: RecordingServer, away: set[str]) -> Span | None:
        try:
            return await self._one(camera, server)
        except Unreachable:
            away.add(server.id)
        except SystemFault:
            return None
        return None

    async def _one(self, camera: str, server: RecordingServer) -> Span | None:
        now = self._clock.now()
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._recorders.opened(camera, server, self._timeout_s, jpeg=True) as link,
            ):
                first = await link.picture(begin_call())
                last = await link.picture(goto_call(round(now.timestamp() * 1000)))
        except TimeoutError:
            raise Unreachable(f"no answer about the recordings of {camera} within {self._timeout_s:g} s") from None
        start, end = (datetime.fromtimestamp(one.at_ms / 1000, UTC) for one in (first, last))
        return Span(start, end) if first.body and last.body and LEAST <= start <= end else None
