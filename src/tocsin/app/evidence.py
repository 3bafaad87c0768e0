"""Evidence agents of a configuration: what the rest of the gateway has for them."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from tocsin.app.evidence_cameras import SharedCameras
from tocsin.engine.contracts import Clock, Randomness
from tocsin.engine.evidence import Agent, AgentStatus
from tocsin.engine.gateway import Gateway
from tocsin.engine.systems import System
from tocsin.engine.tasks import ComponentState
from tocsin.evidence.asking import Telling
from tocsin.evidence.building import EvidenceSurroundings, build
from tocsin.evidence.registry.connection import ConnectionInvalid
from tocsin.evidence.registry.profile import ProfileInvalid
from tocsin.evidence.sealing import MachineKeyUnusable, machine_key
from tocsin.evidence.settings import EvidenceSettings
from tocsin.evidence.upload import Uploader, UploadOptions
from tocsin.model.ids import UlidSource
from tocsin.telemetry.record import Recorder

LEAST_LEASE_S = 10.0
"""An agent that a short hiccup of the database stops would send the blocks in flight once more."""
FOLDER = "evidence"


class AgentsParts(NamedTuple):
    clock: Clock
    randomness: Randomness
    record: Recorder
    node: str
    lease_ttl_s: float
    data_dir: Path
    systems: Mapping[str, System]


def boot_clock() -> Callable[[], float]:
    """Monotonic seconds that go on while the machine is suspended, where the system has such a clock (13.2)."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic if clock is None else lambda: time.clock_gettime(clock)


def agents(entries: Sequence[EvidenceSettings], gateway: Gateway, parts: AgentsParts) -> list[Agent]:
    """One that cannot be built does not keep the gateway from taking alarms: it says so and is shown as broken."""
    return [_agent(entry, gateway, parts) for entry in entries]


def _agent(entry: EvidenceSettings, gateway: Gateway, parts: AgentsParts) -> Agent:
    try:
        return build(entry, _surroundings(entry, gateway, parts))
    except (ConnectionInvalid, ProfileInvalid, MachineKeyUnusable, OSError) as error:
        return BrokenAgent(entry.name, str(error))


def _surroundings(entry: EvidenceSettings, gateway: Gateway, parts: AgentsParts) -> EvidenceSurroundings:
    clock, randomness = parts.clock, parts.randomness
    home = parts.data_dir / FOLDER
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    cameras = SharedCameras(entry, gateway, parts.systems)
    uploader = _uploader(entry, home, parts)
    return EvidenceSurroundings(
        store=gateway.store,
        clock=clock,
        boot=boot_clock(),
        randomness=randomness,
        record=parts.record,
        new_id=UlidSource(lambda: int(clock.now().timestamp() * 1000), randomness.getrandbits),
        node=parts.node,
        lease_ttl_s=max(parts.lease_ttl_s, LEAST_LEASE_S),
        folder=home / entry.name,
        archives=cameras.archives,
        shared=cameras.shared,
        called=cameras.called,
        look=cameras.look,
        uploading=uploader,
        list_devices=cameras.list_devices,
        picture=cameras.picture,
        photos=cameras.photos,
        close_uploading=uploader.aclose,
        changed=gateway.agents.changed,
    )


def _uploader(entry: EvidenceSettings, home: Path, parts: AgentsParts) -> Uploader:
    given = entry.upload
    proxy = entry.proxy.proxy() if entry.proxy else None
    options = UploadOptions(given.per_file, given.requests, given.pace(), proxy, entry.tls.options())
    key, watch = machine_key(home, os.environ, os.urandom), Telling(entry.name, parts.record)
    return Uploader(options, key, os.urandom, parts.clock, parts.randomness, watch=watch)


class BrokenAgent:
    """Stands where an agent should be (engine.evidence.Agent)."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.paused = False
        self._reason = reason

    def works(self) -> Sequence[tuple[str, str, Callable[[], Awaitable[None]]]]:
        return [(f"evidence {self.name}", "evidence", self._fail)]

    async def _fail(self) -> None:
        raise OSError(f"{self._reason}; restart the gateway, or reload its configuration, once this is mended")

    def state(self) -> ComponentState:
        return ComponentState(f"registry of {self.name}", "evidence", False, self._reason)

    async def status(self) -> AgentStatus:
        return AgentStatus(self.name, "clearance", "broken", self._reason)

    def locks(self) -> Mapping[str, datetime]:
        return {}

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def accept_shrink(self) -> None: ...

    async def stop(self, for_good: bool) -> None: ...

    async def aclose(self) -> None:
        await asyncio.sleep(0)
