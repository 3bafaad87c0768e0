"""What the engine knows of evidence agents: something with work of its own beside the way of events."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from tocsin.engine.contracts import Clock
from tocsin.engine.hub import Change, Hub
from tocsin.engine.tasks import ComponentState
from tocsin.model.evidence import Job

LOOK_S = 2.0

AgentState = Literal["starting", "elsewhere", "asking", "paused", "away", "refused", "broken"]
"""`elsewhere`: another node works for it. `away`: the registry cannot be reached; `refused`: it refuses the login."""


class AgentStatus(Struct, frozen=True):
    """One agent as people see it. `offered`: jobs in the registry's last answer; `running`: ids of ours; `unsettled`:
    ids of those that may be ours, until the registry has answered; `since`: when this state was first seen, to two
    seconds.
    """

    name: str
    type: str
    state: AgentState
    reason: str = ""
    place: str = ""
    last_answer: datetime | None = None
    offered: int = 0
    oldest_offered: datetime | None = None
    running: Sequence[str] = ()
    blocked: Sequence[str] = ()
    """Types of jobs that are not taken because the wire profile does not fit, with the reason."""
    dry_run: bool = False
    spool_bytes: int = 0
    clock_offset_s: float = 0.0
    since: datetime | None = None
    unsettled: Sequence[str] = ()


class Agent(Protocol):
    """`works` go on until cancelled. `paused`: by hand."""

    name: str
    paused: bool

    def works(self) -> Sequence[tuple[str, str, Callable[[], Awaitable[None]]]]: ...

    def state(self) -> ComponentState:
        """For /healthz."""

    async def status(self) -> AgentStatus: ...

    def locks(self) -> Mapping[str, datetime]:
        """Until when the registry's locks of the jobs under way here last, by job."""

    def pause(self) -> None:
        """No more jobs are taken; those under way go on to their end."""

    def resume(self) -> None: ...

    def accept_shrink(self) -> None:
        """The next discovery may list far fewer devices than the last one."""

    async def stop(self, for_good: bool) -> None:
        """Within a few seconds: nothing more is begun; jobs under way are left as the journal has them, or, `for_good`,
        released where the settings say so. After a mere reload they go on at once.
        """

    async def aclose(self) -> None: ...


class Agents:
    """All of a gateway. Unknown names raise KeyError. What changes of them is published."""

    def __init__(self, clock: Clock, hub: Hub) -> None:
        self._clock = clock
        self._hub = hub
        self._members: dict[str, Agent] = {}
        self._seen: dict[str, AgentStatus] = {}

    def add(self, agent: Agent) -> None:
        self._members[agent.name] = agent

    def named(self, name: str) -> Agent:
        return self._members[name]

    def works(self) -> list[tuple[str, str, Callable[[], Awaitable[None]]]]:
        works = [work for agent in self._members.values() for work in agent.works()]
        return [*works, ("evidence agents", "evidence", self._watch)] if works else []

    def states(self) -> list[ComponentState]:
        return [agent.state() for agent in self._members.values()]

    async def statuses(self) -> list[AgentStatus]:
        return [await self.status(name) for name in self._members]

    async def status(self, name: str) -> AgentStatus:
        status = await self._members[name].status()
        before = self._seen.get(name)
        since = before.since if before is not None and before.state == status.state else self._clock.now()
        self._seen[name] = replace(status, since=since)
        if before is None or (before.state, before.reason) != (status.state, status.reason):
            self._hub.publish(Change("agent", name, {"state": status.state, "reason": status.reason}))
        return self._seen[name]

    async def _watch(self) -> None:
        while True:
            await self.statuses()
            await asyncio.sleep(LOOK_S)

    def changed(self, job: Job) -> None:
        """A job was written down."""
        told = {"agent": job.agent, "state": job.state, "progress": job.progress, "outcome": job.outcome}
        self._hub.publish(Change("job", job.id, told))

    def now_locked(self, job: Job) -> Job:
        """The job with its lock as it was last renewed here, which is not written down each time."""
        agent = self._members.get(job.agent)
        until = agent.locks().get(job.id) if agent is not None and job.open else None
        return replace(job, locked_until=until) if until else job

    def paused(self) -> frozenset[str]:
        return frozenset(name for name, agent in self._members.items() if agent.paused)

    def carry_on(self, paused: frozenset[str]) -> None:
        """Before they work: those that were paused by hand still are."""
        for name in paused & self._members.keys():
            self._members[name].pause()

    async def stop(self, for_good: bool) -> None:
        await asyncio.gather(*(agent.stop(for_good) for agent in self._members.values()))

    async def aclose(self) -> None:
        await asyncio.gather(*(agent.aclose() for agent in self._members.values()))
