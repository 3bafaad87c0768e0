"""A destination with real sockets, and a strict receiver of the other side."""

import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tocsin.destinations.manitou.destination import ManitouDestination, build
from tocsin.destinations.manitou.settings import ManitouSettings
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import Attempt
from tocsin.model.delivery import DeliveryKey, Due
from tocsin.model.event import Event, Photo
from tocsin.model.kinds import lane_of
from tocsin.standins.manitou import Assumed, ManitouStandin
from tocsin.telemetry.record import Occurrence
from tocsin.transports.sockets import SocketNetwork


class Bench:
    """Makes receivers and destinations, and closes them."""

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.closing = contextlib.AsyncExitStack()
        self.occurrences: list[Occurrence] = []

    async def receiver(self, tls: Any = None, **assumed: Any) -> tuple[ManitouStandin, int]:
        made = ManitouStandin(self.clock, None, Assumed(**assumed), tls)
        self.closing.push_async_callback(made.aclose)
        return made, await made.start()

    def destination(self, *ports: int, ack_timeout: float = 2.0, **changes: Any) -> ManitouDestination:
        table = {
            "name": "arc",
            "type": "manitou",
            "hosts": [f"127.0.0.1:{port}" for port in ports],
            "account": "123588",
        }
        settings = ManitouSettings.model_validate(table | changes).model_copy(update={"ack_timeout": ack_timeout})
        around = Surroundings(self.clock, random.Random(7), SocketNetwork(), self.occurrences.append)
        made = build(settings, around)
        self.closing.push_async_callback(made.aclose)
        return made

    def due(self, destination: ManitouDestination, event: Event, number: int = 1) -> Due:
        where = destination.address(event, None)
        assert not where.problem
        return Due(DeliveryKey(7, "arc"), lane_of(event.kind), where.address, where.queue, number, event)

    def attempt(self, *photos: Photo) -> Attempt:
        async def load(_: int) -> tuple[Photo, ...]:
            return photos

        return Attempt(self.clock, load, 7)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.closing.aclose()
