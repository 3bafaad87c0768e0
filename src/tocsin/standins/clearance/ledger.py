"""Jobs as the registry sees them (clearance.md 7.1): available, locked by somebody until then, ended, cancelled."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Literal

from msgspec import Struct

State = Literal["available", "locked", "ended", "cancelled", "withdrawn"]


class GivenFile(Struct):
    """A place given by InitializeUpload. `check`: what was found in it when it was completed."""

    id: str
    blob: str
    name: str
    said: dict[str, Any]
    begun_at: datetime
    completed: bool = False
    check: dict[str, Any] = {}


class Job(Struct):
    """`progress` never falls, or the agent is wrong."""

    id: str
    type: str
    created: datetime
    device: str = ""
    start: str = ""
    end: str = ""
    approved_by: str = ""
    state: State = "available"
    locked_by: str = ""
    lock_token: str = ""
    until: datetime | None = None
    progress: float = 0.0
    outcome: str = ""
    message: str = ""
    locks: int = 0
    files: list[GivenFile] = []
    last_heard: datetime | None = None


class NotYours(Exception):
    """The lock is another's, or has run out."""


class Gone(Exception):
    """There is no such job any more."""


class Ledger:
    """`now` is the registry's clock."""

    def __init__(self, now: Callable[[], datetime], identity: Callable[[str], str]) -> None:
        self._now = now
        self._identity = identity
        self._numbers = count(1)
        self.jobs: dict[str, Job] = {}

    def post(self, type_: str, device: str = "", start: str = "", end: str = "", **more: str) -> Job:
        job_id = more.get("id") or f"job-{next(self._numbers)}"
        job = Job(job_id, type_, self._now(), device, start, end, more.get("approved_by", ""))
        self.jobs[job_id] = job
        return job

    def available(self) -> list[Job]:
        for job in self.jobs.values():
            self._lapse(job)
        return [job for job in self.jobs.values() if job.state == "available"]

    def lock(self, job_id: str, by: str, seconds: float) -> Job:
        """Raises NotYours, Gone."""
        job = self._there(job_id)
        if job.state != "available":
            raise NotYours("somebody has locked it")
        job.state, job.locked_by, job.locks = "locked", by, job.locks + 1
        job.lock_token = self._identity("lock")
        job.progress = 0.0
        self._extend(job, seconds)
        return job

    def renew(self, job_id: str, by: str, seconds: float) -> Job:
        """Raises NotYours, Gone."""
        job = self.held(job_id, by)
        self._extend(job, seconds)
        return job

    def held(self, job_id: str, by: str) -> Job:
        """Raises NotYours, Gone."""
        job = self._there(job_id)
        if job.state != "locked" or job.locked_by != by:
            raise NotYours("the lock has run out, or is another's")
        job.last_heard = self._now()
        return job

    def end(self, job_id: str, by: str, state: State, outcome: str = "", message: str = "") -> Job:
        """Raises NotYours, Gone."""
        job = self.held(job_id, by)
        job.state, job.outcome, job.message = state, outcome, message
        job.locked_by, job.until = "", None
        return job

    def withdraw(self, job_id: str) -> bool:
        """People end it."""
        job = self.jobs.get(job_id)
        if job is None or job.state not in ("available", "locked"):
            return False
        job.state, job.locked_by, job.until = "withdrawn", "", None
        return True

    def expire(self, job_id: str) -> bool:
        """Its lock has run out at this moment."""
        job = self.jobs.get(job_id)
        if job is None or job.state != "locked":
            return False
        job.until = self._now()
        self._lapse(job)
        return True

    def _extend(self, job: Job, seconds: float) -> None:
        job.until = job.last_heard = self._now()
        job.until += timedelta(seconds=seconds)

    def _there(self, job_id: str) -> Job:
        job = self.jobs.get(job_id)
        if job is None or job.state == "withdrawn":
            raise Gone("there is no such job")
        self._lapse(job)
        return job

    def _lapse(self, job: Job) -> None:
        if job.state == "locked" and job.until is not None and self._now() >= job.until:
            job.state, job.locked_by, job.until = "available", "", None
