"""Discovery and thumbnail: one small file (clearance.md 8.2, 8.3)."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from hashlib import sha256

from msgspec import Struct

from tocsin.evidence.contracts import EVENT_PHOTO
from tocsin.evidence.delivering import Delivery, DeliveryParts
from tocsin.evidence.holding import Holding
from tocsin.evidence.jobs.ending import Ending
from tocsin.evidence.jobs.lifecycle import file_after
from tocsin.evidence.jobs.progress import Part
from tocsin.evidence.locking import JobLock
from tocsin.model.evidence import JobFile


class Made(Struct, frozen=True):
    """A result. `origin`: where from, in words. `devices`: how many a discovery lists. `taken_at`: of a picture."""

    name: str
    mime: str
    data: bytes
    origin: str
    devices: int = 0
    taken_at: datetime | None = None


class SmallResult:
    def __init__(
        self,
        holding: Holding,
        lock: JobLock,
        parts: list[Part],
        delivery: DeliveryParts,
        make: Callable[[], Awaitable[Made]],
    ) -> None:
        self._holding = holding
        self._lock = lock
        self._parts = parts
        self._delivery = delivery
        self._make = make

    async def work(self) -> Ending:
        """Raises Fenced, Withdrawn, NotNow, Impossible, LinkTooSlow, NotUnderstood."""
        part = Part(1.0)
        self._parts[:] = [part]
        file = self._holding.files.get(1)
        if file is None or self._is_gone(file):
            await self._make_file(file)
        if self._holding.job.state == "locked":
            await self._holding.move("planned")
        part.fetched = 1.0
        if self._holding.files[1].state != "done":
            await Delivery(1, self._holding, self._lock, part, self._delivery).carry_out()
        return Ending("complete", self._said(), "Completed")

    def _said(self) -> str:
        """What is no picture of now is not to pass for one."""
        file = self._holding.files[1]
        if file.start is None or not file.origin.startswith(EVENT_PHOTO):
            return ""
        return (
            f"no picture of now but a photo of the camera's newest event, taken at {file.start:%Y-%m-%d %H:%M:%S} UTC"
        )

    def _is_gone(self, file: JobFile) -> bool:
        return (
            file.state in ("init", "uploading", "commit_sent") and not self._delivery.spool.named(file.spool).exists()
        )

    async def _make_file(self, before: JobFile | None) -> None:
        made, job = await self._make(), self._holding.job
        path = await self._delivery.spool.write(f"{job.id}-{job.attempt}-{made.name}", made.data)
        state = file_after(before.state, "again") if before else "init"
        file = JobFile(
            job.id, job.attempt, 1, made.name, made.mime, state, path.name, len(made.data),
            sha256(made.data).hexdigest(), start=made.taken_at, end=made.taken_at, origin=made.origin,
        )  # fmt: skip
        if made.devices:
            await self._holding.note(devices=made.devices)
        await self._holding.tell(file, "result made", {"devices": made.devices})
