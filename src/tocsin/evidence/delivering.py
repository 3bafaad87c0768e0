"""One file from the spool to the registry: InitializeUpload, upload, Complete (clearance.md 7.2, 11, 13.3)."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from tocsin.engine.contracts import Clock, Randomness
from tocsin.evidence.contact import Contact
from tocsin.evidence.contracts import NotNow, Place, PlaceExpired, StartOver, Uploaded, Uploading
from tocsin.evidence.holding import Holding
from tocsin.evidence.jobs.lifecycle import file_after
from tocsin.evidence.jobs.progress import Part
from tocsin.evidence.locking import JobLock
from tocsin.evidence.registry.client import RegistryClient
from tocsin.evidence.registry.faults import NotMine
from tocsin.evidence.spool import Spool
from tocsin.evidence.storage import AddressRefused, read_address
from tocsin.model.evidence import JobFile, Upload
from tocsin.telemetry.occurrences import BytesUploaded
from tocsin.telemetry.record import Recorder

MOST_STARTS = 5
MOST_PLACES = 100
BUDGET = 1.25


class LinkTooSlow(Exception):
    """The file cannot be stored within the life of a permission (13.3)."""


class DeliveryParts(NamedTuple):
    client: RegistryClient
    uploading: Uploading
    spool: Spool
    clock: Clock
    randomness: Randomness
    record: Recorder


class Delivery:
    """One file, by its number. `part` learns how much is stored."""

    def __init__(self, number: int, holding: Holding, lock: JobLock, part: Part, parts: DeliveryParts) -> None:
        self._number = number
        self._holding = holding
        self._lock = lock
        self._part = part
        self._parts = parts
        self._contact = Contact(lock, parts.randomness)
        self._counted = 0
        self._done = 0
        self._others = 0
        self._resumed = self._file.state == "committed"

    @property
    def _file(self) -> JobFile:
        return self._holding.files[self._number]

    @property
    def _path(self) -> Path:
        return self._parts.spool.named(self._file.spool)

    async def carry_out(self) -> None:
        """From whatever state the journal has it in, until the registry has taken it. Raises Fenced, Withdrawn, NotNow,
        Impossible, LinkTooSlow, NotUnderstood.
        """
        for _ in range(MOST_STARTS):
            try:
                return await self._tried()
            except StartOver as error:
                await self._start_over(error)
        raise NotNow(f"the upload of {self._file.name} had to begin anew {MOST_STARTS} times")

    async def _tried(self) -> None:
        if self._file.state == "init":
            await self._begin(await self._place())
        if self._file.state in ("uploading", "commit_sent"):
            await self._upload()
        if self._file.state == "committed":
            await self._complete()

    async def _begin(self, place: Place) -> None:
        upload = self._parts.uploading.begin(self._path, place, self._parts.clock.now())
        await self._holding.put(replace(self._file, state=file_after(self._file.state, "begun"), upload=upload))

    async def _place(self) -> Place:
        """Raises Withdrawn when the job is gone."""
        words = self._words()
        try:
            return await self._contact.insist(lambda: self._parts.client.initialize_upload(self._holding.ours, words))
        except NotMine:
            await self._contact.insist(self._lock.renew)
            raise NotNow("the registry gives no place for a file of a job that is ours") from None

    async def _upload(self) -> None:
        for _ in range(MOST_PLACES):
            began, before = self._parts.clock.monotonic(), self._done
            try:
                uploaded = await self._parts.uploading.carry_out(self._path, self._file, self, self._lock.fence)
            except PlaceExpired as expired:
                seconds = max(self._parts.clock.monotonic() - began, 0.001)
                await self._move(expired.bytes_per_s or (self._done - before) / seconds)
            else:
                return await self._stored(uploaded)
        raise NotNow(f"{MOST_PLACES} permissions to upload {self._file.name} have run out")

    async def _stored(self, uploaded: Uploaded) -> None:
        if self._file.state != "committed":
            await self.keep(replace(self._file, state="committed"))
        if not uploaded.sure:
            await self._holding.put(replace(self._file, sure=False))

    async def _move(self, bytes_per_s: float) -> None:
        """The same blob: the upload goes on. Another one: a new file, from the first block (13.3)."""
        place, upload = await self._place(), self._file.upload
        assert upload is not None
        moved = same_blob(upload, place)
        if moved is not None:
            return await self._holding.put(replace(self._file, upload=moved))
        self._others += 1
        if self._others > MOST_STARTS:
            raise NotNow(f"no place that the registry gave for {self._file.name} lasted long enough")
        self._must_fit(place, bytes_per_s)
        await self._again("the registry gave another place")
        return await self._begin(place)

    def _must_fit(self, place: Place, bytes_per_s: float) -> None:
        ends_at = _ends_at(place)
        if bytes_per_s > 0 and ends_at is not None:
            left_s = (ends_at - self._parts.clock.now()).total_seconds()
            need_s = self._path.stat().st_size / bytes_per_s
            if need_s * BUDGET > left_s:
                raise LinkTooSlow(f"link too slow: {need_s:.0f} s needed, permissions last {left_s:.0f} s")

    async def _complete(self) -> None:
        """Refused after a doubtful try, perhaps by an earlier process, while the lock is ours: it was taken before, or
        never stored (11.4).
        """
        upload = self._file.upload
        assert upload is not None
        ours, type_, words = self._holding.ours, self._holding.job.type, self._words()
        try:
            await self._contact.insist(lambda: self._parts.client.complete_file(type_, ours, upload.file_id, words))
        except NotMine:
            doubt = self._contact.doubt or self._resumed
            await self._contact.insist(self._lock.renew)
            if not self._file.sure:
                raise StartOver("the registry does not know the file whose storing was not answered") from None
            if not doubt:
                raise NotNow("the registry does not take a file that is stored") from None
        spooled = self._file.spool
        done = replace(self._file, state=file_after(self._file.state, "taken"), spool="")
        facts = {"blob": read_address(upload.uri).blob, "completed_at": self._parts.clock.now()}
        await self._holding.tell(done, "file delivered", facts)
        await self._parts.spool.remove(spooled)

    async def _start_over(self, error: StartOver) -> None:
        """People may have ended the job: the lock tells (11.4). Raises Withdrawn."""
        await self._contact.insist(self._lock.renew)
        await self._again(str(error))

    async def _again(self, reason: str) -> None:
        """The old file is left alone, its key forgotten."""
        fresh = replace(
            self._file,
            state=file_after(self._file.state, "again"),
            upload=None,
            cipher_size=0,
            cipher_sha256="",
            sure=True,
        )
        await self._holding.tell(fresh, "upload begun anew", {"reason": reason, "left": _id_of(self._file)})
        self._counted, self._done, self._part.uploaded = 0, 0, 0.0

    def _words(self) -> Mapping[str, object]:
        file = self._file
        return {
            "name": file.name, "mime": file.mime, "start": file.start, "end": file.end,
            "device": self._holding.job.device, "size": file.size, "sha256": file.sha256,
            "cipher_size": file.cipher_size, "cipher_sha256": file.cipher_sha256,
        }  # fmt: skip

    # What the upload tells (contracts.Journal)

    async def keep(self, file: JobFile) -> None:
        if file.state != "committed":
            return await self._holding.put(file)
        assert self._file.upload is not None
        facts = {"blob": read_address(self._file.upload.uri).blob, "committed_at": self._parts.clock.now()}
        return await self._holding.tell(file, "file stored", facts)

    def stored(self, done: int, expected: int) -> None:
        self._done, self._part.uploaded = done, done / expected if expected else 0.0
        if done > self._counted:
            self._parts.record(BytesUploaded(self._holding.job.agent, done - self._counted))
        self._counted = max(done, self._counted)


def same_blob(upload: Upload, place: Place) -> Upload | None:
    """The upload under the new address, if it leads to the same blob."""
    try:
        before, now = read_address(upload.uri), read_address(place.uri)
    except AddressRefused:
        return None
    if before.blob != now.blob:
        return None
    return replace(upload, uri=place.uri, file_id=place.file_id, expires_at=now.expires_at)


def _ends_at(place: Place) -> datetime | None:
    """None also for an address that beginning anew will refuse."""
    try:
        return read_address(place.uri).expires_at
    except AddressRefused:
        return None


def _id_of(file: JobFile) -> str:
    return file.upload.file_id if file.upload else ""
