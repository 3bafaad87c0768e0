"""Journals of the tests: one in memory, one on disk that survives its process."""

import os
from pathlib import Path

import msgspec

from blobkit.vectors import JWK
from tocsin.evidence.contracts import Place
from tocsin.model.evidence import JobFile


def job_file(**changes: object) -> JobFile:
    file = JobFile(job_id="job-1", attempt=1, number=1, name="clip.mp4", mime="video/mp4", state="init")
    return msgspec.structs.replace(file, **changes)


def place(uri: str, file_id: str = "file-1") -> Place:
    return Place(file_id, uri, dict(JWK))


class MemoryJournal:
    """Remembers every state, and every figure of progress."""

    def __init__(self) -> None:
        self.states: list[JobFile] = []
        self.told: list[tuple[int, int]] = []

    @property
    def last(self) -> JobFile:
        return self.states[-1]

    async def keep(self, file: JobFile) -> None:
        self.states.append(file)

    def stored(self, done: int, expected: int) -> None:
        self.told.append((done, expected))


class FileJournal:
    """One file on disk, replaced whole; progress goes into a second one, a line each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._progress = path.with_suffix(".progress")

    def read(self) -> JobFile | None:
        return msgspec.json.decode(self._path.read_bytes(), type=JobFile) if self._path.exists() else None

    async def keep(self, file: JobFile) -> None:
        part = self._path.with_suffix(".part")
        with part.open("wb") as written:
            written.write(msgspec.json.encode(file))
            written.flush()
            os.fsync(written.fileno())
        part.rename(self._path)

    def stored(self, done: int, expected: int) -> None:
        with self._progress.open("a") as written:
            written.write(f"{done} {expected}\n")

    def progress(self) -> list[int]:
        return [int(line.split()[0]) for line in self._progress.read_text().splitlines()]
