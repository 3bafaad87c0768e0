"""A destination with real sockets, and strict automation software on the other side."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.destinations.registry import DESTINATION_TYPES
from tocsin.destinations.surgard.destination import SurgardDestination
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import Attempt
from tocsin.model.delivery import DeliveryKey, Due
from tocsin.model.event import Address, Event, Place
from tocsin.model.kinds import lane_of
from tocsin.standins.surgard import Host
from tocsin.telemetry.record import Occurrence
from tocsin.transports.sockets import SocketNetwork

AT = datetime(2026, 3, 4, 8, 15, 30, tzinfo=UTC)


def an_event(**changes: Any) -> Event:
    facts: dict[str, Any] = {
        "id": "01JNF0000000000000000000AA",
        "kind": "burglary",
        "occurred_at": AT,
        "accepted_at": AT,
        "source": "panels",
        "place": Place(name="North gate", area="North depot"),
        "address": Address("6F01", "2", "17"),
    }
    return Event(**(facts | changes))


@dataclass
class Bench:
    """Makes destinations, keeps what they record, and closes them."""

    occurrences: list[Occurrence] = field(default_factory=list)
    made: list[SurgardDestination] = field(default_factory=list)
    clock: Any = field(default_factory=LoopClock)
    type: str = "surgard"

    def destination(self, *ports: int, **changes: Any) -> SurgardDestination:
        timing = {name: changes.pop(name) for name in ("wait", "connect_timeout") if name in changes}
        where = {} if "listen" in changes else {"hosts": [f"127.0.0.1:{port}" for port in ports]}
        table = {"name": "arc", "type": self.type, "account": "9280"} | where
        kind = DESTINATION_TYPES[self.type]
        settings = kind.settings.model_validate(table | changes).model_copy(update={"wait": 2.0} | timing)
        around = Surroundings(self.clock, random.Random(7), SocketNetwork(), self.occurrences.append)
        made = kind.build(settings, around)
        assert isinstance(made, SurgardDestination)
        self.made.append(made)
        return made

    def event(self, **changes: Any) -> Event:
        return an_event(**changes)

    def due(self, destination: SurgardDestination, event: Event | None = None, number: int = 1) -> Due:
        event = event or an_event()
        where = destination.address(event, None)
        assert not where.problem
        return Due(DeliveryKey(number, "arc"), lane_of(event.kind), where.address, where.queue, number, event)

    def attempt(self) -> Attempt:
        async def none(_: int) -> list[Any]:
            return []

        return Attempt(self.clock, none, 1)

    def record(self, destination: SurgardDestination, event: Event | None = None) -> bytes:
        (rendered,) = destination.render(self.due(destination, event), ())
        return rendered.data


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    for destination in made.made:
        await destination.aclose()


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
