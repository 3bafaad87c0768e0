"""What the parts of the evidence agent owe each other (clearance.md 7, 8, 11).

Registry → life cycle of jobs → archive (what is there, fetch it) → upload (encrypt, store) → registry. Each part is
cancellable at every wait; who must wait or give up is said by the exception.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import datetime
from hashlib import sha256
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


EVENT_PHOTO = "event photo"
"""So begins the origin of what is a photo of an event and neither a recording nor a picture of now."""


class Fenced(Exception):
    """The lock's deadline is too near, or the lock is gone: nothing more may be written (9.2, 13.1)."""


class Withdrawn(Fenced):
    """People have ended the job from the other side (13.5)."""


class PlaceExpired(Exception):
    """The storage no longer takes anything under this address, or will not for long enough (13.3). The upload goes on
    under a new address of the same blob. `bytes_per_s`: what was measured last; 0 when nothing was.
    """

    def __init__(self, reason: str, bytes_per_s: float = 0.0) -> None:
        super().__init__(reason)
        self.bytes_per_s = bytes_per_s


class StartOver(Exception):
    """What was begun cannot be ended: a new place, a new key, from the first block (12.2)."""


class SourceChanged(StartOver):
    """The spooled file is not the one whose encryption was begun (12.2)."""


class PlaceGone(StartOver):
    """The storage does not know the place any more: people may have ended the job, so renew first (11.4)."""


class Fetched(Struct, frozen=True):
    """A finished file in the spool: what it really contains, and what it came from."""

    path: Path
    mime: str
    start: datetime
    end: datetime
    origin: str


class Taken(Struct, frozen=True):
    """A JPEG and where it came from, in words. `at`: when it was taken; None: live, just now."""

    data: bytes
    origin: str
    at: datetime | None = None

    @property
    def sha256(self) -> str:
        return sha256(self.data).hexdigest()


class Archive(Protocol):
    """Recordings and pictures of the devices of one kind of source: a system's, a folder's, a stream's."""

    def holds(self, device: str) -> bool:
        """Whether this archive answers for the device (the stable id that discovery publishes)."""

    async def recordings(self, device: str, span: Span) -> Sequence[Span]:
        """What is held within the span, clipped to it, oldest first, gaps over 2 s between. Raises UnknownCamera,
        NotNow.
        """

    def extents(self, devices: Sequence[str]) -> AsyncGenerator[tuple[str, Span], None]:
        """From the first to the last recording of each, as they are found; what cannot be told cheaply is left out.
        Raises NotNow.
        """

    async def fetch(self, device: str, span: Span, into: Path, told: Callable[[float], None]) -> Fetched:
        """One MP4 at `into`, stream-copied, index in front, from the key frame at or before the start. `told` hears
        how many seconds of video there are so far. Leaves nothing behind when it raises (NotNow, Impossible).
        """

    async def picture(self, device: str, at: datetime | None = None) -> Taken:
        """Live (not older than 10 s) or recorded. Raises Impossible, NotNow."""


class Place(Struct, frozen=True):
    """What InitializeUpload gives: `uri` is a secret; `key` the JsonWebKey as it came."""

    file_id: str
    uri: str
    key: dict[str, object]


class Uploaded(Struct, frozen=True):
    """Digests are hexadecimal; `blob` is host and path, without what the address keeps secret. `sure` is False when
    the answer to the commit was lost and only the registry's taking the file can tell that it was stored (11.4).
    """

    size: int
    sha256: str
    cipher_size: int
    cipher_sha256: str
    blob: str
    committed_at: datetime
    sure: bool = True


class Uploading(Protocol):
    """Encrypting a spooled file and storing it (10, 11, 12)."""

    def begin(self, file: Path, place: Place, now: datetime) -> Upload:
        """A new attempt: content key, IV, tag. Nothing has left yet; the caller keeps it before `carry_out`. Raises
        Impossible for a key or an address that may not be used (10.3), NotNow when the file cannot be read.
        """

    async def carry_out(self, file: Path, job_file: JobFile, journal: "Journal", fence: Callable[[], None]) -> Uploaded:
        """From `job_file.upload`, wherever it stands, to the commit. The journal is told every step: `uploading` with
        the first block not stored, `commit_sent` with sizes and digests, `committed` without key and secret address.
        `fence` is called right before each request and raises Fenced. Raises Fenced, PlaceExpired, StartOver, NotNow,
        Impossible.
        """


class Journal(Protocol):
    """Where an upload writes what it has reached, before it goes on."""

    async def keep(self, file: JobFile) -> None: ...

    def stored(self, done: int, expected: int) -> None:
        """Bytes of the unbroken beginning that the storage has acknowledged; for the progress of the job."""


Sleep = Callable[[float], Awaitable[None]]
