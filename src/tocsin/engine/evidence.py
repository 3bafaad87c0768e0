"""What the engine knows of evidence agents: something with work of its own beside the way of events."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Literal, Protocol

from msgspec import Struct

from tocsin.engine.tasks import ComponentState

AgentState = Literal["starting", "elsewhere", "asking", "paused", "away", "refused", "broken"]
"""`elsewhere`: another node works for it. `away`: the registry cannot be reached; `refused`: it refuses the login."""


class AgentStatus(Struct, frozen=True):
    """One agent as people see it. `offered`: jobs in the registry's last answer; `running`: ids of ours."""

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


class Agent(Protocol):
    """`works` go on until cancelled."""

    name: str

    def works(self) -> Sequence[tuple[str, str, Callable[[], Awaitable[None]]]]: ...

    def state(self) -> ComponentState:
        """For /healthz."""

    async def status(self) -> AgentStatus: ...

    def pause(self) -> None:
        """No more jobs are taken; those under way go on to their end."""

    def resume(self) -> None: ...

    def accept_shrink(self) -> None:
        """The next discovery may list far fewer devices than the last one."""

    async def stop(self) -> None:
        """Within a few seconds: nothing more is begun; jobs under way are left as the journal has them, or released."""

    async def aclose(self) -> None: ...


class Agents:
    """All of a gateway. Unknown names raise KeyError."""

    def __init__(self) -> None:
        self._members: dict[str, Agent] = {}

    def add(self, agent: Agent) -> None:
        self._members[agent.name] = agent

    def named(self, name: str) -> Agent:
        return self._members[name]

    def works(self) -> list[tuple[str, str, Callable[[], Awaitable[None]]]]:
        return [work for agent in self._members.values() for work in agent.works()]

    def states(self) -> list[ComponentState]:
        return [agent.state() for agent in self._members.values()]

    async def statuses(self) -> list[AgentStatus]:
        return [await agent.status() for agent in self._members.values()]

    async def stop(self) -> None:
        await asyncio.gather(*(agent.stop() for agent in self._members.values()))

    async def aclose(self) -> None:
        await asyncio.gather(*(agent.aclose() for agent in self._members.values()))
