"""Fetched recordings on their way, as files of one folder: never more than allowed, never the last of the disk (13.6).

What a lost attempt has fetched is kept a while, by device and exact time, so that a slow recorder is not asked twice
(clearance.md 7.4). Files are read, digested and removed in worker threads.
"""

import asyncio
import contextlib
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import msgspec
from msgspec import Struct

from tocsin.engine.systems import Span
from tocsin.evidence.contracts import Fetched, NotNow
from tocsin.evidence.jobs.segments import plain_name

LEAST_FREE = 0.05
_CHUNK = 1024 * 1024
_FACTS = ".json"


class Facts(Struct, frozen=True):
    """What is remembered beside a file."""

    mime: str
    start: datetime
    end: datetime
    origin: str
    sha256: str


class Spooled(Struct, frozen=True):
    fetched: Fetched
    size: int
    sha256: str


class Spool:
    """`limit`: bytes of recordings at most. `keep_s`: how long what nobody needs is kept."""

    def __init__(self, folder: Path, limit: int, keep_s: float) -> None:
        self.folder = folder
        self._limit = limit
        self._keep_s = keep_s
        self._reserved = 0

    def open(self) -> None:
        """Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, device: str, span: Span, owner: str) -> Path:
        """Where a recording of this device and time is fetched to. `owner` names the attempt by its job's id: two
        people may ask for the same recording at once.
        """
        return self.folder / f"{_of(device, span)}{owner}.mp4"

    def named(self, name: str) -> Path:
        """A file by the name the journal has for it."""
        return self.folder / Path(name).name

    @asynccontextmanager
    async def reserved(self, size: int) -> AsyncIterator[None]:
        """So much room, before anything is fetched. Raises NotNow."""
        used, total, free = await asyncio.to_thread(self._measured)
        if used + self._reserved + size > self._limit:
            raise NotNow(f"the spool holds {_mb(used)} and may hold {_mb(self._limit)}; {_mb(size)} more do not fit")
        if free - self._reserved - size < total * LEAST_FREE:
            raise NotNow(f"the disk of {self.folder} has {_mb(free)} left; {_mb(size)} more would leave less than 5 %")
        self._reserved += size
        try:
            yield
        finally:
            self._reserved -= size

    def _measured(self) -> tuple[int, int, int]:
        try:
            found = shutil.disk_usage(self.folder)
        except OSError as error:
            raise NotNow(f"the spool {self.folder} cannot be used: {error.strerror}") from None
        return self.used(), found.total, found.free

    def used(self) -> int:
        """Bytes in the folder. Looks at the disk."""
        return sum(size for _, size, _ in self._files())

    async def found(self, device: str, span: Span, owner: str) -> Spooled | None:
        """What another attempt has fetched, if it still is what it was then; under a name of this attempt's own."""
        return await asyncio.to_thread(self._found, _of(device, span), self.path(device, span, owner))

    def _found(self, begins: str, own: Path) -> Spooled | None:
        for path, _, _ in sorted(self._files()):
            if path.name.startswith(begins) and path.suffix == own.suffix:
                spooled = _taken_over(path, own)
                if spooled is not None:
                    return spooled
        return None

    async def take_in(self, fetched: Fetched) -> Spooled:
        """A finished file: digested, on disk with what is known of it."""
        return await asyncio.to_thread(self._take_in, fetched)

    def _take_in(self, fetched: Fetched) -> Spooled:
        size, digest = _digest(fetched.path)
        with fetched.path.open("rb") as file:
            os.fsync(file.fileno())
        facts = Facts(fetched.mime, fetched.start, fetched.end, fetched.origin, digest)
        _beside(fetched.path).write_bytes(msgspec.json.encode(facts))
        return Spooled(fetched, size, digest)

    async def write(self, name: str, data: bytes) -> Path:
        """A small result: a picture, a list of devices; its name has the job's id in it. Raises NotNow."""
        async with self.reserved(len(data)):
            try:
                return await asyncio.to_thread(self._write, self.named(name), data)
            except OSError as error:
                raise NotNow(f"the spool {self.folder} cannot be written: {error.strerror}") from None

    def _write(self, path: Path, data: bytes) -> Path:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return path

    async def remove(self, name: str) -> None:
        await asyncio.to_thread(_remove, self.named(name))

    async def forget(self, job_id: str) -> None:
        """Everything that any attempt at a job has left."""
        await asyncio.to_thread(self._forget, job_id)

    def _forget(self, job_id: str) -> None:
        for path, _, _ in list(self._files()):
            if job_id in path.name:
                _remove(path)

    async def sweep(self, needed: Collection[str], now: datetime) -> None:
        """What nobody needs and is old enough, goes. `needed`: jobs under way."""
        await asyncio.to_thread(self._sweep, needed, now.timestamp())

    def _sweep(self, needed: Collection[str], now: float) -> None:
        for path, _, changed in list(self._files()):
            if changed < now - self._keep_s and not any(job_id in path.name for job_id in needed):
                _remove(path)

    def _files(self) -> Iterator[tuple[Path, int, float]]:
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.is_file(follow_symlinks=False):
                        found = entry.stat(follow_symlinks=False)
                        yield Path(entry.path), found.st_size, found.st_mtime


def _of(device: str, span: Span) -> str:
    mark = blake2b(device.encode(), digest_size=6).hexdigest()
    start, end = (f"{one.astimezone(UTC):%Y%m%dT%H%M%S.%f}Z" for one in (span.start, span.end))
    return f"{plain_name(device)[:60]}-{mark}_{start}_{end}_"


def _taken_over(path: Path, own: Path) -> Spooled | None:
    """The same file under another name: whoever removes the one does not take away the other."""
    try:
        facts = msgspec.json.decode(_beside(path).read_bytes(), type=Facts)
        if path != own:
            own.unlink(missing_ok=True)
            os.link(path, own)
            _beside(own).write_bytes(_beside(path).read_bytes())
        size, digest = _digest(own)
    except (OSError, msgspec.DecodeError):
        return None
    if digest != facts.sha256:
        return None
    return Spooled(Fetched(own, facts.mime, facts.start, facts.end, facts.origin), size, digest)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + _FACTS)


def _remove(path: Path) -> None:
    for one in (path, _beside(path)):
        with contextlib.suppress(OSError):
            one.unlink(missing_ok=True)


def _digest(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()


def _mb(size: int) -> str:
    return f"{size / 1_000_000:.0f} MB"
