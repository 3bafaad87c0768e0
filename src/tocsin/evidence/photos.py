"""Photos of a camera's events in place of a recording that cannot be had: each a file, and never called video."""

from collections.abc import Sequence

from msgspec.structs import replace

from tocsin.engine.systems import Span
from tocsin.evidence.cameras import Cameras
from tocsin.evidence.contracts import Impossible, NotNow, Taken
from tocsin.evidence.delivering import Delivery, DeliveryParts, LinkTooSlow
from tocsin.evidence.holding import Holding
from tocsin.evidence.jobs.ending import NO_RECORDING, Ending, with_photos
from tocsin.evidence.jobs.lifecycle import file_after
from tocsin.evidence.jobs.progress import Part
from tocsin.evidence.jobs.segments import file_name
from tocsin.evidence.locking import JobLock
from tocsin.model.evidence import JobFile

JPEG = "image/jpeg"


class Photos:
    """`parts` learns how far each is."""

    def __init__(
        self, holding: Holding, lock: JobLock, parts: list[Part], cameras: Cameras, delivery: DeliveryParts
    ) -> None:
        self._holding = holding
        self._lock = lock
        self._parts = parts
        self._cameras = cameras
        self._delivery = delivery

    def _files(self) -> list[JobFile]:
        return [file for _, file in sorted(self._holding.files.items()) if file.mime == JPEG]

    @property
    def begun(self) -> bool:
        """Whether they were found before, perhaps by an earlier process."""
        return bool(self._files())

    async def in_place_of(self, wanted: Span, instead: Ending) -> Ending:
        """`instead`: how the job ends without photos; it ends so when there are none. Raises as MediaRequest.work."""
        if not self.begun:
            await self._plan(await self._cameras.photos(self._holding.job.device, wanted), instead.message)
        return await self.deliver(instead)

    async def deliver(self, instead: Ending | None = None) -> Ending:
        reason = self._holding.job.reason or (instead.message if instead else NO_RECORDING)
        planned = self._files()
        self._parts[:] = [Part(1.0) for _ in planned]
        for file, part in zip(planned, self._parts, strict=True):
            if file.state not in ("done", "abandoned"):
                await self._one(file, part)
            part.fetched = part.uploaded = 1.0
        return with_photos([file.start for file in self._files() if file.state == "done" and file.start], reason)

    async def _plan(self, found: Sequence[Taken], reason: str) -> None:
        """All of them lie in the spool before any is sent: a second look might find others."""
        first = len(self._holding.files) + 1
        files = [await self._kept(number, n, taken) for n, (number, taken) in enumerate(enumerate(found, first), 1)]
        if files:
            await self._holding.note(reason=reason)
            await self._holding.plan(files, "photo in place of a recording")
        if self._holding.job.state == "locked":
            await self._holding.move("planned")

    async def _kept(self, number: int, n: int, taken: Taken) -> JobFile:
        job, at = self._holding.job, taken.at
        assert at is not None
        name = file_name(f"{self._cameras.called(job.device)} photo {n}", at, 0, "jpg")
        path = await self._delivery.spool.write(f"{job.id}-{job.attempt}-{name}", taken.data)
        return JobFile(
            job.id, job.attempt, number, name, JPEG, "init", path.name, len(taken.data), taken.sha256,
            start=at, end=at, origin=taken.origin,
        )  # fmt: skip

    async def _one(self, file: JobFile, part: Part) -> None:
        if file.state != "committed" and not self._delivery.spool.named(file.spool).exists():
            raise NotNow(f"{file.name} is not in the spool any more")
        try:
            await Delivery(file.number, self._holding, self._lock, part, self._delivery).carry_out()
        except (LinkTooSlow, Impossible) as error:
            left = self._holding.files[file.number]
            gone = replace(left, state=file_after(left.state, "given_up"), upload=None, spool="")
            await self._delivery.spool.remove(left.spool)
            await self._holding.tell(gone, "file given up", {"reason": str(error)})
