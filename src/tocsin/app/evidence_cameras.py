"""What an evidence agent may show of the gateway's cameras, and where their recordings are."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from msgspec.structs import replace

from tocsin.engine.clock import LoopClock
from tocsin.engine.gateway import Gateway
from tocsin.engine.systems import Span, System
from tocsin.evidence.archives.systems import Located, SystemArchive
from tocsin.evidence.contracts import EVENT_PHOTO, Archive, Impossible, NotNow, Taken
from tocsin.evidence.discovery import Listed, document, listed
from tocsin.evidence.discovery_job import DeviceList
from tocsin.evidence.extents import extents
from tocsin.evidence.settings import EvidenceSettings
from tocsin.media.child import NotMade
from tocsin.media.still import thumbnail
from tocsin.model.canonical import DeviceRecord
from tocsin.model.device import Device
from tocsin.model.event import Event, Photo
from tocsin.model.inventory import DeviceType
from tocsin.store.contract import EventFilter, StoredEvent, StoreUnavailable

CAMERA: DeviceType = "camera"
LOOKED_AT = 50
"""So many of a camera's newest events are looked at for a photo."""
AGAIN_S = 30.0
NEAR = timedelta(minutes=1)
SLACK = timedelta(hours=1)
PAGE, MOST_PAGES = 500, 20
MOST_PHOTOS = 30


class _Shared(NamedTuple):
    record: DeviceRecord
    online: bool


class SharedCameras:
    """Devices are asked for anew each time: they come, move to other areas, and go."""

    def __init__(self, settings: EvidenceSettings, gateway: Gateway, systems: Mapping[str, System]) -> None:
        self._gateway = gateway
        self._systems = systems
        self._areas = frozenset(settings.shared_areas)
        self._photos_count = settings.photos_fallback
        self._located: dict[str, Located] = {}
        self._looked_at = -AGAIN_S
        self._files = settings.archives.archives(settings.audio, LoopClock())
        self.archives: Sequence[Archive] = [SystemArchive(self._located.get, settings.audio), *self._files]

    def shared(self, device_id: str) -> bool:
        """Whether it stands in an area that is shared, or below one."""
        device = self._gateway.devices.get(device_id)
        return device is not None and self._is_shared(device)

    def _is_shared(self, device: Device) -> bool:
        return not self._areas.isdisjoint(self._gateway.devices.areas.lineage(device.area))

    def called(self, device_id: str) -> str:
        device = self._gateway.devices.get(device_id)
        return device.name if device is not None and device.name else device_id

    async def look(self) -> None:
        """Which device is where; a minute's age does no harm."""
        now = self._gateway.clock.monotonic()
        if now - self._looked_at < AGAIN_S:
            return
        for name, system in self._systems.items():
            try:
                given = await self._gateway.store.identities(name)
            except StoreUnavailable:
                return
            self._located |= {id_: Located(system, key) for (_, key), id_ in given.items()}
        self._looked_at = now

    async def list_devices(self) -> DeviceList:
        """Every shared camera. Raises NotNow."""
        await self.look()
        try:
            found = [one async for one in self._of_systems()]
        except StoreUnavailable as error:
            raise NotNow(f"the store cannot be read: {error}") from None
        known = {one.record.id for one in found}
        found += [one for one in self._of_files() if one.record.id not in known]
        recorded = await extents(self.archives, sorted(one.record.id for one in found))
        shared = [one for one in found if self.shared(one.record.id)]  # while recorders were asked it may have changed
        return DeviceList(document(self._listed(one, recorded.get(one.record.id)) for one in shared), len(shared))

    async def _of_systems(self) -> AsyncIterator[_Shared]:
        for name in self._systems:
            for kept in await self._gateway.systems.book.of_system(name):
                if kept.removal is None and kept.record.type == CAMERA and self.shared(kept.record.id):
                    yield _Shared(kept.record, kept.health is not None and kept.health.state == "online")

    def _of_files(self) -> Iterator[_Shared]:
        for device in self._gateway.devices.all():
            if device.type == CAMERA and self._is_shared(device) and any(one.holds(device.id) for one in self._files):
                record = DeviceRecord(device.id, device.name or device.id, CAMERA, "", CAMERA, device.id)
                yield _Shared(record, True)

    def _listed(self, one: _Shared, recorded: Span | None) -> Listed:
        device = self._gateway.devices.get(one.record.id)
        assert device is not None
        return listed(one.record, one.online, device.area, device.description, recorded)

    async def picture(self, archive: Archive, device_id: str) -> Taken:
        """A small one. Raises Impossible, NotNow."""
        try:
            taken = await archive.picture(device_id)
        except (Impossible, NotNow):
            if not self._photos_count:
                raise
            taken = await self._newest_photo(device_id)
        made = await thumbnail(taken.data)
        if isinstance(made, NotMade):
            raise Impossible(f"the picture of {device_id} cannot be used: {made.reason}")
        return replace(taken, data=made)

    async def _newest_photo(self, device_id: str) -> Taken:
        store = self._gateway.store
        for stored in await store.events(EventFilter(limit=LOOKED_AT, device_id=device_id)):
            for photo in await store.photos(stored.seq):
                return _taken(photo, stored.event)
        raise Impossible("no picture")

    async def photos(self, device_id: str, span: Span) -> Sequence[Taken]:
        """Of its events from a minute before to a minute after, the oldest first, at most 30. Raises NotNow."""
        if not self._photos_count:
            return []
        try:
            return await self._photos_near(device_id, Span(span.start - NEAR, span.end + NEAR))
        except StoreUnavailable as error:
            raise NotNow(f"the store cannot be read: {error}") from None

    async def _photos_near(self, device_id: str, span: Span) -> list[Taken]:
        found: list[Taken] = []
        for one in await self._events(device_id, span):
            found += [_taken(photo, one.event) for photo in await self._gateway.store.photos(one.seq)]
            if len(found) >= MOST_PHOTOS:
                break
        return found[:MOST_PHOTOS]

    async def _events(self, device_id: str, span: Span) -> Sequence[StoredEvent]:
        """That occurred then, the oldest first; sources may be late, and their clocks wrong."""
        found: list[StoredEvent] = []
        before: int | None = None
        for _ in range(MOST_PAGES):
            wanted = EventFilter(limit=PAGE, before=before, device_id=device_id, since=span.start - SLACK)
            page = await self._gateway.store.events(wanted)
            found += [one for one in page if span.start <= one.event.occurred_at <= span.end]
            if len(page) < PAGE:
                break
            before = page[-1].seq
        return sorted(found, key=lambda one: (one.event.occurred_at, one.seq))


def _taken(photo: Photo, event: Event) -> Taken:
    return Taken(photo.data, f"{EVENT_PHOTO} {photo.n} of {event.id}, {event.kind}", event.occurred_at)
