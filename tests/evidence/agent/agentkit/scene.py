"""The whole of it over real sockets, with a real store."""

import asyncio
import contextlib
import json
import os
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentkit.recordings import Recordings, at, span
from tocsin.engine.clock import LoopClock
from tocsin.engine.systems import Span
from tocsin.engine.tasks import Supervised
from tocsin.evidence.asking import Telling
from tocsin.evidence.building import EvidenceSurroundings, build
from tocsin.evidence.contracts import Archive, Taken
from tocsin.evidence.discovery_job import DeviceList
from tocsin.evidence.registry.profile import assumed_text
from tocsin.evidence.sealing import MachineKey
from tocsin.evidence.settings import EvidenceSettings
from tocsin.evidence.upload import Uploader, UploadOptions
from tocsin.model.ids import UlidSource
from tocsin.standins.blob_store import BlobStore
from tocsin.standins.blobs import BlobStandin
from tocsin.standins.clearance.keys import Integration
from tocsin.standins.clearance.ledger import Job
from tocsin.standins.clearance.standin import ClearanceStandin, Storage
from tocsin.standins.clearance.switches import Assumptions, read_fault
from tocsin.store.contract import Store
from tocsin.telemetry.occurrences import JobEnded

KEY = b"storage key"
INTEGRATION = Integration("tenant-1", "principal-1")
"""Making keys takes a while; one pair serves all tests."""
DEADLINE_S = 30.0


class Scene:
    """`told`: what the registry and the storage saw; `occurrences`: what the agents recorded."""

    def __init__(
        self, store: Store, folder: Path, assumptions: Assumptions, profile: str, storage: Storage | None = None
    ) -> None:
        self.store = store
        self.folder = folder
        self.told: list[dict[str, Any]] = []
        self.stored: list[dict[str, Any]] = []
        self.occurrences: list[Any] = []
        self.recordings = Recordings()
        self.clock = LoopClock()
        self.boot_ahead_s = 0.0
        self.photos: list[Taken] = []
        self.listed = DeviceList(b'{"devices":[]}', 3)
        self._happened = asyncio.Event()
        self._agents = 0
        (folder / "blobs").mkdir(exist_ok=True)
        self.blobs = BlobStandin("127.0.0.1:0", self._seen(self.stored), self.clock, BlobStore(folder / "blobs"), KEY)
        self._assumptions = assumptions
        self._profile = profile
        self._storage = storage
        self.registry: ClearanceStandin

    async def open(self) -> None:
        port = await self.blobs.start()
        storage = self._storage or Storage(f"http://127.0.0.1:{port}/standin", KEY)
        out = self._seen(self.told)
        told = (out, self.clock, storage, self._profile or assumed_text(), INTEGRATION, self._assumptions)
        self.registry = ClearanceStandin("127.0.0.1:0", *told)
        await self.registry.start()
        file = self.folder / "clearance.json"
        file.write_text(json.dumps(self.registry.connection_file()))
        file.chmod(0o600)
        if self._profile:
            (self.folder / "profile.toml").write_text(self._profile)

    async def aclose(self) -> None:
        await self.registry.aclose()
        await self.blobs.aclose()

    def _seen(self, into: list[dict[str, Any]]) -> Callable[[dict[str, Any]], None]:
        def seen(line: dict[str, Any]) -> None:
            into.append(line)
            self._happened.set()

        return seen

    def record(self, occurrence: Any) -> None:
        self.occurrences.append(occurrence)
        self._happened.set()

    async def until(self, holds: Callable[[], Any], what: str = "") -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not holds():
                self._happened.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._happened.wait(), 0.1)

    def fault(self, text: str) -> None:
        self.registry.faults.append(read_fault(text))

    def post(
        self,
        type_: str,
        device: str = "cam",
        start: datetime | None = None,
        end: datetime | None = None,
        approved_by: str = "",
    ) -> Job:
        times = [one.astimezone(UTC).isoformat() if one else "" for one in (start, end)]
        return self.registry.ledger.post(type_, device, *times, approved_by=approved_by)

    def media_request(self, seconds: float, approved_by: str = "") -> Job:
        """For so much of what `cam` has recorded, all of which is there."""
        self.recordings.held["cam"] = [span(0, seconds)]
        return self.post("mediarequest", "cam", at(0), at(seconds), approved_by)

    def ended(self) -> list[tuple[str, str]]:
        """Job and outcome, in the order they ended."""
        return [(one.job, one.outcome) for one in self.occurrences if isinstance(one, JobEnded)]

    async def job_ended(self, job: Job, times: int = 1) -> str:
        """Waits for it; the last outcome."""
        await self.until(lambda: [name for name, _ in self.ended()].count(job.id) >= times)
        return next(outcome for name, outcome in reversed(self.ended()) if name == job.id)

    def requests(self, name: str) -> list[dict[str, Any]]:
        return [line for line in self.told if line.get("request") == name]

    def problems(self) -> list[dict[str, Any]]:
        """What the registry or the storage found wrong."""
        return [line for line in (*self.told, *self.stored) if line.get("problem") or line.get("problems")]

    def agent(self, node: str = "node", **settings: Any) -> Any:
        """Not started; `working` starts it."""
        given: dict[str, Any] = {
            "name": "city",
            "type": "clearance",
            "connection_file": f"{self.folder}/clearance.json",
        }
        if self._profile:
            given["profile_file"] = f"{self.folder}/profile.toml"
        fast = {"poll_interval": settings.pop("poll_interval", 0.2), "segment": settings.pop("segment", 60.0)}
        read = EvidenceSettings.model_validate({**given, **settings}).model_copy(update=fast)
        self._agents += 1
        randomness = random.Random(f"{node} {self._agents}")
        ids = UlidSource(lambda: int(self.clock.now().timestamp() * 1000), randomness.getrandbits)
        options = UploadOptions(read.upload.per_file, read.upload.requests, read.upload.pace(), stall_s=5.0)
        watch = Telling(read.name, self.record)
        uploader = Uploader(options, MachineKey(b"m" * 32), os.urandom, self.clock, randomness, watch=watch)
        return build(read, self._around(node, randomness, ids, uploader, self.folder / f"spool-{read.name}"))

    def _around(
        self, node: str, randomness: Any, ids: UlidSource, uploader: Uploader, spool: Path
    ) -> EvidenceSurroundings:
        async def listed() -> DeviceList:
            return self.listed

        async def look() -> None: ...

        async def picture(archive: Archive, device: str) -> Taken:
            return await archive.picture(device)

        async def photos(device: str, wanted: Span) -> Sequence[Taken]:
            return self.photos

        def boot() -> float:
            return self.clock.monotonic() + self.boot_ahead_s

        return EvidenceSurroundings(
            self.store, self.clock, boot, randomness, self.record, ids, node, 2.0, spool,
            [self.recordings], _shared, "Camera {}".format, look, uploader, listed, picture, photos, uploader.aclose,
        )  # fmt: skip

    @asynccontextmanager
    async def working(self, node: str = "node", **settings: Any) -> AsyncIterator[Any]:
        """An agent at work."""
        agent = self.agent(node, **settings)
        tasks = [Supervised(*work, self.clock, self.record) for work in agent.works()]
        running = [asyncio.create_task(task.run()) for task in tasks]
        try:
            yield agent
        finally:
            await agent.stop(for_good=True)
            for task in running:
                task.cancel()
            await asyncio.wait(running)
            await agent.aclose()

    @asynccontextmanager
    async def fetching(self, **settings: Any) -> AsyncIterator[Job]:
        """An agent in the middle of a media request: the recorder takes until `recordings.gate` is set."""
        self.recordings.gate.clear()
        job = self.media_request(30)
        async with self.working(**settings):
            await self.until(lambda: self.recordings.asked)
            yield job


def _shared(device: str) -> bool:
    return not device.startswith("hidden")
