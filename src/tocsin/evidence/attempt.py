"""One attempt at a job whose lock is ours: the work on it, its end, or its loss (clearance.md 7.2, 7.3, 13)."""

import contextlib
import traceback
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from tocsin.evidence.beside import guarded_by
from tocsin.evidence.contact import Contact
from tocsin.evidence.contracts import Fenced, Impossible, NotNow, Withdrawn
from tocsin.evidence.delivering import LinkTooSlow
from tocsin.evidence.holding import Holding
from tocsin.evidence.jobs.choosing import hold_off_s
from tocsin.evidence.jobs.ending import Ending, broken, failed, nonsense, put_off
from tocsin.evidence.jobs.lifecycle import JobEvent
from tocsin.evidence.locking import JobLock, LockParts
from tocsin.evidence.media_request import MediaRequest, WorkParts
from tocsin.evidence.registry.client import Granted
from tocsin.evidence.registry.faults import NotMine, NotUnderstood, RegistryFault
from tocsin.evidence.reporting import Reporting
from tocsin.evidence.small_result import Made, SmallResult
from tocsin.model.evidence import Job, JobType
from tocsin.store.evidence import CustodyBroken, Superseded
from tocsin.telemetry.occurrences import JobEnded, TaskFailed

_EVENTS: dict[str, JobEvent] = {"complete": "decided", "release": "put_off", "cancel": "nonsense"}
_OUTCOMES = {"Completed": "completed", "PartiallyCompleted": "partial", "Failed": "failed"}


class AttemptParts(NamedTuple):
    """`discover` and `picture` make what those jobs want; `misfit` learns of answers the profile does not fit."""

    work: WorkParts
    lock: LockParts
    discover: Callable[[], Awaitable[Made]]
    picture: Callable[[str], Awaitable[Made]]
    misfit: Callable[[JobType, str], None]


class Attempt:
    """`run` returns when the job is closed. It may be cancelled at any wait; the journal then has what is needed to go
    on.
    """

    def __init__(self, holding: Holding, granted: Granted, parts: AttemptParts) -> None:
        self.holding = holding
        self._parts = parts
        self._client = parts.lock.client
        self._lock = JobLock(holding, granted, parts.lock)
        self._contact = Contact(self._lock, parts.lock.randomness)
        self._reporting = Reporting(holding, self._client, self._lock.fence, parts.lock.clock)
        self._began = parts.lock.clock.monotonic()
        self._resumed = holding.job.state in ("ending", "releasing", "cancelling")

    async def run(self) -> None:
        """Raises Superseded, CustodyBroken: another node works for this agent."""
        while True:
            try:
                await guarded_by([self._lock.keep(), self._reporting.run()], self._whole())
            except Withdrawn as error:
                return await self._lose(f"withdrawn: {error}", "withdrawn")
            except Fenced as error:
                if not await self._lock.regain():
                    return await self._lose(str(error), "lost")
            else:
                return await self._tidy()

    def locked_until(self) -> datetime:
        return self._parts.lock.clock.now() + self._lock.until()

    async def release(self, reason: str) -> None:
        """Let go of it, once `run` was cancelled: somebody else may have it at once."""
        if self.holding.job.state in ("locked", "fetching"):
            await self.holding.move("put_off", reason=reason)
        if self.holding.job.state == "releasing":
            with contextlib.suppress(RegistryFault, Fenced):
                self._lock.fence()  # a lock that has ended may be another's by now
                await self._last_call()
                await self.holding.move("told")
                self._ended("released")

    async def _whole(self) -> None:
        if self.holding.job.state in ("locked", "fetching"):
            await self._decide(await self._worked())
        await self._tell()

    async def _worked(self) -> Ending:
        """Whatever happens to the work, the job has an end."""
        job = self.holding.job
        try:
            if reason := broken(job):
                return nonsense(reason)
            return await self._work()
        except NotNow as error:
            return put_off(str(error), job.failures + 1)
        except (Impossible, LinkTooSlow) as error:
            return failed(str(error))
        except NotUnderstood as error:
            self._parts.misfit(job.type, str(error))
            return put_off(f"profile error: {error}", 1)
        except (Fenced, Superseded, CustodyBroken):
            raise
        except Exception as error:  # noqa: BLE001 - the top of a job: a defect must not end the agent
            trace = "".join(traceback.format_exception(error))
            self._parts.lock.record(TaskFailed(f"evidence job {job.registry_id}", repr(error), trace, 0.0))
            return put_off(f"unexpected: {type(error).__name__}", job.failures + 1)

    async def _work(self) -> Ending:
        job = self.holding.job
        if job.type == "mediarequest":
            return await MediaRequest(self.holding, self._lock, self._reporting.parts, self._parts.work).work()
        make = self._parts.discover if job.type == "discovery" else lambda: self._parts.picture(job.device)
        told = (self._reporting.parts, self._parts.work.delivery)
        return await SmallResult(self.holding, self._lock, *told, make).work()

    async def _decide(self, ending: Ending) -> None:
        job, now = self.holding.job, self._parts.lock.clock.now()
        failures = job.failures + 1 if ending.call == "release" else job.failures
        until = now + timedelta(seconds=hold_off_s(failures)) if ending.call == "release" else None
        facts = {"outcome": ending.state, "reason": ending.message, "failures": failures, "hold_off_until": until}
        await self.holding.move(_EVENTS[ending.call], **facts)

    async def _tell(self) -> None:
        """A lost answer counts as done: the job is gone either way."""
        try:
            await self._contact.insist(self._last_call)
        except NotMine as error:
            if self.holding.job.state == "ending" and not (self._contact.doubt or self._resumed):
                raise Withdrawn(str(error)) from None
        except NotUnderstood as error:
            self._parts.misfit(self.holding.job.type, str(error))
            raise Fenced(f"profile error: {error}") from None
        done = self.holding.job.outcome in ("Completed", "PartiallyCompleted")
        progress = 1000 if done else self.holding.job.progress
        if self.holding.job.state != "releasing":
            await self._forget_recordings()
        await self.holding.move("told", progress=progress)
        self._ended(outcome_of(self.holding.job))

    async def _last_call(self) -> None:
        job, ours = self.holding.job, self.holding.ours
        if job.state == "ending":
            assert job.outcome is not None
            return await self._client.complete(ours, job.outcome, job.reason)
        call = self._client.release if job.state == "releasing" else self._client.cancel
        return await call(ours, job.reason)

    async def _lose(self, reason: str, outcome: str) -> None:
        """Keys are forgotten; what was fetched may serve the next attempt, unless people want no more of it (13.5)."""
        job, withdrawn = self.holding.job, outcome == "withdrawn"
        failures = job.failures if withdrawn else job.failures + 1
        until = self._parts.lock.clock.now() + timedelta(seconds=hold_off_s(1)) if not withdrawn else None
        if withdrawn:
            await self._forget_recordings()
        await self.holding.move("lost", reason=reason[:500], failures=failures, hold_off_until=until)
        await self._tidy()
        self._ended(outcome)

    async def _tidy(self) -> None:
        for file in list(self.holding.files.values()):
            if file.state not in ("done", "abandoned"):
                await self.holding.put(replace(file, state="abandoned", upload=None))

    async def _forget_recordings(self) -> None:
        """Those of earlier attempts too; before the end is written down, so that a kill in between leaves none."""
        await self._parts.work.delivery.spool.forget(self.holding.job.id)

    def _ended(self, outcome: str) -> None:
        job, seconds = self.holding.job, self._parts.lock.clock.monotonic() - self._began
        reason = job.reason if outcome != "completed" else ""
        self._parts.lock.record(JobEnded(job.agent, job.registry_id, job.type, outcome, round(seconds, 1), reason))


def outcome_of(job: Job) -> str:
    """Of a job that is closed, for people and metrics."""
    return _OUTCOMES.get(job.outcome or "", job.state)
