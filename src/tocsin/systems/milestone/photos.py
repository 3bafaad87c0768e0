"""A JPEG of a camera from its recording server, live or from the recording (connectors.md 4.9)."""

import asyncio
from datetime import UTC, datetime, timedelta

from tocsin.engine.systems import SystemFault, Unreachable
from tocsin.systems.milestone.image_server import Picture, goto_call, jpeg_of, live_call
from tocsin.systems.milestone.recorders import Recorders
from tocsin.systems.milestone.resources import RecordingServer

TOLERANCE = timedelta(seconds=10)
"""A recorder asked within a gap answers with what lies before it: a picture of another moment proves nothing."""
AT_ONCE = 4


class Photos:
    """Each photo has a connection of its own; four at once."""

    def __init__(self, recorders: Recorders, timeout_s: float) -> None:
        self._recorders = recorders
        self._timeout_s = timeout_s
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def photo(self, camera: str, at: datetime | None, recorder: RecordingServer | None) -> bytes:
        """`recorder` None: asked for. Raises SystemFault."""
        call = live_call() if at is None else goto_call(round(at.timestamp() * 1000))
        try:
            async with self._turns, asyncio.timeout(self._timeout_s):
                server = recorder or await self._recorders.of(camera)
                async with self._recorders.opened(camera, server, self._timeout_s, jpeg=True) as link:
                    return jpeg_of(_of_the_moment(await link.picture(call), at))
        except TimeoutError:
            raise Unreachable(f"no photo of camera {camera} within {self._timeout_s:g} s") from None


def _of_the_moment(picture: Picture, at: datetime | None) -> Picture:
    if not picture.body:
        raise SystemFault("nothing was recorded then" if at is not None else "the camera gives no picture now")
    if at is not None:
        taken = datetime.fromtimestamp(picture.at_ms / 1000, UTC)
        if abs(taken - at) > TOLERANCE:
            raise SystemFault(f"nothing was recorded at {at:%Y-%m-%d %H:%M:%S} UTC; the nearest is of {taken:%H:%M:%S}")
    return picture
