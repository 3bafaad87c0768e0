"""The demo's on-prem systems and the service cloud that is told of them: what is unplugged must be seen at the cloud.

An XProtect of 200 cameras, a small OnGuard and three ONVIF cameras; one of these sees motion now and then.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

from msgspec import Struct

from tocsin.app.demo.stations import LOGIN, Record
from tocsin.engine.clock import LoopClock
from tocsin.standins import onguard, onguard_site
from tocsin.standins.cloud import CloudStandin, Demands
from tocsin.standins.detector import picture
from tocsin.standins.milestone.site import Plan, identity
from tocsin.standins.milestone.standin import MilestoneStandin
from tocsin.standins.milestone.switches import Login
from tocsin.standins.onvif import OnvifCamera, OnvifCameras
from tocsin.standins.onvif_answers import Nature

Out = Callable[[str], None]
CLOUD = "cloud"
CAMERAS, BOXES = 200, 40
UNPLUGGED = (17, 42, 128, 3, 96, 171, 64, 155)
"""Which cameras of the XProtect are unplugged, one after the other."""
FILMED = 5
"""Of which camera the evidence registry wants video."""
_ONVIF = ("Lobby", "Loading dock", "Car park")
_SYSTEMS = ("xprotect", "onguard", "onvif")
_WATCHED = ("arc", "email")
"""The stations at which motion must arrive."""
_LIMIT_S = 20.0
_AWAY_S = 2.5
_EVERY_S = 12.0
_MOTION = "tns1:RuleEngine/CellMotionDetector/Motion"
_SOURCE = {"VideoSourceConfigurationToken": "VSC1", "Rule": "Entrance"}


class Unplugged(Struct, frozen=True):
    """A camera that was unplugged and plugged in again: after how long the cloud had each; None: it never had."""

    camera: str
    offline_s: float | None
    online_s: float | None

    @property
    def seen(self) -> bool:
        return self.offline_s is not None and self.online_s is not None


class Systems:
    """`start`, then `go_on` until `stopping` is set; afterwards `lines` and `complete` say what was seen."""

    def __init__(self) -> None:
        self._clock = LoopClock()
        self._cloud = CloudStandin("127.0.0.1:0", self._told, self._clock, Demands(token=LOGIN))
        login = Login(password=LOGIN)
        plan = Plan(CAMERAS, BOXES, microphones=False)
        self._xprotect = MilestoneStandin("127.0.0.1:0", _nobody, self._clock, plan, login)
        self._onguard = onguard.OnGuardStandin("127.0.0.1:0", _nobody, self._clock, onguard_site.example())
        self._cameras = [_camera(number, name, self._clock) for number, name in enumerate(_ONVIF, start=1)]
        self._woken = asyncio.Event()
        self._unplugged: list[Unplugged] = []
        self._motions = 0
        self._alarms: Counter[str] = Counter()
        self.stopping = asyncio.Event()
        self.ports: dict[str, str] = {}
        self.taken = 0
        """Messages the cloud has taken for the first time."""

    async def start(self, stack: AsyncExitStack) -> None:
        for name, standin in (
            ("cloud", self._cloud.web),
            ("xprotect", self._xprotect),
            ("onguard", self._onguard.web),
        ):
            self.ports[name] = str(await standin.start())
            stack.push_async_callback(standin.aclose)
        onvif = OnvifCameras("127.0.0.1:0", _nobody, self._cameras)
        stack.push_async_callback(onvif.aclose)
        self.ports |= {f"onvif_{number}": str(port) for number, port in enumerate(await onvif.start(), start=1)}

    def _told(self, record: Record) -> None:
        """The cloud has answered a request."""
        self.taken += record["status"] == 200 and not record.get("repeat")
        self._woken.set()

    def witness(self, station: str, record: Record) -> None:
        """A station has taken a message: is it of the camera that sees motion?"""
        if station == "arc" and ["L", _ONVIF[0]] in record.get("fields", ()) and "BA" in str(record["data"]):
            self._alarms[station] += 1
        if station == "email" and _ONVIF[0] in record["subject"] and record["photos"]:
            self._alarms[station] += 1
        self._woken.set()

    async def go_on(self, out: Out) -> None:
        """At least once; what does not come in time is noted, and the demo goes on."""
        await self.known()
        await self._until(lambda: bool(self._cameras[0].subscriptions))
        for turn in range(1_000_000):
            moving = asyncio.create_task(self._motion(out))
            await self._unplug(UNPLUGGED[turn % len(UNPLUGGED)], out)
            await moving
            if await self._stopped_within(_EVERY_S):
                return

    async def known(self) -> bool:
        """Until the cloud was told of all systems; False: not in time."""
        first = _device(UNPLUGGED[0])
        return await self._until(lambda: self._status(first) == "online" and len(self._counts()) == len(_SYSTEMS))

    def filmed(self) -> tuple[str, str]:
        """A camera with recordings: its id and name."""
        return _device(FILMED), f"Camera {FILMED} of xprotect"

    async def _unplug(self, number: int, out: Out) -> None:
        device, name = _device(number), f"Camera {number} of xprotect"
        offline_s = await self._changed("unplug", number, lambda: self._status(device) == "offline")
        out(f"{name} was unplugged -> {CLOUD} has it offline {_after(offline_s)}")
        await self._stopped_within(_AWAY_S)
        online_s = await self._changed("plug", number, lambda: self._status(device) == "online")
        out(f"{name} was plugged in -> {CLOUD} has it online {_after(online_s)}")
        self._unplugged.append(Unplugged(name, offline_s, online_s))

    async def _changed(self, order: str, number: int, holds: Callable[[], bool]) -> float | None:
        """After how long the cloud had it; None: not in time."""
        began = self._clock.monotonic()
        await self._xprotect.happens(order, number)
        return self._clock.monotonic() - began if await self._until(holds) else None

    async def _motion(self, out: Out) -> None:
        camera = self._cameras[0]
        self._motions += 1
        await camera.notify(_MOTION, _SOURCE, {"IsMotion": "true"})
        if await self._until(lambda: all(self._alarms[station] >= self._motions for station in _WATCHED)):
            out(f"{_ONVIF[0]} of onvif saw motion -> {' and '.join(_WATCHED)} have it, email with its picture")
        await camera.notify(_MOTION, _SOURCE, {"IsMotion": "false"})

    async def _until(self, holds: Callable[[], bool]) -> bool:
        """False: not in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LIMIT_S):
                while not holds():
                    self._woken.clear()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(0.1):  # a subscription wakes nobody
                            await self._woken.wait()
                return True
        return False

    async def _stopped_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        return self.stopping.is_set()

    def _status(self, device: str) -> str:
        known = self._cloud.records.devices.get(device)
        return known.status if known else ""

    def _counts(self) -> dict[str, int]:
        counts = Counter(id_.partition(":")[0] for id_ in self._cloud.records.devices)
        return {name: counts[name] for name in _SYSTEMS if counts[name]}

    def complete(self) -> bool:
        """Whether the cloud and the stations have seen everything that happened."""
        seen = self._unplugged and all(one.seen for one in self._unplugged)
        heard = self._motions and all(self._alarms[station] >= self._motions for station in _WATCHED)
        return bool(seen and heard and len(self._counts()) == len(_SYSTEMS))

    def lines(self) -> Iterator[str]:
        held = ", ".join(f"{count} devices of {name}" for name, count in self._counts().items())
        yield f"{CLOUD} holds {held or 'nothing'}; it took {self.taken} messages"
        for one in self._unplugged:
            told = f"told {_after(one.offline_s)}; plugged in again -> told {_after(one.online_s)}"
            yield f"{one.camera} unplugged -> {told}"
        arrived = ", ".join(f"{self._alarms[station]} at {station}" for station in _WATCHED)
        yield f"{_ONVIF[0]} of onvif saw motion {_times(self._motions)} -> alarms: {arrived}, there with its picture"


def _camera(number: int, name: str, clock: LoopClock) -> OnvifCamera:
    nature = Nature(
        name=name,
        serial=f"AC22-{4416 + number:07d}",
        mac=f"9c-8e-cd-12-34-{number:02x}",
        hostname=name.lower().replace(" ", "-"),
    )
    camera = OnvifCamera(nature, clock, "viewer", LOGIN)
    camera.picture = picture(name, "person", (0.4, 0.35, 0.15, 0.4), random.Random(number))  # noqa: S311  (noise)
    return camera


def _device(number: int) -> str:
    return f"xprotect:camera:{identity('camera', number)}"


def _after(seconds: float | None) -> str:
    return f"NOT within {_LIMIT_S:.0f} s" if seconds is None else f"after {seconds:.2f} s"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _nobody(record: dict[str, Any]) -> None:
    """What these stand-ins were asked is not shown."""
