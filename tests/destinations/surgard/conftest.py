"""A destination with real sockets, and strict automation software on the other side."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.destinations.bench import LineBench, panel_event

from tocsin.destinations.registry import DESTINATION_TYPES
from tocsin.destinations.surgard.destination import SurgardDestination
from tocsin.engine.clock import LoopClock
from tocsin.model.event import Event
from tocsin.standins.surgard import Host

AT = datetime(2026, 3, 4, 8, 15, 30, tzinfo=UTC)


class Bench(LineBench):
    type = "surgard"

    def __init__(self) -> None:
        super().__init__(panel_event(AT, "North gate"))

    def destination(self, *ports: int, **changes: Any) -> SurgardDestination:
        timing = {name: changes.pop(name) for name in ("wait", "connect_timeout") if name in changes}
        where = {} if "listen" in changes else {"hosts": [f"127.0.0.1:{port}" for port in ports]}
        table = {"name": "arc", "type": self.type, "account": "9280"} | where
        kind = DESTINATION_TYPES[self.type]
        settings = kind.settings.model_validate(table | changes).model_copy(update={"wait": 2.0} | timing)
        made = kind.build(settings, self.surroundings)
        assert isinstance(made, SurgardDestination)
        return self.closes(made)

    def record(self, destination: SurgardDestination, event: Event | None = None) -> bytes:
        (rendered,) = destination.render(self.due(destination, event), ())
        return rendered.data


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Bench() as made:
        yield made


class Software:
    """`await software()` starts one that listens and returns it with its port; `connecting` one that connects."""

    def __init__(self) -> None:
        self.hosts: list[Host] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def __call__(self, **options: Any) -> tuple[Host, int]:
        self.hosts.append(Host(LoopClock(), **options))
        return self.hosts[-1], await self.hosts[-1].start()

    def connecting(self, port: int, server_name: str | None = None, **options: Any) -> Host:
        self.hosts.append(Host(LoopClock(), **options))
        self.tasks.append(asyncio.create_task(self.hosts[-1].connect("127.0.0.1", port, server_name)))
        return self.hosts[-1]

    async def aclose(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for host in self.hosts:
            await host.aclose()


@pytest.fixture
async def station() -> AsyncIterator[Software]:
    made = Software()
    yield made
    await made.aclose()
