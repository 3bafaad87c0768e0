"""How a job becomes ours, or is found to be ours still after a restart (clearance.md 7.2, 13.4)."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import NamedTuple

from msgspec.structs import replace

from tocsin.evidence.attempt import Attempt, AttemptParts, outcome_of
from tocsin.evidence.holding import Holding
from tocsin.evidence.jobs.lifecycle import HOLDING
from tocsin.evidence.jobs.lock import ASSUMED_S
from tocsin.evidence.journal import AgentJournal
from tocsin.evidence.registry.client import Granted
from tocsin.evidence.registry.faults import Misconfigured, NotMine, NotUnderstood, TryAgain
from tocsin.evidence.registry.wire import Offered
from tocsin.model.evidence import Job, JobFile
from tocsin.telemetry.occurrences import JobEnded, Trouble

DROPPED_AFTER = timedelta(hours=24)
"""What was begun so long ago the registry has thrown away (9.3, 13.4)."""


class TakingParts(NamedTuple):
    journal: AgentJournal
    attempt: AttemptParts
    new_id: Callable[[], str]


class Taking:
    """`unsure`: jobs whose lock call was not answered, by the registry's id."""

    def __init__(self, parts: TakingParts) -> None:
        self._parts = parts
        self._lock = parts.attempt.lock
        self._journal = parts.journal
        self._told_of_length = False
        self.unsure: dict[str, Job] = {}

    async def begin(self) -> list[Job]:
        """This node has the lease from now on; another one may have written since. What was under way."""
        self.unsure.clear()
        await self._journal.forget()
        return await self._journal.open_jobs()

    async def take(self, offered: Offered) -> Attempt | None:
        """Journal first, then the call. None: it is not ours, or nobody knows."""
        known = await self._journal.known(offered.registry_id)
        if known is not None and (known.state in HOLDING or known.state == "locking"):
            return None
        holding = self._holding(self._again(known, offered) if known else self._first(offered))
        await holding.move("picked")
        return await self._locked(holding)

    def _first(self, offered: Offered) -> Job:
        assert offered.type is not None
        now = self._lock.clock.now()
        identity = (self._parts.new_id(), self._journal.agent, offered.registry_id, offered.type)
        return _offered(Job(*identity, "seen", now, now), offered)

    def _again(self, known: Job, offered: Offered) -> Job:
        """A new attempt, unless the last lock call was not answered."""
        if known.state == "seen":
            return _offered(known, offered)
        fresh = replace(known, attempt=known.attempt + 1, lock_token="", locked_until=None, progress=0)
        return _offered(replace(fresh, outcome=None, reason="", hold_off_until=None), offered)

    async def _locked(self, holding: Holding) -> Attempt | None:
        sent_at = self._lock.boot()
        try:
            granted = await self._lock.client.lock(holding.ours, sent_at)
        except NotMine as error:
            await holding.move("refused", reason=f"another agent was faster: {error}")
            self._ended(holding.job, "refused")
            return None
        except (TryAgain, Misconfigured, NotUnderstood) as error:
            await holding.move("unanswered", reason=str(error)[:500])
            self.unsure[holding.job.registry_id] = holding.job
            if isinstance(error, NotUnderstood):
                self._parts.attempt.misfit(holding.job.type, str(error))
            return None
        return await self._granted(holding, granted)

    async def _granted(self, holding: Holding, granted: Granted) -> Attempt:
        if granted.granted_s is None and not self._told_of_length:
            self._told_of_length = True
            text = f"the registry does not say how long locks last; {ASSUMED_S:.0f} s are assumed"
            self._lock.record(Trouble(f"evidence {self._journal.agent}", text))
        self.unsure.pop(holding.job.registry_id, None)
        until = self._lock.clock.now() + timedelta(
            seconds=ASSUMED_S if granted.granted_s is None else granted.granted_s
        )
        facts = {"lock_token": granted.token, "locked_until": until, "reason": ""}
        if holding.job.state in ("locking", "seen"):
            await holding.move("granted", **facts)
        return Attempt(holding, granted, self._parts.attempt)

    async def settle(self, listed: frozenset[str]) -> AsyncIterator[Attempt]:
        """Of the unsure ones that the registry no longer lists: ours, if they can be renewed."""
        for registry_id, job in list(self.unsure.items()):
            if registry_id not in listed and (attempt := await self._renewed(self._holding(job))):
                yield attempt

    async def recover(self, job: Job) -> Attempt | None:
        """What an earlier process was doing. None: it is over. Raises TryAgain, Misconfigured, NotUnderstood."""
        files = await self._journal.files(job.id)
        holding = self._holding(job, [file for file in files if file.attempt == job.attempt])
        if job.state == "locking":
            await holding.move("unanswered")
        if holding.job.state == "seen":
            self.unsure[job.registry_id] = holding.job
            return None
        if self._lock.clock.now() - job.updated_at > DROPPED_AFTER:
            await self._over(holding, "it was begun more than 24 h ago")
            return None
        return await self._renewed(holding)

    async def _renewed(self, holding: Holding) -> Attempt | None:
        """Raises TryAgain, Misconfigured, NotUnderstood."""
        try:
            granted = await self._lock.client.renew(holding.ours, self._lock.boot())
        except NotMine as error:
            await self._not_ours(holding, error)
            return None
        return await self._granted(holding, granted)

    async def _not_ours(self, holding: Holding, error: NotMine) -> None:
        """A job whose end was about to be told is gone either way: should it come back, it is a new attempt."""
        if holding.job.state in ("ending", "releasing", "cancelling"):
            if holding.job.state != "releasing":
                await self._parts.attempt.work.delivery.spool.forget(holding.job.id)
            reason = f"{holding.job.reason} (whether the registry heard it is not known)".strip()
            await holding.move("told", reason=reason)
            return self._ended(holding.job, outcome_of(holding.job))
        return await self._over(holding, f"not ours any more: {error}")

    async def _over(self, holding: Holding, reason: str) -> None:
        self.unsure.pop(holding.job.registry_id, None)
        for file in list(holding.files.values()):
            if file.state not in ("done", "abandoned"):
                await holding.put(replace(file, state="abandoned", upload=None))
        await holding.move("lost", reason=reason)
        self._ended(holding.job, "lost")

    def _holding(self, job: Job, files: list[JobFile] | None = None) -> Holding:
        return Holding(job, {file.number: file for file in files or []}, self._journal, self._lock.clock)

    def _ended(self, job: Job, outcome: str) -> None:
        self._lock.record(JobEnded(job.agent, job.registry_id, job.type, outcome, 0.0, job.reason))


def _offered(job: Job, offered: Offered) -> Job:
    return replace(
        job,
        device=offered.device,
        start=offered.start,
        end=offered.end,
        created_at=offered.created_at,
        approved_by=offered.approved_by,
        received=offered.received,
    )
