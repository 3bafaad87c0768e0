"""One job in its present attempt: what is known of it, on disk before anything follows from it."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from tocsin.engine.contracts import Clock
from tocsin.evidence.jobs.lifecycle import JobEvent, after
from tocsin.evidence.journal import AgentJournal, Facts
from tocsin.evidence.registry.client import Ours
from tocsin.model.evidence import Job, JobFile
from tocsin.model.received import read

_TOLD: frozenset[str] = frozenset({"granted", "told", "lost"})
"""Events of a job that stand in the custody log."""


class Holding:
    """`job` and `files` (of this attempt, by number) are what the journal holds. One change after the other: progress
    and lock are noted beside the work, and must not bring back a state that was left meanwhile.
    """

    def __init__(self, job: Job, files: Mapping[int, JobFile], journal: AgentJournal, clock: Clock) -> None:
        self.job = job
        self.files = dict(files)
        self._journal = journal
        self._clock = clock
        self._order = asyncio.Lock()

    @property
    def ours(self) -> Ours:
        return Ours(self.job.registry_id, self.job.lock_token)

    async def move(self, event: JobEvent, **fields: Any) -> None:
        """To the state that follows; `fields` are those of the job."""
        async with self._order:
            job = replace(self.job, state=after(self.job.state, event), updated_at=self._clock.now(), **fields)
            facts = {"reason": job.reason, **(_as_received(job) if event == "granted" else {})}
            told = [self._line(job.state, job, facts)] if event in _TOLD else []
            await self._journal.keep(job, told=told)
            self.job = job

    async def note(self, **facts: Any) -> None:
        """Fields of the job that change within its state."""
        async with self._order:
            job = replace(self.job, updated_at=self._clock.now(), **facts)
            await self._journal.keep(job)
            self.job = job

    async def plan(self, files: list[JobFile], what: str = "") -> None:
        """More files, with the job as it is; with `what` each has a line in the custody log."""
        async with self._order:
            lines = [self._line(what, self.job, _of_file(file)) for file in files if what]
            await self._journal.keep(self.job, files, lines)
            self.files |= {file.number: file for file in files}

    async def put(self, file: JobFile) -> None:
        """A file as it is now."""
        await self._journal.keep_file(file)
        self.files[file.number] = file

    async def tell(self, file: JobFile, what: str, facts: Facts) -> None:
        """The same, with a line in the custody log in the same transaction."""
        async with self._order:
            line = self._line(what, self.job, {**_of_file(file), **facts})
            await self._journal.keep(self.job, [file], [line])
            self.files[file.number] = file

    def _line(self, what: str, job: Job, facts: Facts) -> Facts:
        return {"event": what, **_of_job(job), **{name: value for name, value in facts.items() if value}}


def _of_job(job: Job) -> Facts:
    said: dict[str, object] = {
        "job": job.registry_id,
        "attempt": job.attempt,
        "type": job.type,
        "device": job.device,
        "requested": _range(job.start, job.end),
        "approved_by": job.approved_by,
        "outcome": job.outcome,
    }
    return {name: value for name, value in said.items() if value}


def _as_received(job: Job) -> Facts:
    """What we were asked for, in the registry's own words."""
    try:
        return {"received": read(bytes(job.received)), "created_at": job.created_at}
    except ValueError:
        return {"created_at": job.created_at}


def _of_file(file: JobFile) -> Facts:
    upload = file.upload
    return {
        "file": file.name,
        "origin": file.origin,
        "file_id": upload.file_id if upload else "",
        "key_id": upload.key_id if upload else "",
        "begun_at": upload.begun_at if upload else None,
        "delivered": _range(file.start, file.end),
        "size": file.size,
        "sha256": file.sha256,
        "cipher_size": file.cipher_size,
        "cipher_sha256": file.cipher_sha256,
    }


def _range(start: datetime | None, end: datetime | None) -> object:
    return [start, end] if start and end else None
