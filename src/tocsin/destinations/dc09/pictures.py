"""Pictures by FTP ahead of the event, which then refers to them (stations.md 5); it never waits long for them."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, repeat

from msgspec import Struct

from tocsin.destinations.dc09.settings import Dc09Settings, PhotoSettings
from tocsin.destinations.files import File, Files
from tocsin.destinations.pictures import files_at_hand, files_of
from tocsin.destinations.surroundings import Surroundings
from tocsin.destinations.uploading.sending import Uploads
from tocsin.engine.contracts import Attempt, CheckStep
from tocsin.model.delivery import DeliveryKey, Due
from tocsin.model.event import Address, Event, Photo
from tocsin.model.naming import short_id
from tocsin.telemetry.occurrences import Notice, Trouble
from tocsin.transports.ftp import NotStored, Progress
from tocsin.transports.ftp_entry import File as Upload
from tocsin.transports.ftp_entry import FileSet

DOWN_S = 60.0
"""After a failed upload, events of the next minute do not wait for theirs."""
AGAIN_S = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0)
MOST_UPLOADS = 200
MOST_BYTES = 64_000_000
"""Of pictures that wait, in memory."""
_REMEMBERED = 10_000

References = tuple[str, ...]


class Under(Struct):
    """An upload under way. `first` has the references when it succeeds at once, nothing when it does not; `attempt`
    has what the first round exchanged; `size` are the bytes it holds.
    """

    due: Due
    where: Address
    load: Callable[[], Awaitable[Sequence[Photo]]]
    first: "asyncio.Future[References]"
    attempt: Attempt
    task: "asyncio.Task[None] | None" = None
    size: int = 0


class Pictures:
    """Uploads of one destination. What is not up in time goes on in the background until the delivery would expire, or
    the program ends.
    """

    def __init__(self, settings: Dc09Settings, photos: PhotoSettings, surroundings: Surroundings) -> None:
        self._name = settings.name
        self._photos = photos
        self._expire_s = settings.retry.expire
        self._clock = surroundings.clock
        self._record = surroundings.record
        self._uploads = Uploads(photos)
        self._under: OrderedDict[DeliveryKey, Under] = OrderedDict()
        self._said: OrderedDict[DeliveryKey, References] = OrderedDict()
        self._stems: OrderedDict[str, str] = OrderedDict()
        self._down_until = 0.0

    async def references(self, due: Due, where: Address, attempt: Attempt) -> References:
        """What the message may refer to: everything, or nothing if it is not up within `upload_wait`.

        A message that may have been sent keeps its content (see `sent`): dc09.md 5.
        """
        if due.key in self._said:
            return self._said[due.key]
        under = self._under.get(due.key) or self._begin(due, where, attempt)
        patience = self._photos.upload_wait if self._clock.monotonic() >= self._down_until else 0.0
        try:
            async with asyncio.timeout(patience):
                found = await asyncio.shield(under.first)
        except TimeoutError:
            if patience:
                self._failed()
            found = ()
        attempt.exchanges.extend(under.attempt.exchanges)
        if not found:
            why = "The pictures were not up in time: the event goes without them, the upload goes on"
            attempt.exchanged(self._uploads.hosts_in_use(), "note", note=why)
        return found

    def sent(self, key: DeliveryKey, references: References) -> None:
        """The message may have reached the station: it is repeated with the same references."""
        self._said[key] = references
        while len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)

    def done(self, key: DeliveryKey) -> None:
        self._said.pop(key, None)

    def at_hand(self, due: Due, where: Address, photos: Sequence[Photo]) -> tuple[References, Files]:
        """References and pictures as they would be, for showing."""
        files = files_at_hand(photos, self._photos, due.event, where.zone or "")
        named = self._named(due.event, where, files.files)
        return tuple(self._reference(one.path) for one in named), files

    async def check(self) -> Sequence[CheckStep]:
        return await self._uploads.check(self._photos.path)

    async def aclose(self) -> None:
        tasks = [under.task for under in self._under.values() if under.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._uploads.aclose()

    # Uploading

    def _begin(self, due: Due, where: Address, attempt: Attempt) -> Under:
        while len(self._under) >= MOST_UPLOADS:
            self._give_up_oldest(f"{MOST_UPLOADS} younger ones wait for the FTP server")
        first: asyncio.Future[References] = asyncio.get_running_loop().create_future()
        under = self._under[due.key] = Under(due, where, attempt.photos, first, self._quiet())
        under.task = asyncio.create_task(self._supervised(under))
        return under

    def _give_up_oldest(self, why: str) -> None:
        key, oldest = self._under.popitem(last=False)
        if oldest.task is not None:
            oldest.task.cancel()
        self._tell(f"pictures of delivery {key} are given up: {why}")

    async def _supervised(self, under: Under) -> None:
        try:
            await self._bring(under)
        except Exception as error:  # noqa: BLE001 - whatever happens to a picture, the alarm goes out
            self._tell(f"pictures of event {under.due.event.id} are not uploaded: {type(error).__name__}: {error}")
        finally:
            if self._under.get(under.due.key) is under:
                del self._under[under.due.key]
            if not under.first.done():
                under.first.set_result(())

    async def _bring(self, under: Under) -> None:
        event = under.due.event
        files = await files_of(await under.load(), self._photos, event, under.where.zone or "")
        if not files.files:
            self._tell(f"event {event.id} has no picture that can go out: {files.note}")
            return
        uploads = self._named(event, under.where, files.files)
        made = FileSet(uploads, self._photos.create_dirs, self._photos.rename)
        under.size = made.size
        while sum(one.size for one in self._under.values()) > MOST_BYTES and len(self._under) > 1:
            self._give_up_oldest(f"more than {MOST_BYTES} bytes wait for the FTP server")
        progress: Progress = {}
        ends = self._clock.monotonic() + self._expire_s
        pauses = chain(AGAIN_S, repeat(AGAIN_S[-1]))
        attempt = under.attempt
        while True:
            try:
                await self._uploads.store(made, attempt, progress, files.note)
            except NotStored as failed:
                self._not_stored(event, failed, under.first)
                if failed.refused or self._clock.monotonic() > ends:
                    return
            else:
                self._stored(under, uploads)
                return
            attempt = self._quiet()
            await asyncio.sleep(next(pauses))

    def _quiet(self) -> Attempt:
        """What is exchanged without the delivery."""
        return Attempt(self._clock)

    def _not_stored(self, event: Event, failed: NotStored, first: "asyncio.Future[References]") -> None:
        if failed.refused:
            self._tell(f"pictures of event {event.id} are refused: {failed}")
        elif self._clock.monotonic() >= self._down_until:
            self._tell(f"pictures wait, events go without them: {failed}")
        self._failed()
        if not first.done():
            first.set_result(())

    def _stored(self, under: Under, uploads: Sequence[Upload]) -> None:
        self._down_until = 0.0
        references = tuple(self._reference(one.path) for one in uploads)
        self.sent(under.due.key, self._said.get(under.due.key, references))
        if under.first.done():
            said = f"pictures of event {under.due.event.id} are up, after the event"
            self._record(Notice(f"destination {self._name}", said))
        else:
            under.first.set_result(references)

    def _failed(self) -> None:
        self._down_until = self._clock.monotonic() + DOWN_S

    def _tell(self, text: str) -> None:
        self._record(Trouble(f"destination {self._name}", self._uploads.masked(text)))

    # Names

    def _named(self, event: Event, where: Address, files: Sequence[File]) -> tuple[Upload, ...]:
        """`<account>/<UTC time>_<short id>_<n>.jpg` below the configured path (stations.md 5)."""
        ahead = f"{self._photos.path.rstrip('/')}/" if self._photos.path else ""
        if self._photos.name is not None:
            return tuple(Upload(f"{ahead}{where.account}/{file.name}", file.data) for file in files)
        stem = self._stem(event, where)
        return tuple(
            Upload(f"{ahead}{where.account}/{stem}_{n}.{file.name.rpartition('.')[2]}", file.data)
            for n, file in enumerate(files, start=1)
        )

    def _stem(self, event: Event, where: Address) -> str:
        """The same for an event whenever asked, and another for another event of the same device and second."""
        who = short_id(event.device_id) or where.zone or "0"
        plain = f"{event.occurred_at:%Y%m%dT%H%M%SZ}_{who}"
        candidates = (plain, *(f"{plain}-{n}" for n in range(2, 1000)))
        identity = f"{event.source} {event.device_id} {event.id}"
        for stem in candidates:
            if self._stems.setdefault(f"{where.account}/{stem}", identity) == identity:
                break
        while len(self._stems) > _REMEMBERED:
            self._stems.popitem(last=False)
        return stem

    def _reference(self, path: str) -> str:
        """The path on the server, or a link to it where `url` says under which the station sees the configured path."""
        if not self._photos.url:
            return path
        below = path.removeprefix(self._photos.path.rstrip("/")).lstrip("/")
        return f"{self._photos.url.rstrip('/')}/{below}"
