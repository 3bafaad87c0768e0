"""What was recorded of a camera, frame by frame, over the ImageServer protocol (connectors.md 4.9)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import timedelta

from tocsin.engine.contracts import Clock
from tocsin.engine.systems import Frame, Span, SystemFault, Unreachable
from tocsin.systems.milestone.cutting import Cut, Unseen
from tocsin.systems.milestone.generic_bytes import frames_of
from tocsin.systems.milestone.image_server import Picture, goto_call, next_call
from tocsin.systems.milestone.recorders import ImageLink, Recorders
from tocsin.systems.milestone.resources import RecordingServer

NEWEST = timedelta(seconds=10)
"""The newest pictures reach the recording about a second late, and a group of them when its last has come."""
PAUSE_S = 0.5
RENEWAL_PAUSE_S = 60.0


class Exports:
    """Each export has a connection of its own."""

    def __init__(self, recorders: Recorders, clock: Clock, timeout_s: float) -> None:
        self._recorders = recorders
        self._clock = clock
        self._timeout_s = timeout_s

    async def frames(self, camera: str, span: Span, recorder: RecordingServer | None) -> AsyncIterator[Frame]:
        """`recorder` None: asked for. Closing it closes the connection. Raises SystemFault: Unreachable when one
        answer takes longer than the deadline, or the recorder ends the connection.
        """
        server = recorder or await self._recorders.of(camera)
        async with self._recorders.opened(camera, server, self._timeout_s, jpeg=False) as link:
            cut = Cut(span)
            async for frames in self._recorded(link, span):
                for frame in cut.take(frames):
                    yield frame
                if cut.done:
                    return

    async def _recorded(self, link: ImageLink, span: Span) -> AsyncIterator[Sequence[Frame]]:
        """What comes from the start on, nothing twice, until no more comes."""
        unseen = Unseen()
        picture = await self._asked(link, goto_call(round(span.start.timestamp() * 1000)))
        grown_at = self._clock.monotonic()
        renewed_at = grown_at
        at_the_end = False
        while True:
            fresh = unseen.of(picture.at_ms, frames_of(picture))
            if fresh:
                grown_at, at_the_end = self._clock.monotonic(), False
                yield fresh
            elif not at_the_end:
                at_the_end = True  # or in a gap for which nothing was sent: the next answer tells
            elif self._may_grow(span, grown_at):
                await asyncio.sleep(PAUSE_S)
            else:
                return
            if self._clock.monotonic() - renewed_at >= RENEWAL_PAUSE_S:
                await self._renewed(link)
                renewed_at = self._clock.monotonic()
            picture = await self._asked(link, next_call())

    def _may_grow(self, span: Span, grown_at: float) -> bool:
        """Only where the span reaches into what is being recorded."""
        recent = self._clock.now() - span.end < NEWEST
        return recent and self._clock.monotonic() - grown_at < NEWEST.total_seconds()

    async def _asked(self, link: ImageLink, call: bytes) -> Picture:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await link.picture(call)
        except TimeoutError:
            raise Unreachable(
                f"the recording server has not answered for {self._timeout_s:g} s in the middle of an export"
            ) from None

    async def _renewed(self, link: ImageLink) -> None:
        """While a new token cannot be had, the old one may still be good."""
        with suppress(SystemFault, TimeoutError):
            token = await self._recorders.token.value(self._timeout_s)
            if token != link.token:
                async with asyncio.timeout(self._timeout_s):
                    await link.renew(token)
