"""A media request: recordings of one camera, segment by segment (clearance.md 8.1)."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from msgspec.structs import replace

from tocsin.engine.systems import Span
from tocsin.evidence.cameras import Cameras
from tocsin.evidence.contracts import Archive, Impossible, NotNow
from tocsin.evidence.delivering import Delivery, DeliveryParts, LinkTooSlow
from tocsin.evidence.holding import Holding
from tocsin.evidence.jobs.ending import MOST_FAILURES, Ending, delivered, failed
from tocsin.evidence.jobs.lifecycle import file_after
from tocsin.evidence.jobs.progress import Part
from tocsin.evidence.jobs.segments import file_name, halves, segments
from tocsin.evidence.locking import JobLock
from tocsin.evidence.photos import Photos
from tocsin.evidence.rules import AgentRules
from tocsin.evidence.spool import Spooled
from tocsin.model.evidence import JobFile
from tocsin.telemetry.occurrences import VideoFetched

PAUSES_S = (5.0, 15.0)
"""Before a recorder is asked the second and the third time for a segment (13.6)."""
ROOM = 1.2
VIDEO = "video/mp4"


class WorkParts(NamedTuple):
    rules: AgentRules
    cameras: Cameras
    delivery: DeliveryParts


class MediaRequest:
    """`parts` learns how far each file is, in the order of their numbers."""

    def __init__(self, holding: Holding, lock: JobLock, parts: list[Part], around: WorkParts) -> None:
        job = holding.job
        assert job.start is not None
        assert job.end is not None
        self._wanted = Span(job.start, job.end)
        self._holding = holding
        self._lock = lock
        self._parts = parts
        self._around = around
        self._photos = Photos(holding, lock, parts, around.cameras, around.delivery)
        self._problems: list[str] = []

    async def work(self) -> Ending:
        """Raises Fenced, Withdrawn, NotNow, Impossible, NotUnderstood."""
        if self._photos.begun:
            return await self._photos.deliver()
        try:
            ending = await self._recorded()
        except NotNow as error:
            if self._fetched_any() or self._holding.job.failures + 1 < MOST_FAILURES:
                raise
            return await self._photos_or(error)
        except Impossible as error:
            return await self._photos_or(error)
        if ending.state == "Failed" and not self._fetched_any():
            return await self._photos.in_place_of(self._wanted, ending)
        return ending

    async def _photos_or(self, error: NotNow | Impossible) -> Ending:
        """Photos, or the error where there are none."""
        ending = await self._photos.in_place_of(self._wanted, failed(str(error)))
        if not self._photos.begun:
            raise error
        return ending

    def _fetched_any(self) -> bool:
        return any(file.sha256 for file in self._holding.files.values())

    async def _recorded(self) -> Ending:
        archive = await self._around.cameras.archive(self._holding.job.device)
        if not self._holding.files:
            await self._plan(archive)
        if self._holding.job.state == "locked":
            await self._holding.move("planned")
        self._parts[:] = [_part(file) for _, file in sorted(self._holding.files.items())]
        while (file := self._next()) is not None:
            await self._one(file.number, archive)
        done = [_span(file) for file in self._holding.files.values() if file.state == "done"]
        return delivered(self._wanted, done, self._problems)

    async def _plan(self, archive: Archive) -> None:
        recorded = await archive.recordings(self._holding.job.device, self._wanted)
        planned = segments(self._wanted, recorded, self._around.rules.segment_s)
        await self._add(planned)

    async def _add(self, spans: list[Span]) -> None:
        first = len(self._holding.files) + 1
        await self._holding.plan([self._planned(number, span) for number, span in enumerate(spans, first)])

    def _planned(self, number: int, span: Span) -> JobFile:
        job = self._holding.job
        return JobFile(job.id, job.attempt, number, self._name(span), VIDEO, "init", start=span.start, end=span.end)

    def _name(self, span: Span) -> str:
        called = self._around.cameras.called(self._holding.job.device)
        return file_name(called, span.start, span.length.total_seconds())

    def _next(self) -> JobFile | None:
        files = sorted(self._holding.files.items())
        return next((file for _, file in files if file.state not in ("done", "abandoned")), None)

    async def _one(self, number: int, archive: Archive) -> None:
        part = self._parts[number - 1]
        try:
            await self._fetched(number, archive, part)
            await Delivery(number, self._holding, self._lock, part, self._around.delivery).carry_out()
        except LinkTooSlow as error:
            await self._halve(number, str(error))
        except Impossible as error:
            await self._give_up(number, str(error))
        else:
            part.fetched = part.uploaded = 1.0

    async def _fetched(self, number: int, archive: Archive, part: Part) -> None:
        """The segment is in the spool. What is begun is thrown away when its file is gone from there."""
        file = self._holding.files[number]
        spool = self._around.delivery.spool
        if file.state == "committed" or (file.spool and spool.named(file.spool).exists()):
            part.fetched = 1.0
            return
        if file.state != "init":
            file = replace(file, state=file_after(file.state, "again"), upload=None)
        spooled = await self._tried(file, archive, part)
        fetched = spooled.fetched
        seconds = (fetched.end - fetched.start).total_seconds()
        self._around.cameras.fetched(self._holding.job.device, seconds, spooled.size)
        part.fetched = 1.0
        found = replace(
            file, name=self._name(Span(fetched.start, fetched.end)), mime=fetched.mime, spool=fetched.path.name,
            size=spooled.size, sha256=spooled.sha256, start=fetched.start, end=fetched.end,
            origin=fetched.origin,
        )  # fmt: skip
        await self._holding.tell(found, "recording fetched", {})

    async def _tried(self, file: JobFile, archive: Archive, part: Part) -> Spooled:
        """Three times: a recorder that has gone in the middle may come back. Then what there is counts, if anything."""
        for pause_s in (*PAUSES_S, None):
            try:
                return await self._fetch(_span(file), archive, part)
            except NotNow as error:
                if pause_s is None:
                    self._must_have_something(error)
                    raise Impossible(str(error)) from None
                await asyncio.sleep(pause_s)
        raise AssertionError

    def _must_have_something(self, error: NotNow) -> None:
        if not any(file.state == "done" for file in self._holding.files.values()):
            raise error

    async def _fetch(self, span: Span, archive: Archive, part: Part) -> Spooled:
        device, spool = self._holding.job.device, self._around.delivery.spool
        owner = f"{self._holding.job.id}-{self._holding.job.attempt}"
        kept = await spool.found(device, span, owner)
        if kept is not None:
            return kept
        seconds = span.length.total_seconds()
        async with spool.reserved(int(self._around.cameras.expected_bytes(device, seconds) * ROOM)):
            fetched = await archive.fetch(device, span, spool.path(device, span, owner), _told(part, seconds))
            spooled = await spool.take_in(fetched)
        self._around.delivery.record(VideoFetched(self._holding.job.agent, seconds))
        return spooled

    async def _halve(self, number: int, reason: str) -> None:
        """Two files instead of one, down to a minute (13.3)."""
        pieces = halves(_span(self._holding.files[number]))
        await self._give_up(number, "" if pieces else reason)
        await self._add(pieces)
        self._parts[number - 1].weight = 0.0
        self._parts += [_part(self._holding.files[len(self._parts) + n]) for n in range(1, len(pieces) + 1)]

    async def _give_up(self, number: int, problem: str) -> None:
        file = self._holding.files[number]
        if problem:
            self._problems.append(problem)
        if file.spool:
            await self._around.delivery.spool.remove(file.spool)
        gone = replace(file, state=file_after(file.state, "given_up"), upload=None, spool="")
        await self._holding.tell(gone, "file given up", {"reason": problem or "cut in halves"})


def _span(file: JobFile) -> Span:
    assert file.start is not None
    assert file.end is not None
    return Span(file.start, file.end)


def _part(file: JobFile) -> Part:
    done = 1.0 if file.state == "done" else 0.0
    weight = 0.0 if file.state == "abandoned" else _span(file).length.total_seconds()
    return Part(weight, done, done)


def _told(part: Part, seconds: float) -> Callable[[float], None]:
    def told(so_far: float) -> None:
        part.fetched = so_far / seconds if seconds else 1.0

    return told
