"""Alarms of cameras get a picture: the event is kept first, the picture fetched then and added.

How long a destination waits for it is the destination's own affair (stations.md 1.4).
"""

import asyncio
import contextlib
from collections.abc import Sequence

from msgspec.structs import replace

from tocsin.engine.contracts import Intake, IntakeClosed, PhotoIn, PhotoRefused, Submission, Taken
from tocsin.engine.systems import System, SystemFault
from tocsin.model.kinds import Kind
from tocsin.telemetry.occurrences import Notice, Trouble
from tocsin.telemetry.record import Recorder

PICTURED: frozenset[Kind] = frozenset({"motion", "tamper", "alarm", "burglary", "panic", "duress"})
PHOTO_LIMIT_S = 10.0
"""Later a picture would show another moment."""
AT_ONCE = 8
MOST_FETCHED = 100
"""Cameras that all see something at once: further alarms go without."""


class PicturedIntake:
    """An engine.contracts.Intake in front of another, for a system that gives pictures of now."""

    def __init__(self, system: System, intake: Intake, record: Recorder) -> None:
        self._system = system
        self._intake = intake
        self._record = record
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._fetching: set[asyncio.Task[None]] = set()
        self._silent: set[str] = set()
        """Cameras whose last picture did not come."""

    async def accept(self, submission: Submission) -> Taken:
        camera = self._camera(submission)
        taken = await self._intake.accept(_announced(submission) if camera else submission)
        self._fetch(camera, taken)
        return taken

    async def accept_many(self, submissions: Sequence[Submission]) -> Sequence[Taken]:
        cameras = [self._camera(one) for one in submissions]
        given = [_announced(one) if camera else one for one, camera in zip(submissions, cameras, strict=True)]
        answers = await self._intake.accept_many(given)
        for camera, taken in zip(cameras, answers, strict=True):
            self._fetch(camera, taken)
        return answers

    async def add_photos(
        self, event_id: str, photos: Sequence[PhotoIn], last: bool = False
    ) -> Sequence[PhotoRefused] | None:
        return await self._intake.add_photos(event_id, photos, last)

    async def all_delivered(self, taken: Sequence[Taken], within_s: float) -> bool:
        return await self._intake.all_delivered(taken, within_s)

    async def aclose(self) -> None:
        """What is still being fetched is not waited for."""
        for task in self._fetching:
            task.cancel()
        await asyncio.gather(*self._fetching, return_exceptions=True)

    def _camera(self, submission: Submission) -> str:
        """The native key of the camera that has something to show; empty for none."""
        event, prefix = submission.event, f"{self._system.name}:camera:"
        shows = event.kind in PICTURED and event.state == "new" and event.device_id.startswith(prefix)
        brings_none = not submission.photos and not event.photos_expected
        return event.device_id.removeprefix(prefix) if shows and brings_none and self._has_room() else ""

    def _has_room(self) -> bool:
        return len(self._fetching) < MOST_FETCHED

    def _fetch(self, camera: str, taken: Taken) -> None:
        if camera and not taken.duplicate:
            task = asyncio.create_task(self._fetched(camera, taken.id))
            self._fetching.add(task)
            task.add_done_callback(self._fetching.discard)

    async def _fetched(self, camera: str, event_id: str) -> None:
        photos = await self._photos(camera)
        with contextlib.suppress(IntakeClosed):  # it then goes without, when its destinations have waited long enough
            await self._intake.add_photos(event_id, photos, last=True)

    async def _photos(self, camera: str) -> list[PhotoIn]:
        try:
            async with asyncio.timeout(PHOTO_LIMIT_S), self._at_once:
                picture = await self._system.photo(camera)
        except TimeoutError:
            self._failed(camera, f"none came within {PHOTO_LIMIT_S:g} s")
        except SystemFault as fault:
            self._failed(camera, str(fault))
        except Exception as error:  # noqa: BLE001 - the top of a task; a connector's defect costs the picture only
            self._failed(camera, f"internal error: {type(error).__name__}: {error}")
        else:
            if camera in self._silent:
                self._silent.discard(camera)
                self._record(Notice(self._about, f"pictures of camera {camera} come again"))
            return [PhotoIn(picture)]
        return []

    def _failed(self, camera: str, why: str) -> None:
        """Once on the way down, once on the way up."""
        if camera not in self._silent:
            self._silent.add(camera)
            self._record(Trouble(self._about, f"no picture with alarms of camera {camera}: {why}; they go without"))

    @property
    def _about(self) -> str:
        return f"system {self._system.name}"


def _announced(submission: Submission) -> Submission:
    return replace(submission, event=replace(submission.event, photos_expected=1))
