"""What `check`, `render` and `explain` need of a gateway that does not run: destinations and routing, no store."""

import random
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Protocol, cast

from msgspec.structs import replace

from tocsin.app.settings import Configuration
from tocsin.config.modes import type_key
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.areas import AreaTree
from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import ORIGIN_OWN, CheckStep, Clock, Destination, PhotoIn, Rejected, Rendered
from tocsin.engine.devices import DeviceBook
from tocsin.engine.intake import Door, IntakeParts
from tocsin.engine.routing import Route, Verdict
from tocsin.engine.sheet import Sheet
from tocsin.engine.submission import read_event, submission
from tocsin.model.delivery import DeliveryKey, Due
from tocsin.model.event import Address, Event, Photo, Place
from tocsin.model.ids import ulid
from tocsin.model.kinds import Kind, lane_of
from tocsin.store.contract import Store
from tocsin.telemetry.record import Occurrence
from tocsin.transports.contract import Network
from tocsin.transports.sockets import SocketNetwork

_PANELS: tuple[Kind, ...] = ("burglary", "tamper", "routine_check", "armed")
"""Kinds with which a destination is asked about a panel, until it wants one."""


class BuildableType(Protocol):
    """A destination type, as far as building needs it."""

    @property
    def build(self) -> Any: ...


class Offline:
    """One configuration put together. Nothing listens, nothing is kept; only `check` touches the network."""

    def __init__(
        self,
        settings: Configuration,
        types: Mapping[str, BuildableType],
        clock: Clock | None = None,
        network: Network | None = None,
    ) -> None:
        self._clock = clock or LoopClock()
        areas = AreaTree((entry.area() for entry in settings.areas), settings.gateway.time_zone)
        around = Surroundings(
            clock=self._clock,
            randomness=random.SystemRandom(),
            network=network or SocketNetwork(),
            record=_unrecorded,
            gateway=settings.gateway.name,
            public_url=settings.gateway.public_url,
            time_zone=settings.gateway.time_zone,
            area_address=areas.address,
        )
        # The store is only asked when devices are written, which nobody does here.
        no_store = cast("Store", None)
        self.devices = DeviceBook(no_store, areas, [entry.device() for entry in settings.devices])
        self.destinations: dict[str, Destination] = {
            entry.name: types[type_key(types, entry.type, getattr(entry, "mode", ""))].build(entry, around)
            for entry in settings.destinations
        }
        routes = [self._route(entry) for entry in settings.destinations]
        parts = IntakeParts(
            no_store, self._clock, self._new_id, _unrecorded, self.devices, _as_it_is, lambda _: None, lambda _: None
        )
        self._door = Door(parts, routes)
        self.sheet = Sheet(
            self.devices, self._clock, [(route, self.destinations[route.name].address) for route in routes]
        )

    def _route(self, entry: Any) -> Route:
        destination = self.destinations[entry.name]
        return Route(
            entry.name,
            entry.filter.rule(),
            lambda event: destination.address(event, self.devices.get(event.device_id)),
            entry.hold_s(),
            entry.wants_photos(),
        )

    def _new_id(self) -> str:
        return ulid(int(self._clock.now().timestamp() * 1000), random.SystemRandom().getrandbits(80))

    def event(self, data: bytes, source: str) -> tuple[Event, list[Photo]]:
        """The event of JSON bytes as it would be kept, with its photos. Raises Refused."""
        given = submission(read_event(data), source, self._clock.now())
        photos = [
            Photo(n, part.data, sha256(part.data).hexdigest(), part.content_type)
            for n, part in enumerate(given.photos, start=1)
        ]
        event = replace(given.event, id=given.event.id or self._new_id(), photos=len(photos))
        return self.complete(event), photos

    def complete(self, event: Event) -> Event:
        """The event with what the configuration says of its device."""
        return self._door.complete(event)

    def explain(self, event: Event) -> list[Verdict]:
        """Every destination's verdict, in the order of the configuration."""
        return self._door.explain(event)

    def area_problem(self, name: str, area: str) -> str:
        """Why one destination could not be told of an area's events under the area's own address; empty if it could."""
        return self.destinations[name].address(self._probe("alarm", area), None).problem

    def panel_problems(self, source: str, account: str, area: str) -> Iterator[tuple[str, str]]:
        """The destinations that take a panel's own number but cannot send this one, each with why."""
        told: set[str] = set()
        for kind in _PANELS:
            made = self.complete(replace(self._probe(kind, area), source=source, address=Address(account)))
            for verdict in self.explain(made):
                if verdict.yes and verdict.destination not in told:
                    told.add(verdict.destination)
                    if verdict.addressed.problem and verdict.addressed.origin == ORIGIN_OWN:
                        yield verdict.destination, verdict.addressed.problem
            if len(told) == len(self.destinations):
                return

    def _probe(self, kind: Kind, area: str) -> Event:
        now = self._clock.now()
        return Event("probe", kind, now, now, "probe", place=Place(area=area))

    def render(self, name: str, event: Event, photos: Sequence[Photo]) -> Sequence[Rendered]:
        """The exact bytes for one destination, whatever its filter says. Raises KeyError, Rejected."""
        destination = self.destinations[name]
        addressed = destination.address(event, self.devices.get(event.device_id))
        if addressed.problem:
            raise Rejected(addressed.problem)
        number = 1 if addressed.counter else 0
        due = Due(DeliveryKey(1, name), lane_of(event.kind), addressed.address, addressed.queue, number, event)
        return destination.render(due, photos)

    async def check(self, name: str) -> Sequence[CheckStep]:
        """Connect to one destination, step by step. Raises KeyError."""
        destination = self.destinations[name]
        try:
            return await destination.check()
        finally:
            await destination.aclose()


def _unrecorded(occurrence: Occurrence, /) -> None:
    """Nobody counts what does not run."""


async def _as_it_is(picture: PhotoIn) -> bytes | str:
    return picture.data
