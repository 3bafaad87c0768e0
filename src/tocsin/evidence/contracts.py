"""What the parts of the evidence agent owe each other (clearance.md 7, 8, 11).

Registry → life cycle of jobs → archive (what is there, fetch it) → upload (encrypt, store) → registry. Each part is
cancellable at every wait; who must wait or give up is said by the exception.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from tocsin.engine.systems import Span
from tocsin.model.evidence import JobFile, Upload


class NotNow(Exception):
    """Somebody, perhaps we, could do it later: the job is released. The text is a sentence."""


class Impossible(Exception):
    """We looked and the answer is no: the job ends as failed, with this sentence."""


class UnknownCamera(Impossible):
    """The site has no such device, or does not share it."""


class Fenced(Exception):
    """The lock's deadline is too near, or the lock is gone: nothing more may be written (9.2, 13.1)."""


class Withdrawn(Fenced):
    """People have ended the job from the other side (13.5)."""


class PlaceExpired(Exception):
    """The storage no longer takes anything under this address (13.3)."""


class SourceChanged(Exception):
    """The spooled file is not the one whose encryption was begun: a new upload with a new key is needed (12.2)."""


class Fetched(Struct, frozen=True):
    """A finished file in the spool: what it really contains, and what it came from."""

    path: Path
    mime: str
    start: datetime
    end: datetime
    origin: str


class Archive(Protocol):
    """Recordings and pictures of the devices of one kind of source: a system's, a folder's, a stream's."""

    def holds(self, device: str) -> bool:
        """Whether this archive answers for the device (the stable id that discovery publishes)."""

    async def recordings(self, device: str, span: Span) -> Sequence[Span]:
        """What is held within the span, clipped to it, oldest first, gaps over 2 s between. Raises UnknownCamera,
        NotNow.
        """

    async def fetch(self, device: str, span: Span, into: Path, told: Callable[[float], None]) -> Fetched:
        """One MP4 at `into`, stream-copied, index in front, from the key frame at or before the start. `told` hears
        how many seconds of video there are so far. Leaves nothing behind when it raises (NotNow, Impossible).
        """

    async def picture(self, device: str, at: datetime | None = None) -> bytes:
        """A JPEG, live (not older than 10 s) or recorded. Raises Impossible, NotNow."""


class Place(Struct, frozen=True):
    """What InitializeUpload gives: `uri` is a secret; `key` the JsonWebKey as it came."""

    file_id: str
    uri: str
    key: dict[str, object]


class Uploaded(Struct, frozen=True):
    cipher_size: int
    cipher_sha256: str


class Uploading(Protocol):
    """Encrypting a spooled file and storing it (10, 11, 12)."""

    def begin(self, file: Path, place: Place, now: datetime) -> Upload:
        """A new attempt: content key, IV, tag. Nothing has left yet; the caller keeps it before `carry_out`. Raises
        Impossible for a key that may not be used (10.3).
        """

    async def carry_out(self, file: Path, job_file: JobFile, journal: "Journal", fence: Callable[[], None]) -> Uploaded:
        """From `job_file.upload` to the commit. `fence` is called right before each request and raises Fenced. Raises
        Fenced, PlaceExpired, SourceChanged, NotNow.
        """


class Journal(Protocol):
    """Where an upload writes what it has reached, before it goes on."""

    async def keep(self, file: JobFile) -> None: ...

    def stored(self, done: int, expected: int) -> None:
        """Bytes of the unbroken beginning that the storage has acknowledged; for the progress of the job."""


Sleep = Callable[[float], Awaitable[None]]
