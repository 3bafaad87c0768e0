"""Stand-in mail servers, and destinations of every type of station that is told by mail."""

import hashlib
import io
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image
from tests.destinations.bench import Bench
from tests.ports import free_host

from tocsin.destinations.mailing.station import StationMail
from tocsin.destinations.registry import DESTINATION_TYPES
from tocsin.destinations.surroundings import Surroundings
from tocsin.model.event import Photo
from tocsin.standins.smtp import MailFault, MailStandin, MailSwitches

GIVEN: dict[str, dict[str, Any]] = {
    "immix": {"account": "S12345"},
    "sentinel": {"account": "12345", "sender": "gw@example.net", "to": "{site}@arc.example.net"},
    "patriot": {"account": "0011-01", "sender": "gw@example.net", "to": "in@arc.example.net"},
    "sureview": {"account": "xk72mnp4ab", "sender": "gw@example.net"},
}
"""The least each type is configured with, besides its hosts."""


class MailServers(Bench):
    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__(surroundings)
        self.standins: list[MailStandin] = []

    async def server(self, *faults: MailFault, **switches: Any) -> str:
        standin = MailStandin(
            "127.0.0.1:0", self.received.append, self.surroundings.clock, MailSwitches(**switches), faults
        )
        port = await self.closes(standin).start()
        self.standins.append(standin)
        return f"127.0.0.1:{port}"


class StationMails(MailServers):
    def destination(self, kind: str, *hosts: str, **settings: Any) -> StationMail:
        return self.closes(station(kind, self.surroundings, hosts=list(hosts), **settings))


def station(kind: str, surroundings: Surroundings, **settings: Any) -> StationMail:
    entry = DESTINATION_TYPES[kind]
    table = {"name": "arc", "type": kind, "hosts": ["192.0.2.5"], "tls": {"mode": "off"}, **GIVEN[kind], **settings}
    made = entry.build(entry.settings.model_validate(table), surroundings)
    assert isinstance(made, StationMail)
    return made


@pytest.fixture
async def bench(surroundings: Surroundings) -> AsyncIterator[StationMails]:
    async with StationMails(surroundings) as made:
        yield made


@pytest.fixture
def make_station(surroundings: Surroundings) -> Any:
    """A destination that is only rendered from."""

    def make(kind: str, **settings: Any) -> StationMail:
        return station(kind, surroundings, **settings)

    return make


@pytest.fixture
def closed_port() -> str:
    return free_host()


@pytest.fixture
def detailed_photo() -> Photo:
    """A JPEG of about 100 kB that can be made smaller."""
    written = io.BytesIO()
    noise = Image.frombytes("L", (320, 240), random.Random(1).randbytes(320 * 240))
    noise.resize((640, 480)).convert("RGB").save(written, "JPEG", quality=90)
    return Photo(1, written.getvalue(), hashlib.sha256(written.getvalue()).hexdigest())
