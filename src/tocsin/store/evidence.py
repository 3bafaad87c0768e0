"""What may be asked of the store about evidence: jobs, their files, the custody log."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from tocsin.model.evidence import CustodyLine, Job, JobFile, JobState
from tocsin.store.lease import Lease


class JobQuery(Struct, frozen=True):
    """Newest first; `before` is the id of the last one seen."""

    agent: str = ""
    state: JobState | None = None
    before: str = ""
    limit: int = 100


class EvidenceStore(Protocol):
    """Written durably like everything else (store/contract.py). What is past retention goes with `Store.prune`.

    With a `lease` that is no longer the newest epoch of its subject nothing is written and Superseded is raised.
    """

    async def keep_job(
        self,
        job: Job,
        files: Sequence[JobFile] = (),
        custody: Sequence[CustodyLine] = (),
        lease: Lease | None = None,
    ) -> None:
        """The job, these files of it and these lines in one transaction. Lines that are there already are left as they
        are. Raises CustodyBroken when a line's number is not the next one of its agent.
        """

    async def keep_file(self, file: JobFile, lease: Lease | None = None) -> None:
        """One file, alone: written after each block."""

    async def job(self, job_id: str) -> Job | None: ...

    async def job_known(self, agent: str, registry_id: str) -> Job | None:
        """The job the registry calls so, in its last attempt."""

    async def jobs(self, query: JobQuery) -> Sequence[Job]: ...

    async def open_jobs(self, agent: str) -> Sequence[Job]:
        """Those that were being worked on, oldest first."""

    async def job_files(self, job_id: str) -> Sequence[JobFile]:
        """Of every attempt, by attempt and number."""

    async def last_custody(self, agent: str) -> CustodyLine | None: ...

    async def custody(self, agent: str, after: int = 0, limit: int = 1000) -> Sequence[CustodyLine]: ...


class CustodyBroken(Exception):
    """Another process has written to this agent's custody log: what was to be written was not."""


class Superseded(Exception):
    """Another node works for this agent now: what was to be written was not."""
