"""Jobs of an evidence registry as the gateway keeps them (clearance.md 7), their files, and the custody log (14)."""

from datetime import datetime
from typing import Literal

from msgspec import Raw, Struct

JobType = Literal["thumbnail", "discovery", "mediarequest"]
JobState = Literal[
    "seen",
    "locking",
    "locked",
    "fetching",
    "ending",
    "ended",
    "releasing",
    "released",
    "cancelling",
    "cancelled",
    "lost",
]
"""clearance.md 7.2; what a file of the job is doing is the file's own state."""
FileState = Literal["init", "uploading", "commit_sent", "committed", "done", "abandoned"]
EndState = Literal["Completed", "PartiallyCompleted", "Failed"]
CLOSED: frozenset[JobState] = frozenset({"ended", "released", "cancelled", "lost"})


class Job(Struct, frozen=True, omit_defaults=True):
    """One job of a registry, in the attempt under way. `id` is ours; `registry_id` the registry's. Instants are aware
    UTC. `received`: the job as it came. `progress`: 0 to 1000, the most ever told. `attempt` counts from 1.
    """

    id: str
    agent: str
    registry_id: str
    type: JobType
    state: JobState
    seen_at: datetime
    updated_at: datetime
    device: str = ""
    start: datetime | None = None
    end: datetime | None = None
    received: Raw = Raw(b"{}")
    created_at: datetime | None = None
    approved_by: str = ""
    attempt: int = 1
    lock_token: str = ""
    locked_until: datetime | None = None
    progress: int = 0
    outcome: EndState | None = None
    reason: str = ""
    failures: int = 0
    hold_off_until: datetime | None = None
    """Left to others until then, after it failed here (7.5)."""
    devices: int = 0
    """A discovery: how many it lists."""

    @property
    def open(self) -> bool:
        return self.state not in CLOSED


class SourceIdentity(Struct, frozen=True):
    """What tells that a spooled file is still the one whose encryption was begun (12.2)."""

    size: int
    mtime_ns: int
    inode: int


class Upload(Struct, frozen=True, omit_defaults=True):
    """The exact state from which an upload goes on after the process died (12.2). `uri` is a secret, as is what
    `sealed_key` holds: the content key, sealed with the machine's key. `next`: the first block not known to be stored;
    `chain`: the last 16 bytes of cipher text before it, the IV while it is 0.
    """

    file_id: str
    uri: str
    key_id: str
    sealed_key: bytes
    wrapped_key: bytes
    iv: bytes
    tag: bytes
    block_size: int
    source: SourceIdentity
    begun_at: datetime
    expires_at: datetime | None = None
    next: int = 0
    chain: bytes = b""


class JobFile(Struct, frozen=True, omit_defaults=True):
    """One result of a job: a segment of video, a list of devices or a picture. `start` and `end`: what it really
    contains. `origin`: where it came from, in words. `spool`: its name in the spool folder, empty when that is gone.
    """

    job_id: str
    attempt: int
    number: int
    name: str
    mime: str
    state: FileState
    spool: str = ""
    size: int = 0
    sha256: str = ""
    cipher_size: int = 0
    cipher_sha256: str = ""
    start: datetime | None = None
    end: datetime | None = None
    upload: Upload | None = None
    sure: bool = True
    """False: the answer to its commit was lost, so only the registry's taking it tells that it is stored (11.4)."""
    origin: str = ""


class CustodyLine(Struct, frozen=True):
    """One line of an agent's custody log. `text` is JSON on one line; `number` counts from 1 without a gap; `sha256` is
    over the whole line, which itself carries that of the line before.
    """

    agent: str
    number: int
    at: datetime
    text: str
    sha256: str
