"""The gateway as automation software on real sockets with an intake in memory, and receivers that report to it."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import IntakeClosed, Refused, Submission, Taken
from tocsin.model.event import Event
from tocsin.sources.surgard.settings import SurgardSourceSettings
from tocsin.sources.surgard.source import SurgardSource, build
from tocsin.sources.surroundings import SourceSurroundings
from tocsin.standins.surgard_receiver import StandInReceiver
from tocsin.telemetry.occurrences import FrameDropped
from tocsin.telemetry.record import Occurrence


class MemoryIntake:
    """Keeps events in memory; `closed`, `refusing` and `broken` make it say no, `gate` makes it slow."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.asked = 0
        self.closed = False
        self.refusing = False
        self.broken = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.delivered = asyncio.Event()
        """Whether a station has what was kept."""

    async def accept(self, submission: Submission) -> Taken:
        return (await self.accept_many([submission]))[0]

    async def accept_many(self, submissions: Sequence[Submission]) -> Sequence[Taken]:
        self.asked += 1
        if self.closed:
            raise IntakeClosed("the store is full")
        if self.broken:
            raise RuntimeError("a defect")
        if self.refusing:
            raise Refused("not this one")
        await self.gate.wait()
        self.events += [each.event for each in submissions]
        return [Taken("id", len(self.events), False, ("arc",)) for _ in submissions]

    async def all_delivered(self, taken: Sequence[Taken], within_s: float) -> bool:
        try:
            await asyncio.wait_for(self.delivered.wait(), within_s)
        except TimeoutError:
            return False
        return True


@dataclass
class Automation:
    """A running source."""

    source: SurgardSource
    intake: MemoryIntake
    occurrences: list[Occurrence]
    heard: list[tuple[str, str]]
    clock: Any
    task: "asyncio.Task[None]"
    receivers: list[StandInReceiver] = field(default_factory=list)

    def receiver(self, **options: Any) -> StandInReceiver:
        """One that connects to the source."""
        server_name = options.pop("server_name", None)
        self.receivers.append(StandInReceiver(**({"wait_s": 5.0} | options)))
        self.receivers[-1].connects_to("127.0.0.1", self.source.port, server_name)
        return self.receivers[-1]

    def dropped(self) -> list[str]:
        return [each.reason for each in self.occurrences if isinstance(each, FrameDropped)]

    @property
    def events(self) -> list[Event]:
        return self.intake.events


Running = Callable[..., Awaitable[Automation]]


@pytest.fixture
async def automation() -> AsyncIterator[Running]:
    """`await automation(accounts=[…])` starts a source; it listens unless `hosts` are given."""
    running: list[Automation] = []

    async def start(clock: Any = None, **changes: Any) -> Automation:
        where = {} if "hosts" in changes else {"mode": "listen", "listen": "127.0.0.1:0"}
        table = {"name": "receiver", "type": "surgard", "accounts": [{"account": "1234", "area": "North depot"}]}
        occurrences: list[Occurrence] = []
        heard: list[tuple[str, str]] = []
        clock = clock or LoopClock()
        around = SourceSurroundings(
            clock, random.Random(2), occurrences.append, lambda source, subject: heard.append((source, subject))
        )
        source = build(SurgardSourceSettings.model_validate(table | where | changes), around)
        intake = MemoryIntake()
        task = asyncio.create_task(source.run(intake))
        running.append(Automation(source, intake, occurrences, heard, clock, task))
        if where:
            await source.listening.wait()
        return running[-1]

    yield start
    for each in running:
        each.intake.gate.set()
        for receiver in each.receivers:
            await receiver.aclose()
        each.task.cancel()
        await asyncio.gather(each.task, return_exceptions=True)
