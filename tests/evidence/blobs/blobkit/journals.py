"""Journals of the tests: one in memory, one on disk that survives its process."""

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
