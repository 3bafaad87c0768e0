"""The demo's evidence registry and its storage: one job of each type, and what of them can be proved afterwards."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct

from tocsin.app.demo.stations import Record
from tocsin.engine.clock import LoopClock
from tocsin.evidence.custody import FileFacts, Line, NoLine, Verdict, about, lines_of, verify
from tocsin.evidence.registry.profile import assumed_text
from tocsin.standins.blob_store import BlobStore
from tocsin.standins.blobs import ACCOUNT, BlobStandin
from tocsin.standins.clearance.ledger import GivenFile, Job
from tocsin.standins.clearance.standin import ClearanceStandin, Storage
from tocsin.store.contract import Store

Out = Callable[[str], None]
AGENT = "city"
LENGTH = timedelta(seconds=30)
_AGO = timedelta(minutes=2)
_LIMIT_S = 30.0
_PAGE = 1000


class Posted(Struct, frozen=True):
    """A job on offer. `of`: what it asks for, in words; `begun`: when it was offered, monotonic seconds."""

    job: Job
    of: str
    begun: float


class Evidence:
    """`start`, then `post` and `done`; afterwards `proved` says what can be shown of the jobs."""

    def __init__(self, folder: Path) -> None:
        self._clock = LoopClock()
        self._folder = folder
        self._key = os.urandom(32)
        self._blobs = BlobStandin("127.0.0.1:0", _nobody, self._clock, BlobStore(folder), self._key)
        self._registry: ClearanceStandin | None = None
        self._posted: dict[str, Posted] = {}
        self._ended: dict[str, float] = {}
        self._all_ended = asyncio.Event()
        self._out: Out = _silent

    async def start(self, stack: AsyncExitStack, connection_file: Path) -> None:
        storage = Storage(f"http://127.0.0.1:{await self._blobs.start()}/{ACCOUNT}", self._key)
        stack.push_async_callback(self._blobs.aclose)
        self._registry = ClearanceStandin("127.0.0.1:0", self._told, self._clock, storage, assumed_text())
        await self._registry.start()
        stack.push_async_callback(self._registry.aclose)
        _write_secret(connection_file, json.dumps(self._registry.connection_file()))

    def post(self, device: str, name: str, out: Out) -> None:
        """One job of each type; video and picture are of this camera."""
        self._out = out
        start = (datetime.now(UTC) - _AGO).replace(microsecond=0)
        start -= timedelta(seconds=start.second % 2)
        times = (start.isoformat(), (start + LENGTH).isoformat())
        self._offer("a list of the shared cameras", "discovery")
        self._offer(f"a picture of {name}", "thumbnail", device)
        seconds = f"{LENGTH.total_seconds():.0f} s"
        self._offer(f"{seconds} of video of {name}, from {start:%H:%M:%S} UTC", "mediarequest", device, *times)

    def _offer(self, of: str, type_: str, *asked: str) -> None:
        assert self._registry is not None
        job = self._registry.ledger.post(type_, *asked)
        self._posted[job.id] = Posted(job, of, self._clock.monotonic())
        self._out(f"The evidence registry asks for {of}: {job.id}")

    async def done(self) -> None:
        """Until the agent has ended all jobs, or time is up."""
        try:
            async with asyncio.timeout(_LIMIT_S):
                await self._all_ended.wait()
        except TimeoutError:
            self._out(f"The evidence registry's jobs were NOT ended within {_LIMIT_S:.0f} s")

    def _told(self, record: Record) -> None:
        """The registry has answered a call."""
        posted = self._posted.get(str(record.get("job", "")))
        if posted is None or not 200 <= record["status"] < 300:
            return
        if line := _line(str(record["request"]), record, posted):
            self._out(line)
        if record["request"] == "complete":
            self._ended[posted.job.id] = self._clock.monotonic() - posted.begun
        if self._posted.keys() == self._ended.keys():
            self._all_ended.set()

    async def proved(self, store: Store) -> "Proof":
        """What the registry holds, compared with what the custody log says."""
        read = [one async for one in _custody(store)]
        lines = [one for one in read if isinstance(one, Line)]
        jobs = tuple(_proved(one, self._ended.get(one.job.id), lines) for one in self._posted.values())
        return Proof(jobs, verify(read))


class ProvedFile(Struct, frozen=True):
    """`agrees`: what the registry decrypted is what the custody log says was delivered for this job."""

    name: str
    size: int
    sha256: str
    agrees: bool


class ProvedJob(Struct, frozen=True):
    """`after_s`: from the offer to the end; None: it was not ended."""

    id: str
    of: str
    outcome: str
    after_s: float | None
    files: tuple[ProvedFile, ...]

    @property
    def good(self) -> bool:
        return self.outcome == "Completed" and bool(self.files) and all(file.agrees for file in self.files)


class Proof(Struct, frozen=True):
    jobs: tuple[ProvedJob, ...]
    chain: Verdict

    def complete(self) -> bool:
        return len(self.jobs) == 3 and all(one.good for one in self.jobs) and self._unbroken

    @property
    def _unbroken(self) -> bool:
        return self.chain.lines > 0 and not self.chain.faults

    def lines(self) -> list[str]:
        told = [text for one in self.jobs for text in _job_lines(one)]
        kept = f"unbroken, lines {self.chain.first} to {self.chain.last}" if self._unbroken else "NOT unbroken"
        return [*told, f"custody log of {AGENT}: {kept}", *self.chain.faults]


def _job_lines(one: ProvedJob) -> list[str]:
    outcome = f"{one.outcome} after {one.after_s:.1f} s" if one.after_s is not None else "NOT ended"
    lines = [f"registry asked for {one.of} -> {outcome}"]
    for file in one.files:
        agrees = "as in the custody log" if file.agrees else "NOT as in the custody log"
        told = f"{file.name}: {file.size:,} bytes decrypted there, SHA-256 {file.sha256[:16]}…"
        lines.append(f"          {told} {agrees}")
    return lines


def _proved(posted: Posted, after_s: float | None, lines: list[Line]) -> ProvedJob:
    files = tuple(_proved_file(file, posted.job.id, lines) for file in posted.job.files if file.completed)
    return ProvedJob(posted.job.id, posted.of, posted.job.outcome, after_s, files)


def _proved_file(file: GivenFile, job: str, lines: list[Line]) -> ProvedFile:
    size, digest = int(file.check.get("size", 0)), str(file.check.get("sha256", ""))
    told = about((line for line in lines if line.says("event") == "file delivered"), FileFacts(size, digest))
    agrees = any(line.says("job") == job and line.says("file_id") == file.id for line in told)
    return ProvedFile(file.name, size, digest, agrees)


def _line(request: str, record: Record, posted: Posted) -> str:
    if request == "lock":
        return f"{posted.job.id} -> {AGENT} has taken it: {posted.of}"
    if request.startswith("complete_"):
        return f"{posted.job.id} -> {record['name']} is stored, {record.get('size', 0):,} bytes when decrypted"
    return f"{posted.job.id} -> {record['state']}" if request == "complete" else ""


async def _custody(store: Store) -> AsyncIterator[Line | NoLine]:
    after = 0
    while page := await store.custody(AGENT, after, _PAGE):
        for one in lines_of(line.text for line in page):
            yield one
        after = page[-1].number


def _write_secret(file: Path, text: str) -> None:
    """The agent refuses one that others may read."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as written:
        written.write(text)


def _nobody(record: Record) -> None:
    """What the storage was asked is not shown."""


def _silent(text: str) -> None: ...
