"""A destination with real sockets, and a strict receiver of the other side."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.destinations.bench import LineBench
from tests.destinations.conftest import GATE

from tocsin.destinations.manitou.destination import ManitouDestination, build
from tocsin.destinations.manitou.settings import ManitouSettings
from tocsin.standins.manitou import Assumed, ManitouStandin


class Bench(LineBench):
    def __init__(self) -> None:
        super().__init__(GATE)

    async def receiver(self, tls: Any = None, **assumed: Any) -> tuple[ManitouStandin, int]:
        made = self.closes(ManitouStandin(self.clock, None, Assumed(**assumed), tls))
        return made, await made.start()

    def destination(self, *ports: int, ack_timeout: float = 2.0, **changes: Any) -> ManitouDestination:
        table = {
            "name": "arc",
            "type": "manitou",
            "hosts": [f"127.0.0.1:{port}" for port in ports],
            "account": "123588",
        }
        settings = ManitouSettings.model_validate(table | changes).model_copy(update={"ack_timeout": ack_timeout})
        return self.closes(build(settings, self.surroundings))


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with Bench() as made:
        yield made
