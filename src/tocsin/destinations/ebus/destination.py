"""EBÜS: joins the format with the FTP servers."""

import contextlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime

from tocsin.destinations.ebus.addressing import Place, address_of, read_printed
from tocsin.destinations.ebus.format import file_set
from tocsin.destinations.ebus.settings import EbusSettings
from tocsin.destinations.files import File
from tocsin.destinations.photos import wanted_photos
from tocsin.destinations.pictures import files_at_hand, files_of
from tocsin.destinations.surroundings import Surroundings
from tocsin.destinations.templates import TemplateProblem
from tocsin.destinations.uploading.sending import Uploads
from tocsin.engine.contracts import Addressed, Attempt, CheckStep, LinkDown, Rejected, Rendered, TryLater
from tocsin.model.delivery import DeliveryKey, Due, Receipt
from tocsin.model.device import Device
from tocsin.model.event import Event, Photo
from tocsin.protocols.text import one_line
from tocsin.telemetry.occurrences import Trouble
from tocsin.transports.contract import Unreachable
from tocsin.transports.ftp import NotStored, Progress
from tocsin.transports.ftp_entry import File as Upload
from tocsin.transports.ftp_entry import FileSet

DISK_FULL_AFTER_S = 300.0
CALL_AGAIN_S = 600.0
"""After a routine call that was not taken."""
CALL_LOOK_S = 3600.0
"""How often the routine call is thought of where supervision is off."""
_REMEMBERED = 1000


class EbusDestination:
    """See engine.contracts.Destination. Supervision proves the way there, and brings the routine call when due."""

    def __init__(self, settings: EbusSettings, surroundings: Surroundings) -> None:
        self.name = settings.name
        self.concurrency = settings.connections
        self.supervision_s = settings.supervision
        if settings.supervision is None and settings.folder and settings.routine is not None:
            self.supervision_s = min(settings.routine, CALL_LOOK_S)
        self._settings = settings
        self._around = surroundings
        self._uploads = Uploads(settings)
        self._progress: OrderedDict[DeliveryKey, Progress] = OrderedDict()
        self._full = False
        self._call_at = -math.inf
        """When the next routine call is due, monotonic: the wall clock may be set back by years."""
        self._call_refused = False

    def address(self, event: Event, device: Device | None) -> Addressed:
        return address_of(self._settings, event, device, self._around.area_address)

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        place = _place(due)
        files = files_at_hand(photos, self._settings.photos, due.event, place.zone)
        made = self._files(due.event, place, due.number, files.files)
        return [Rendered(file.name, file.data, files.note if n == 0 else "") for n, file in enumerate(made)]

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        place = _place(due)
        photos = await wanted_photos(self._settings, due, attempt)
        pictures = await files_of(photos, self._settings.photos, due.event, place.zone)
        made = self._files(due.event, place, due.number, pictures.files)
        receipt = await self._store(made, attempt, self._progress_of(due.key), pictures.note)
        self._progress.pop(due.key, None)
        return receipt

    async def supervise(self, attempt: Attempt) -> Receipt:
        """A routine call that is not taken is no dead link: it is told, and the login is tried instead. One that found
        nobody stays due.
        """
        now = self._around.clock.monotonic()
        folder, every_s = self._settings.folder, self._settings.routine
        if folder and every_s is not None and now >= self._call_at:
            with contextlib.suppress(TryLater):
                receipt = await self._routine_call(self._around.clock.now(), folder, attempt)
                self._call_at = now + every_s
                return receipt
            self._call_at = now + min(CALL_AGAIN_S, every_s)
        try:
            return Receipt(await self._uploads.probe(attempt), "the login is accepted")
        except Unreachable as error:
            raise LinkDown(self._uploads.masked(str(error))) from error

    async def check(self) -> Sequence[CheckStep]:
        parts = (self._settings.path, self._settings.folder or "")
        return await self._uploads.check("/".join(part for part in parts if part))

    def hosts_in_use(self) -> str:
        return self._uploads.hosts_in_use()

    async def aclose(self) -> None:
        await self._uploads.aclose()

    async def _routine_call(self, now: datetime, folder: str, attempt: Attempt) -> Receipt:
        """Raises LinkDown, TryLater."""
        call = Event(f"routine-{now:%Y%m%dT%H%M%S}", "routine_check", now, now, "gateway", zone=self._around.time_zone)
        try:
            receipt = await self._store(self._files(call, Place(folder), 0, ()), attempt, {}, "routine call")
        except Rejected as refused:
            if not self._call_refused:
                self._around.record(Trouble(f"destination {self.name}", f"the routine call is refused: {refused}"))
            self._call_refused = True
            raise TryLater(str(refused)) from refused
        self._call_refused = False
        return receipt

    def _files(self, event: Event, place: Place, number: int, files: Sequence[File]) -> tuple[File, ...]:
        """Raises Rejected."""
        try:
            return file_set(self._settings, event, place, number, files)
        except TemplateProblem as error:
            raise Rejected(str(error)) from error

    async def _store(self, made: Sequence[File], attempt: Attempt, progress: Progress, note: str) -> Receipt:
        uploads = tuple(Upload(file.name, file.data) for file in made)
        files = FileSet(uploads, self._settings.create_dirs, self._settings.rename)
        try:
            stored = await self._uploads.store(files, attempt, progress, note)
        except NotStored as failed:
            self._tell_if_full(failed)
            raise _failure(failed, self._uploads.masked(str(failed))) from failed
        self._full = False
        said = f"{len(uploads)} files, the last: {one_line(stored.answer)}"
        return Receipt(str(stored.target), f"{said}. {note}" if note else said)

    def _tell_if_full(self, failed: NotStored) -> None:
        if failed.full and not self._full:
            self._full = True
            said = self._uploads.masked(f"the station has no room for alarms: {failed}")
            self._around.record(Trouble(f"destination {self.name}", said))

    def _progress_of(self, key: DeliveryKey) -> Progress:
        """Which files of a delivery are up already; bounded, the oldest are forgotten and go up again."""
        progress = self._progress.setdefault(key, {})
        while len(self._progress) > _REMEMBERED:
            self._progress.popitem(last=False)
        return progress


def build(settings: EbusSettings, surroundings: Surroundings) -> EbusDestination:
    return EbusDestination(settings, surroundings)


def _place(due: Due) -> Place:
    place = read_printed(due.address)
    if place is None:
        raise Rejected(f"{due.address!r} in the outbox is no folder")
    return place


def _failure(failed: NotStored, said: str) -> LinkDown | TryLater | Rejected:
    """Who must wait (receivers.md 8.1): all, this source's folder (longer when the disk is full), or nobody."""
    if failed.unreachable:
        return LinkDown(said)
    if failed.refused:
        return Rejected(said)
    return TryLater(said, DISK_FULL_AFTER_S if failed.only_full else None)
