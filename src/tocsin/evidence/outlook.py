"""How it stands with a registry: when it last answered, what it offered, what may not be taken."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from tocsin.engine.contracts import Clock
from tocsin.engine.evidence import AgentState, AgentStatus
from tocsin.engine.tasks import ComponentState
from tocsin.evidence.journal import AgentJournal
from tocsin.evidence.polling import AWAY_S, PollState
from tocsin.evidence.registry.client import RegistryClient
from tocsin.evidence.registry.faults import Garbled, Misconfigured, NotUnderstood, RegistryFault
from tocsin.evidence.registry.wire import Offered
from tocsin.model.evidence import Job, JobType
from tocsin.telemetry.occurrences import AgentCameBack, AgentWentAway, ProfileMisfit
from tocsin.telemetry.record import Recorder

RECENT = 500
SOON = timedelta(hours=24)
REFUSALS_TOLD = 2


class Outlook:
    def __init__(
        self,
        name: str,
        client: RegistryClient,
        offset_s: Callable[[], float],
        journal: AgentJournal,
        clock: Clock,
        record: Recorder,
    ) -> None:
        self._name = name
        self._client = client
        self._offset_s = offset_s
        self._journal = journal
        self._clock = clock
        self._record = record
        self._polls = PollState()
        self._reason = ""
        self._away_since: float | None = None
        self._told = False
        self._last_answer: datetime | None = None
        self._offered: Sequence[Offered] = ()
        self._misread: dict[JobType, str] = {}
        self._misfits: dict[JobType, str] = {}
        self._told_misfits: set[tuple[str, str]] = set()
        self._held_off: dict[str, datetime] = {}

    async def load(self) -> None:
        """Jobs that are left to others for a while."""
        for job in await self._journal.recent(RECENT):
            self.ended(job)

    def ended(self, job: Job) -> None:
        """An attempt has."""
        if job.hold_off_until is not None:
            self._held_off[job.registry_id] = job.hold_off_until
        else:
            self._held_off.pop(job.registry_id, None)

    def answered(self, offered: Sequence[Offered]) -> None:
        self._offered, self._last_answer = offered, self._clock.now()
        self._polls, self._reason = PollState(), ""
        if self._told:
            away_s = self._clock.monotonic() - (self._away_since or self._clock.monotonic())
            self._record(AgentCameBack(self._name, round(away_s, 1)))
        self._told, self._away_since = False, None
        self._misread = {one.type: one.problem for one in offered if one.problem and one.type is not None}
        for one in offered:
            if one.problem:
                self._tell_misfit(one.type or "", one.problem)

    def failed(self, error: RegistryFault) -> None:
        now = self._clock.monotonic()
        refused = isinstance(error, Misconfigured)
        self._polls = self._polls.refused() if refused else self._polls.failed()
        self._reason = str(error)
        self._away_since = now if self._away_since is None else self._away_since
        if isinstance(error, NotUnderstood) and not isinstance(error, Garbled):
            self._tell_misfit("", str(error))
        if not self._told and (self._polls.refusals >= REFUSALS_TOLD or now - self._away_since >= AWAY_S):
            self._told = True
            self._record(AgentWentAway(self._name, self._reason))

    def misfit(self, type_: JobType, reason: str) -> None:
        """An answer about a job of this type is not as the profile says: no more of them (6)."""
        self._misfits[type_] = reason
        self._tell_misfit(type_, reason)

    def _tell_misfit(self, type_: str, reason: str) -> None:
        """Once each."""
        if (type_, reason) not in self._told_misfits and len(self._told_misfits) < RECENT:
            self._told_misfits.add((type_, reason))
            self._record(ProfileMisfit(self._name, type_, reason))

    def pause_s(self, interval_s: float, chance: float) -> float:
        return self._polls.pause_s(interval_s, chance)

    def choice(
        self, recorder_keeps_s: float | None
    ) -> tuple[datetime, Mapping[str, datetime], frozenset[JobType], Callable[[Offered], bool]]:
        """What `chosen` is told."""
        now = self._clock.now()
        blocked = frozenset(self._misfits) | frozenset(self._misread)
        return now, self._held_off, blocked, partial(_soon_gone, now, recorder_keeps_s)

    def status(
        self, type_: str, owned: bool, paused: bool, running: Sequence[str], spooled: int, dry_run: bool
    ) -> AgentStatus:
        return AgentStatus(
            name=self._name,
            type=type_,
            state=self._state(owned, paused),
            reason=self._reason,
            place=self._client.place,
            last_answer=self._last_answer,
            offered=len(self._offered),
            oldest_offered=min((one.created_at for one in self._offered if one.created_at), default=None),
            running=running,
            blocked=[f"{type_}: {reason}" for type_, reason in {**self._misread, **self._misfits}.items()],
            dry_run=dry_run,
            spool_bytes=spooled,
            clock_offset_s=self._offset_s(),
        )

    def component(self, name: str, owned: bool) -> ComponentState:
        """For /healthz."""
        blocked = ", ".join(sorted({*self._misread, *self._misfits}))
        detail = f"jobs of type {blocked} are not taken: profile error" if blocked and owned else self._reason
        return ComponentState(name, "evidence", not detail, detail)

    def _state(self, owned: bool, paused: bool) -> AgentState:
        if not owned:
            return "elsewhere"
        if self._polls.refusals:
            return "refused"
        if self._polls.failures:
            return "away"
        if self._last_answer is None:
            return "starting"
        return "paused" if paused else "asking"


def _soon_gone(now: datetime, recorder_keeps_s: float | None, offered: Offered) -> bool:
    """Whether its video will be overwritten within a day, and is not yet."""
    if recorder_keeps_s is None or offered.start is None:
        return False
    gone_at = offered.start + timedelta(seconds=recorder_keeps_s)
    return now < gone_at < now + SOON
