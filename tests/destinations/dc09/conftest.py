"""A destination with real sockets, and a strict station of the other side."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.destinations.dc09.destination import Dc09Destination, build
from tocsin.destinations.dc09.settings import Dc09Settings
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import Attempt
from tocsin.model.delivery import DeliveryKey, Due
from tocsin.model.event import Address, Event, Place
from tocsin.model.kinds import lane_of
from tocsin.standins.dc09 import Station
from tocsin.telemetry.record import Occurrence
from tocsin.transports.sockets import SocketNetwork

AT = datetime(2026, 3, 4, 8, 15, 28, tzinfo=UTC)


def an_event(**changes: Any) -> Event:
    facts: dict[str, Any] = {
        "id": "01JNF0000000000000000000AA",
        "kind": "burglary",
        "occurred_at": AT,
        "accepted_at": AT,
        "source": "panels",
        "place": Place(name="Detector 2DAD", area="North depot"),
        "address": Address("6F01", "2", "17"),
    }
    return Event(**(facts | changes))


@dataclass
class Bench:
    """Makes destinations, keeps what they record, and closes them."""

    occurrences: list[Occurrence] = field(default_factory=list)
    made: list[Dc09Destination] = field(default_factory=list)
    clock: Any = field(default_factory=LoopClock)

    def destination(self, *ports: int, **changes: Any) -> Dc09Destination:
        timing = {"reply_timeout": 2.0, "connect_timeout": 2.0} | {
            name: changes.pop(name) for name in ("reply_timeout", "connect_timeout") if name in changes
        }
        table = {"name": "arc", "type": "dc09", "hosts": [f"127.0.0.1:{port}" for port in ports], "account": "9280"}
        settings = Dc09Settings.model_validate(table | changes).model_copy(update=timing)
        around = Surroundings(self.clock, random.Random(7), SocketNetwork(), self.occurrences.append)
        self.made.append(build(settings, around))
        return self.made[-1]

    def event(self, **changes: Any) -> Event:
        return an_event(**changes)

    def due(self, destination: Dc09Destination, event: Event | None = None, number: int = 1) -> Due:
        event = event or an_event()
        where = destination.address(event, None)
        assert not where.problem
        return Due(DeliveryKey(number, "arc"), lane_of(event.kind), where.address, where.queue, number, event)

    def attempt(self) -> Attempt:
        async def none(_: int) -> list[Any]:
            return []

        return Attempt(self.clock, none, 1)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    for destination in made.made:
        await destination.aclose()


Stations = Callable[..., Awaitable[tuple[Station, int]]]


@pytest.fixture
async def station() -> AsyncIterator[Stations]:
    """`station(keys=…)` starts one and returns it with its port."""
    made: list[Station] = []

    async def start(**options: Any) -> tuple[Station, int]:
        made.append(Station(LoopClock(), random.Random(3), **options))
        return made[-1], await made[-1].start()

    yield start
    for each in made:
        await each.aclose()
