"""A registry, Azurite and the real gateway with an agent between them, each node of it by ways of its own that note
what it does.

async with Agency(emulator) as agency:       # the registry runs in this process, gateways in theirs
    node = await agency.node(folder, archive)
    agency.offer("mediarequest", "cam1", 0, 60)
    await node.start()
    await agency.all_ended(60)
"""

import asyncio
import base64
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import aiohttp
from tests.azurite import ACCOUNT, KEY, Azurite

from harness.faults import FaultProxy
from harness.front import Front, Request
from harness.program import Program, free_port
from harness.recordings import BEGAN
from tocsin.engine.clock import LoopClock
from tocsin.evidence.registry.profile import assumed_text
from tocsin.standins.clearance.keys import KEY_ID, Integration
from tocsin.standins.clearance.ledger import GivenFile, Job
from tocsin.standins.clearance.paper import Paper
from tocsin.standins.clearance.standin import API, STS, ClearanceStandin, Storage
from tocsin.standins.clearance.switches import read_assumptions

CONFIGURATION = """
[gateway]
name = "proof"
data_dir = {data_dir}
{database}

[api]
listen = "127.0.0.1:{api}"

[[areas]]
name = "Depot"

{cameras}

[[evidence]]
name = "city"
type = "clearance"
connection_file = {connection}
shared_areas = ["Depot"]
poll_interval = "5s"
segment = "60s"
workers = {workers}
archives = {{ folders = [{{ name = "nvr", folder = {archive} }}] }}
"""


class Line(NamedTuple):
    """Something the registry did, and when."""

    at: datetime
    told: dict[str, Any]


class Delivered(NamedTuple):
    """A file that the registry has taken: its job and name, and the plain text of its blob."""

    job: str
    name: str
    size: int
    sha256: str


class Agency:
    """`lines`: what the registry told; `calls` and `writes`: what nodes asked of it and of the storage, by their names.
    `pause_s`: how long what is asked is held up, before and after it is carried out.
    """

    def __init__(
        self,
        emulator: Azurite,
        *assumed: str,
        integration: Integration | None = None,
        pause_s: Callable[[str], float] = lambda _: 0.0,
    ) -> None:
        self.emulator = emulator
        self.lines: list[Line] = []
        self.calls: list[Request] = []
        self.writes: list[Request] = []
        self._pause_s = pause_s
        self._stack = AsyncExitStack()
        self.integration = integration or Integration("proof-tenant", "proof-principal")
        self._paper = Paper(assumed_text(), self.integration.tenant, self.integration.principal, API)
        storage = Storage(f"{self._storage}/{ACCOUNT}", base64.b64decode(KEY))
        given = (storage, assumed_text(), self.integration, read_assumptions(assumed))
        self.registry = ClearanceStandin("127.0.0.1:0", self._told, LoopClock(), *given)

    @property
    def _storage(self) -> str:
        return f"http://127.0.0.1:{self.emulator.port}"

    def _told(self, told: dict[str, Any]) -> None:
        self.lines.append(Line(datetime.now(UTC), told))

    async def __aenter__(self) -> Self:
        await self.registry.start()
        self._stack.push_async_callback(self.registry.aclose)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def node(
        self,
        folder: Path,
        archive: Path,
        *,
        name: str = "node",
        database: str = "",
        workers: int = 2,
        faulty: bool = False,
        fate: Callable[[Request], str] = lambda _: "",
    ) -> "Node":
        """A gateway, not started. `faulty`: behind two fault proxies, `node.to_registry` and `node.to_storage`; `fate`:
        what its requests to the storage meet.
        """
        (folder / name).mkdir()
        storage = await self._stack.enter_async_context(
            Front(self._storage, name, self.writes.append, lambda one: self._pause_s(stored(one)), fate)
        )
        to_storage = FaultProxy("127.0.0.1", storage.port)
        entry = storage.root
        if faulty:
            await self._stack.enter_async_context(to_storage)
            entry = f"http://127.0.0.1:{to_storage.port}"
        front = await self._stack.enter_async_context(
            Front(
                self.registry.root,
                name,
                self.calls.append,
                lambda one: self._pause_s(self.asked(one)[0]),
                said=(self._storage, entry),
            )
        )
        to_registry = FaultProxy("127.0.0.1", front.port)
        registry = front.root
        if faulty:
            await self._stack.enter_async_context(to_registry)
            registry = f"http://127.0.0.1:{to_registry.port}"
            self.registry.door.address = f"{registry}{STS}"
        tokens = registry if faulty else self.registry.root
        connection = folder / name / "clearance.json"
        connection.write_text(json.dumps(self.integration.connection_file([f"{tokens}{STS}"], [f"{registry}{API}"])))
        connection.chmod(0o600)
        node = Node(folder / name, name, connection, archive, database, workers)
        node.to_registry, node.to_storage = to_registry, to_storage
        await self._stack.enter_async_context(node)
        return node

    def asked(self, call: Request) -> tuple[str, str]:
        """Operation and job of a call."""
        return self._paper.operation(call.method, call.path)[:2]

    # Jobs

    def offer(self, type_: str, device: str = "", begins_s: float = 0, ends_s: float = 0) -> Job:
        """Seconds from the archive's beginning."""
        times = [(BEGAN + timedelta(seconds=one)).isoformat() for one in (begins_s, ends_s)] if ends_s else []
        return self.registry.ledger.post(type_, device, *times)

    @property
    def jobs(self) -> list[Job]:
        return list(self.registry.ledger.jobs.values())

    def files(self) -> Iterator[tuple[Job, GivenFile]]:
        """Those that were completed."""
        return ((job, file) for job in self.jobs for file in job.files if file.completed)

    async def until(self, holds: Callable[[], bool], timeout_s: float) -> bool:
        """Whether it does, in time."""
        end = asyncio.get_running_loop().time() + timeout_s
        while not holds():
            if asyncio.get_running_loop().time() > end:
                return False
            await asyncio.sleep(0.02)
        return True

    async def all_ended(self, timeout_s: float) -> None:
        """Raises TimeoutError naming those that have not."""
        if not await self.until(lambda: all(job.state == "ended" for job in self.jobs), timeout_s):
            open_ = [f"{job.id} {job.state} {job.progress:.0%}" for job in self.jobs if job.state != "ended"]
            raise TimeoutError(f"not ended within {timeout_s:g} s: {', '.join(open_)}")

    # What came of it

    def delivered(self) -> set[Delivered]:
        """Decrypted by Azure's own reader."""
        found = set()
        for job, file in self.files():
            plain = self.plain(file)
            found.add(Delivered(job.id, file.name, len(plain), sha256(plain).hexdigest()))
        return found

    def plain(self, file: GivenFile) -> bytes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the library says that version 1 is old
            return self.emulator.decrypted(file.blob, Reader(self.integration))

    async def doubts(self, node: "Node", folder: Path) -> str:
        """What is wrong with the files: Azure's reader finds what the registry has found, and the custody log, one
        chain over all lives of all nodes, tells of each blob.
        """
        copies = []
        for number, (job, file) in enumerate(self.files()):
            if file.check["sha256"] != sha256(self.plain(file)).hexdigest():
                return f"{file.name} of {job.id} is not what it was"
            copies.append(folder / f"copy-{number}")
            copies[-1].write_bytes(self.emulator.read(file.blob)[0])
        code, said = await node.verified(*copies)
        told = "unbroken: lines 1 to" in said and said.count("as it was delivered") == len(copies)
        return "" if code == 0 and told else said

    def outcomes(self) -> dict[str, list[str]]:
        """How often each job was completed, and as what; a call that was carried out though its answer was lost counts
        too.
        """
        found: dict[str, list[str]] = {job.id: [] for job in self.jobs}
        for _, told in self.lines:
            if told.get("request") == "complete" and "state" in told:
                found[told["job"]].append(told["state"])
        return found

    def problems(self) -> list[dict[str, Any]]:
        return [told for _, told in self.lines if told.get("problem") or told.get("problems")]

    def beyond_the_lock(self) -> list[str]:
        """Writes to the storage that came, or were whole, when the job's lock was not held."""
        held = [(at, told) for at, told in self.lines if told.get("until") or _ends(told)]
        found = []
        for write in self.writes:
            if write.method == "PUT":
                times = [write.at] if write.whole_at is None else [write.at, write.whole_at]
                found += [f"{stored(write)} of {job_of(write)} at {one}" for one in times
                          if not _held(held, job_of(write), one)]  # fmt: skip
        return found


def _ends(told: dict[str, Any]) -> bool:
    return told.get("request") in ("complete", "release", "cancel") and told.get("status") in (0, 204)


def _held(lines: list[tuple[datetime, dict[str, Any]]], job: str, at: datetime) -> bool:
    until = datetime.min.replace(tzinfo=UTC)
    for when, told in lines:
        if told["job"] == job and when <= at:
            until = datetime.fromisoformat(told["until"]) if told.get("until") else datetime.min.replace(tzinfo=UTC)
    return at < until


def stored(write: Request) -> str:
    """block, blocklist, blob; or read."""
    if write.method != "PUT":
        return "read"
    return next((kind for kind in ("blocklist", "block") if f"comp={kind}" in write.url), "blob")


def job_of(write: Request) -> str:
    """Of a request to the storage: blobs are named after their job."""
    return write.path.split("/")[3]


class Reader:
    """The registry's private key, in the form that Azure's reader asks for."""

    def __init__(self, integration: Integration) -> None:
        self._integration = integration

    def get_kid(self) -> str:
        return KEY_ID

    def unwrap_key(self, key: bytes, algorithm: str) -> bytes:
        wrapped = {"KeyId": KEY_ID, "Algorithm": algorithm, "EncryptedKey": base64.b64encode(key).decode()}
        return self._integration.unwrapped({"WrappedContentKey": wrapped})


class Node:
    """One gateway with the agent `city`, in a folder of its own; each start is a new one of its `lives`."""

    to_registry: FaultProxy
    to_storage: FaultProxy

    def __init__(self, folder: Path, name: str, connection: Path, archive: Path, database: str, workers: int) -> None:
        self.name = name
        self.data = folder / "data"
        self._folder = folder
        self._archive = archive
        self._connection = connection
        self._database = database
        self._workers = workers
        self._api = free_port()

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(f"http://127.0.0.1:{self._api}")
        self.program = Program(self._folder, self._http, self._configuration())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.program.kill()
        await self._http.close()

    def _configuration(self) -> str:
        cameras = "\n".join(
            f'[[devices]]\nid = "{one.name}"\nname = "Camera {one.name}"\ntype = "camera"\narea = "Depot"'
            for one in sorted(self._archive.iterdir())
        )
        return CONFIGURATION.format(
            data_dir=json.dumps(str(self.data)),
            database=f"database = {json.dumps(self._database)}" if self._database else "",
            api=self._api,
            cameras=cameras,
            connection=json.dumps(str(self._connection)),
            archive=json.dumps(str(self._archive)),
            workers=self._workers,
        )

    def left_in_spool(self) -> list[str]:
        return sorted(one.name for one in self.spool.iterdir()) if self.spool.exists() else []

    @property
    def spool(self) -> Path:
        return self.data / "evidence" / "city"

    async def verified(self, *copies: Path) -> tuple[int, str]:
        """`tocsin evidence verify`: exit code and what it says."""
        return await self._command("evidence", "verify", *map(str, copies), "--agent", "city")

    async def _command(self, *words: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tocsin", "-c", str(self._folder / "tocsin.toml"), *words),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, said.decode()
