"""A receiver on real sockets with an intake in memory, and panels that report to it."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import IntakeClosed, Refused, Submission, Taken
from tocsin.model.event import Event
from tocsin.sources.dc09.settings import Dc09SourceSettings
from tocsin.sources.dc09.source import Dc09Source, build
from tocsin.sources.surroundings import SourceSurroundings
from tocsin.standins.panel import PanelOptions, StandInPanel
from tocsin.telemetry.record import Occurrence
from tocsin.transports.contract import Endpoint
from tocsin.transports.sockets import SocketNetwork


class MemoryIntake:
    """Keeps events in memory; `closed` and `refusing` make it say no, `gate` makes it slow."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.batches: list[int] = []
        self.closed = False
        self.refusing = ""
        self.broken = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.delivered = asyncio.Event()
        """Whether a station has what was kept."""
        self._seen: set[bytes] = set()

    async def accept(self, submission: Submission) -> Taken:
        return (await self.accept_many([submission]))[0]

    async def accept_many(self, submissions: Sequence[Submission]) -> Sequence[Taken]:
        if self.closed:
            raise IntakeClosed("the store is full")
        if self.broken:
            raise RuntimeError("a defect")
        if self.refusing and any(each.event.address.account == self.refusing for each in submissions):
            raise Refused("not this one")
        self.batches.append(len(submissions))
        await self.gate.wait()
        return [self._keep(each) for each in submissions]

    async def all_delivered(self, taken: Sequence[Taken], within_s: float) -> bool:
        try:
            await asyncio.wait_for(self.delivered.wait(), within_s)
        except TimeoutError:
            return False
        return True

    def _keep(self, submission: Submission) -> Taken:
        repeat = bool(submission.repeat_key) and submission.repeat_key in self._seen
        self._seen.add(submission.repeat_key)
        if not repeat:
            self.events.append(submission.event)
        return Taken("id", len(self.events), repeat, ())


@dataclass
class Receiving:
    """A running source."""

    source: Dc09Source
    intake: MemoryIntake
    occurrences: list[Occurrence]
    heard: list[tuple[str, str]]
    task: "asyncio.Task[None]"
    panels: list[StandInPanel] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.source.port

    def panel(self, account: str, **options: Any) -> StandInPanel:
        own = PanelOptions(Endpoint("127.0.0.1", self.port), account, **({"reply_timeout_s": 5.0} | options))
        self.panels.append(StandInPanel(own, SocketNetwork(), LoopClock(), random.Random(5)))
        return self.panels[-1]

    def recorded(self, kind: type[Occurrence]) -> list[Any]:
        return [each for each in self.occurrences if isinstance(each, kind)]

    async def raw(self, data: bytes, count: int) -> bytes:
        """Send bytes on a connection of their own; the answers up to `count` carriage returns."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            answers = b""
            async with asyncio.timeout(5):
                while answers.count(b"\r") < count:
                    read = await reader.read(65536)
                    if not read:
                        break
                    answers += read
            return answers
        finally:
            writer.close()
            await writer.wait_closed()


@pytest.fixture
async def receiving() -> AsyncIterator[Callable[..., Awaitable[Receiving]]]:
    """`await receiving(accounts=[…])` starts a receiver."""
    running: list[Receiving] = []

    async def start(**changes: Any) -> Receiving:
        table = {"name": "panels", "type": "dc09", "listen": "127.0.0.1:0", "accounts": [{"account": "6F01"}]}
        occurrences: list[Occurrence] = []
        heard: list[tuple[str, str]] = []
        around = SourceSurroundings(
            LoopClock(), random.Random(2), occurrences.append, lambda source, subject: heard.append((source, subject))
        )
        source = build(Dc09SourceSettings.model_validate(table | changes), around)
        intake = MemoryIntake()
        task = asyncio.create_task(source.run(intake))
        running.append(Receiving(source, intake, occurrences, heard, task))
        await source.listening.wait()
        return running[-1]

    yield start
    for each in running:
        for panel in each.panels:
            await panel.aclose()
        each.task.cancel()
        await asyncio.gather(each.task, return_exceptions=True)
