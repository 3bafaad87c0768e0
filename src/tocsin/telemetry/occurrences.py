"""Everything worth a log line or a metric. Normal running logs nothing above INFO; an outage one WARNING and one
INFO.
"""

from typing import ClassVar

from tocsin.telemetry.record import Level, Occurrence


class EventAccepted(Occurrence, frozen=True):
    """event accepted"""

    level: ClassVar[Level] = "none"
    source: str
    kind: str
    count: int = 1


class EventOnTest(Occurrence, frozen=True):
    """event accepted while on test"""

    level: ClassVar[Level] = "none"
    source: str
    kind: str


class LinkOpened(Occurrence, frozen=True):
    """an event's link was opened"""

    level: ClassVar[Level] = "info"
    outcome: str
    """From a short closed list: it is a metric label."""
    peer: str
    event_id: str = ""


class EventRefused(Occurrence, frozen=True):
    """event refused"""

    level: ClassVar[Level] = "info"
    source: str
    reason: str
    """From a short closed list: it is a metric label."""
    detail: str = ""


class FrameDropped(Occurrence, frozen=True):
    """input dropped"""

    level: ClassVar[Level] = "info"
    source: str
    reason: str
    """From a short closed list: it is a metric label."""
    peer: str = ""
    detail: str = ""


class AttemptMade(Occurrence, frozen=True):
    """attempt made"""

    level: ClassVar[Level] = "none"
    destination: str
    result: str


class DeliveryEnded(Occurrence, frozen=True):
    """delivery ended"""

    level: ClassVar[Level] = "none"
    destination: str
    outcome: str
    seconds: float


class DeliveriesFiltered(Occurrence, frozen=True):
    """deliveries filtered"""

    level: ClassVar[Level] = "none"
    destination: str
    count: int = 1


class DeliverySetAside(Occurrence, frozen=True):
    """delivery set aside: the station refuses it"""

    level: ClassVar[Level] = "warning"
    destination: str
    delivery: str
    reason: str


class OutboxCompacted(Occurrence, frozen=True):
    """outbox full: of each device only the newest states are kept"""

    level: ClassVar[Level] = "warning"
    destination: str
    lost: int
    left: int


class DestinationWentDown(Occurrence, frozen=True):
    """destination down"""

    level: ClassVar[Level] = "warning"
    destination: str
    reason: str


class DestinationCameUp(Occurrence, frozen=True):
    """destination up"""

    level: ClassVar[Level] = "info"
    destination: str
    down_s: float


class SupervisionLost(Occurrence, frozen=True):
    """supervision lost"""

    level: ClassVar[Level] = "warning"
    source: str
    subject: str
    silent_s: float


class PathLost(Occurrence, frozen=True):
    """path lost"""

    level: ClassVar[Level] = "warning"
    destination: str
    path: str
    reason: str


class PathRestored(Occurrence, frozen=True):
    """path restored"""

    level: ClassVar[Level] = "info"
    destination: str
    path: str


class SupervisionRestored(Occurrence, frozen=True):
    """supervision restored"""

    level: ClassVar[Level] = "info"
    source: str
    subject: str


class ClockOffset(Occurrence, frozen=True):
    """a station's clock differs from ours"""

    level: ClassVar[Level] = "warning"
    destination: str
    host: str
    offset_s: float


class StoreWentDown(Occurrence, frozen=True):
    """store failed: nothing is accepted until it is back"""

    level: ClassVar[Level] = "warning"
    reason: str


class StoreCameBack(Occurrence, frozen=True):
    """store is back"""

    level: ClassVar[Level] = "info"
    down_s: float


class Committed(Occurrence, frozen=True):
    """transaction committed"""

    level: ClassVar[Level] = "none"
    seconds: float
    operations: int


class TaskFailed(Occurrence, frozen=True):
    """a component failed unexpectedly and is restarted"""

    level: ClassVar[Level] = "error"
    task: str
    error: str
    trace: str
    restart_in_s: float


class Notice(Occurrence, frozen=True):
    """notice"""

    level: ClassVar[Level] = "info"
    component: str
    text: str


class Trouble(Occurrence, frozen=True):
    """trouble"""

    level: ClassVar[Level] = "warning"
    component: str
    text: str


class SystemWentAway(Occurrence, frozen=True):
    """a system cannot be read; its devices keep their last state until it is too old"""

    level: ClassVar[Level] = "warning"
    system: str
    status: str
    reason: str


class SystemCameBack(Occurrence, frozen=True):
    """a system can be read again"""

    level: ClassVar[Level] = "info"
    system: str
    away_s: float


class SyncEnded(Occurrence, frozen=True):
    """an inventory run has ended"""

    level: ClassVar[Level] = "info"
    system: str
    run: str
    state: str
    seconds: float
    seen: int
    added: int
    changed: int
    removed: int


class StatesCorrected(Occurrence, frozen=True):
    """states read anew differ from what the system had told: its events are not complete"""

    level: ClassVar[Level] = "warning"
    system: str
    count: int


class HealthDropped(Occurrence, frozen=True):
    """a state was dropped"""

    level: ClassVar[Level] = "none"
    system: str
    reason: str
    """From a short closed list: it is a metric label."""
    count: int = 1


class JobEnded(Occurrence, frozen=True):
    """a job of an evidence registry has ended here"""

    level: ClassVar[Level] = "info"
    agent: str
    job: str
    type: str
    outcome: str
    """From a short closed list: it is a metric label."""
    seconds: float
    reason: str = ""


class LockRenewed(Occurrence, frozen=True):
    """the lock of a job was renewed"""

    level: ClassVar[Level] = "none"
    agent: str
    seconds: float


class LockNotRenewed(Occurrence, frozen=True):
    """the registry did not renew the lock of a job; it is asked again until the lock's deadline is near"""

    level: ClassVar[Level] = "none"
    agent: str


class LockFenced(Occurrence, frozen=True):
    """the lock of a job was not renewed in time: all work on it has stopped"""

    level: ClassVar[Level] = "warning"
    agent: str
    job: str


class BytesUploaded(Occurrence, frozen=True):
    """blocks were acknowledged by the storage"""

    level: ClassVar[Level] = "none"
    agent: str
    count: int


class BlockStored(Occurrence, frozen=True):
    """a block of a file was stored, at the so-manieth try"""

    level: ClassVar[Level] = "none"
    agent: str
    tries: int


class FileStored(Occurrence, frozen=True):
    """a file was stored; so long its permission would have lasted"""

    level: ClassVar[Level] = "none"
    agent: str
    left_s: float


class StorageWentAway(Occurrence, frozen=True):
    """nothing of a file could be stored for a minute; it is tried on"""

    level: ClassVar[Level] = "warning"
    agent: str
    blob: str
    reason: str


class StorageCameBack(Occurrence, frozen=True):
    """a file is being stored again"""

    level: ClassVar[Level] = "info"
    agent: str
    blob: str
    seconds: float


class VideoFetched(Occurrence, frozen=True):
    """a recording was fetched"""

    level: ClassVar[Level] = "none"
    agent: str
    seconds: float


class AgentWentAway(Occurrence, frozen=True):
    """an evidence registry cannot be asked for jobs"""

    level: ClassVar[Level] = "warning"
    agent: str
    reason: str


class AgentCameBack(Occurrence, frozen=True):
    """an evidence registry can be asked for jobs again"""

    level: ClassVar[Level] = "info"
    agent: str
    away_s: float


class ProfileMisfit(Occurrence, frozen=True):
    """an answer of an evidence registry is not as the wire profile says; no more jobs of this type are taken"""

    level: ClassVar[Level] = "warning"
    agent: str
    type: str
    reason: str
