"""A destination with real sockets, and a strict station of the other side."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.destinations.bench import LineBench, panel_event

from tocsin.destinations.dc09.destination import Dc09Destination, build
from tocsin.destinations.dc09.settings import Dc09Settings
from tocsin.engine.clock import LoopClock
from tocsin.standins.dc09 import Station

AT = datetime(2026, 3, 4, 8, 15, 28, tzinfo=UTC)


class Bench(LineBench):
    def __init__(self) -> None:
        super().__init__(panel_event(AT, "Detector 2DAD"))

    def destination(self, *ports: int, **changes: Any) -> Dc09Destination:
        timing = {"reply_timeout": 2.0, "connect_timeout": 2.0} | {
            name: changes.pop(name) for name in ("reply_timeout", "connect_timeout") if name in changes
        }
        table = {"name": "arc", "type": "dc09", "hosts": [f"127.0.0.1:{port}" for port in ports], "account": "9280"}
        settings = Dc09Settings.model_validate(table | changes).model_copy(update=timing)
        return self.closes(build(settings, self.surroundings))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Bench() as made:
        yield made


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
