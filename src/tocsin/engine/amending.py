"""What comes late: actors, a classification, photos (interface.md 4, stations.md 1.4)."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from weakref import WeakValueDictionary

from msgspec.structs import replace

from tocsin.engine.areas import AreaTree
from tocsin.engine.contracts import PhotoIn, PhotoRefused
from tocsin.engine.intake import Door
from tocsin.engine.pump import Pump
from tocsin.engine.routing import Route, refusal
from tocsin.model.event import Actor, Event, Photo
from tocsin.model.kinds import Classification
from tocsin.store.contract import Store, StoredEvent

Changed = Callable[[Event], None]


class Amendments:
    """One addition after the other for each event, so that none undoes another. `changed` hears of each."""

    def __init__(
        self,
        store: Store,
        door: Door,
        areas: AreaTree,
        routes: Mapping[str, Route],
        pumps: Mapping[str, Pump],
        changed: Changed,
    ) -> None:
        self._store = store
        self._door = door
        self._areas = areas
        self._routes = routes
        self._pumps = pumps
        self._changed = changed
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        door.late_photos = self.add_photos

    async def classify(
        self, event_id: str, actors: tuple[Actor, ...] | None, classification: Classification | None
    ) -> StoredEvent | None:
        """Late actors; deliveries that waited for them go out. None if the event is not there."""
        async with self._alone(event_id):
            stored = await self._store.event(event_id)
            if stored is None:
                return None
            event = replace(
                stored.event,
                actors=stored.event.actors if actors is None else actors,
                classification=classification or stored.event.classification,
            )
            await self._amend(stored.seq, event)
            return StoredEvent(stored.seq, event)

    async def add_photos(
        self, event_id: str, photos: Sequence[PhotoIn], last: bool = False
    ) -> list[PhotoRefused] | None:
        """Late photos; `last`: nobody waits for more. None if the event is not there."""
        if await self._store.event(event_id) is None:
            return None
        good, refused = await self._door.vet(photos, 1)
        async with self._alone(event_id):
            stored = await self._store.event(event_id)
            if stored is None:
                return None
            before = stored.event.photos
            after = replace(stored.event, photos=before + len(good))
            if last and after.photos_expected > after.photos:
                after = replace(after, photos_expected=after.photos)
            if after != stored.event:
                await self._amend(stored.seq, after, [replace(photo, n=before + photo.n) for photo in good])
        return refused

    def _alone(self, event_id: str) -> asyncio.Lock:
        return self._locks.setdefault(event_id, asyncio.Lock())

    async def _amend(self, seq: int, event: Event, photos: Sequence[Photo] = ()) -> None:
        await self._store.amend(event, photos)
        for pump in self._pumps.values():
            pump.amended(seq, event)
        if event.classification == "done":
            await self._filter_again(seq, event)
            if event.photos >= event.photos_expected:
                for due in await self._store.unhold(event.id):
                    if due.key.destination in self._pumps:
                        self._pumps[due.key.destination].update(due)
        self._changed(event)

    async def _filter_again(self, seq: int, event: Event) -> None:
        """Now that it is classified, whoever still waits for it may turn out not to want it."""
        lineage = self._areas.lineage(event.place.area)
        for delivery in (await self._store.deliveries_of([seq])).get(seq, ()):
            route = self._routes.get(delivery.key.destination)
            if delivery.state == "held" and route is not None:
                reason = refusal(route.filter, event, lineage)
                if reason:
                    self._pumps[route.name].withdraw(delivery.key, reason)
