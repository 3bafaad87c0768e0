"""A fleet of stand-in cameras on real sockets, the connector that reads them, and an intake in memory."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import pytest

from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import IntakeClosed, PhotoIn, PhotoRefused, Submission, Taken
from tocsin.model.event import Event
from tocsin.model.inventory import FoundDevice, FoundState, Note
from tocsin.standins.onvif import OnvifCamera, OnvifCameras
from tocsin.standins.onvif_answers import Nature
from tocsin.systems.onvif.settings import OnvifSettings
from tocsin.systems.onvif.system import OnvifSystem, build
from tocsin.systems.surroundings import SystemSurroundings
from tocsin.telemetry.record import Occurrence

JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffc0000b080001000101011100ffc4001400010000000000000000000000000000"
    "0003ffda0008010100003f0037ffd9"
)
PASSWORD = "sesame & 'more'"


class MemoryIntake:
    """Keeps events in memory; `closed` times it says that it cannot."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.pictures: dict[str, Sequence[PhotoIn]] = {}
        self.closed = 0
        self.came = asyncio.Condition()

    async def accept(self, submission: Submission) -> Taken:
        if self.closed:
            self.closed -= 1
            raise IntakeClosed("the store is full")
        async with self.came:
            self.events.append(submission.event)
            self.came.notify_all()
        return Taken(f"id-{len(self.events)}", len(self.events), False, ())

    async def add_photos(
        self, event_id: str, photos: Sequence[PhotoIn], last: bool = False
    ) -> Sequence[PhotoRefused] | None:
        async with self.came:
            self.pictures[event_id] = photos
            self.came.notify_all()
        return ()

    async def accept_many(self, submissions: Sequence[Submission]) -> Sequence[Taken]:
        return [await self.accept(each) for each in submissions]

    async def pictured(self, count: int) -> list[bytes]:
        """The pictures, once so many events have theirs, or are told to go without."""
        async with asyncio.timeout(10), self.came:
            await self.came.wait_for(lambda: len(self.pictures) >= count)
        return [one.data for photos in self.pictures.values() for one in photos]

    async def wait(self, count: int) -> list[Event]:
        """The events, once there are so many."""
        async with asyncio.timeout(10), self.came:
            await self.came.wait_for(lambda: len(self.events) >= count)
        return self.events


@dataclass
class Scene:
    """Cameras, and the connector to them."""

    cameras: list[OnvifCamera]
    ports: list[int]
    standin: OnvifCameras
    system: OnvifSystem
    occurrences: list[Occurrence] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)

    async def read(self) -> tuple[list[FoundDevice], list[Note]]:
        found = [one async for one in self.system.devices()]
        return [x for x in found if isinstance(x, FoundDevice)], [x for x in found if isinstance(x, Note)]

    async def devices(self) -> dict[tuple[str, str], FoundDevice]:
        return {(one.kind, one.native_key): one for one in (await self.read())[0]}

    async def baseline(self) -> dict[str, FoundState]:
        """The states of the cameras by native key."""
        async with aclosing(self.system.baseline()) as states:  # type: ignore[type-var]
            return {one.native_key: one async for one in states if one.kind == "camera"}


Scenes = Callable[..., Awaitable[Scene]]


def cameras(count: int, **nature: Any) -> list[OnvifCamera]:
    made = []
    for number in range(1, count + 1):
        own = {"name": f"Gate {number}", "serial": f"AC22-{4417 + number:07d}", "mac": f"9c-8e-cd-12-34-{number:02x}"}
        camera = OnvifCamera(Nature(**(own | nature)), LoopClock(), "viewer", PASSWORD)
        camera.picture = JPEG
        made.append(camera)
    return made


@pytest.fixture
async def scene() -> AsyncIterator[Scenes]:
    """`await scene(cameras(2), alarms=["motion"])`; `devices` may name more of each device."""
    made: list[Scene] = []

    async def start(of: list[OnvifCamera], context: Any = None, devices: Any = None, **changes: Any) -> Scene:
        told: list[dict[str, Any]] = []
        occurrences: list[Occurrence] = []
        standin = OnvifCameras("127.0.0.1:0", told.append, of, context)
        ports = await standin.start()
        scheme = "https" if context else "http"
        more = devices or [{} for _ in ports]
        listed = [{"address": f"{scheme}://127.0.0.1:{port}"} | one for port, one in zip(ports, more, strict=True)]
        table = {
            "name": "cams", "type": "onvif", "devices": listed, "username": "viewer", "password": PASSWORD,
            "timeout": "300ms", "area": "North depot",
        }  # fmt: skip
        around = SystemSurroundings(LoopClock(), random.SystemRandom(), occurrences.append)
        system = build(OnvifSettings.model_validate(table | changes), around)
        made.append(Scene(of, ports, standin, system, occurrences, told))
        return made[-1]

    yield start
    for one in made:
        await one.system.aclose()
        await one.standin.aclose()
