"""What the tests of all destination types share: events, deliveries, attempts, and a private authority."""

import io
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme
from PIL import Image

from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Attempt
from tocsin.model.delivery import DeliveryKey, Due
from tocsin.model.event import Actor, Event, Location, Photo, Place
from tocsin.model.kinds import Lane
from tocsin.telemetry.record import Occurrence
from tocsin.transports.sockets import SocketNetwork

AT = datetime(2024, 5, 30, 19, 15, 4, tzinfo=UTC)
GATE = Event(
    id="01J8ZQ5C7Q0000000000000001",
    kind="motion",
    occurred_at=AT,
    accepted_at=AT,
    source="detectors",
    zone="+03:00",
    device_id="01AD2DD41C0000C1",
    place=Place("Detector: 2DAD", "detector_hdr_xrl", "North depot", "acct-4410", "Json:#9999-1"),
    actors=(Actor("person", 0.93),),
    text="",
    url="https://gw.example.net/e/7Q2M",
    battery=87,
    signal_asu=19,
    location=Location(59.437, 24.752),
)


class FixedClock:
    """Stands still until `at` is set. `wrong` is how far the wall clock is ahead of the truth."""

    at = AT
    wrong = timedelta()

    def now(self) -> datetime:
        return self.at + self.wrong

    def monotonic(self) -> float:
        return self.at.timestamp()


def photo_of(n: int, width: int = 32) -> Photo:
    written = io.BytesIO()
    Image.new("RGB", (width, 24), (n * 20, 90, 40)).save(written, "JPEG")
    return Photo(n, written.getvalue(), sha256(written.getvalue()).hexdigest())


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def recorded() -> list[Occurrence]:
    return []


@pytest.fixture
def surroundings(clock: FixedClock, recorded: list[Occurrence]) -> Surroundings:
    return Surroundings(clock, random.Random(1), SocketNetwork(), recorded.append, gateway="north-depot")


@pytest.fixture
def make_event() -> Callable[..., Event]:
    """The gate's event with some fields changed."""

    def make(**changes: Any) -> Event:
        return msgspec.structs.replace(GATE, **changes)

    return make


@pytest.fixture
def make_due() -> Callable[..., Due]:
    def make(event: Event = GATE, address: str = "", queue: str = "") -> Due:
        return Due(DeliveryKey(7, "dest"), Lane.ALARM, address, queue, 0, event)

    return make


@pytest.fixture
def make_attempt(clock: FixedClock) -> Callable[..., Attempt]:
    def make(photos: Sequence[Photo] = ()) -> Attempt:
        async def load(seq: int) -> Sequence[Photo]:
            assert seq == 7
            return photos

        return Attempt(clock, load, 7)

    return make


@pytest.fixture
def make_photo() -> Callable[..., Photo]:
    return photo_of


class Authority:
    """A private authority: `ca` is its PEM file, `issue` writes a pair and returns its paths."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA(organization_name="Example Monitoring", organization_unit_name="Example Root")
        self._folder = folder
        self.ca = str(folder / "ca.pem")
        self._authority.cert_pem.write_to_path(self.ca)

    def issue(self, name: str) -> tuple[str, str]:
        leaf = self._authority.issue_cert(name)
        pair = self._folder / f"{name}.pem"
        leaf.private_key_and_cert_chain_pem.write_to_path(str(pair))
        return str(pair), str(pair)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)
