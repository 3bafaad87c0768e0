"""Where destinations of a type stand beside stand-ins of its stations."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from random import Random
from typing import Any, Protocol, TypeVar

from msgspec.structs import replace

from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import Attempt, Destination
from tocsin.model.delivery import DeliveryKey, Due
from tocsin.model.event import Address, Event, Photo, Place
from tocsin.model.kinds import lane_of
from tocsin.standins.web_service import Misbehaviour, WebService
from tocsin.telemetry.record import Occurrence
from tocsin.transports.sockets import SocketNetwork


class _Closable(Protocol):
    async def aclose(self) -> None: ...


Closable = TypeVar("Closable", bound=_Closable)


class Bench(AsyncExitStack):
    """Closes, with itself, what was made on it. `received`: what the stand-ins were told."""

    def __init__(self, surroundings: Surroundings) -> None:
        super().__init__()
        self.surroundings = surroundings
        self.received: list[dict[str, Any]] = []

    def closes(self, made: Closable) -> Closable:
        self.push_async_callback(made.aclose)
        return made

    async def serve(self, web: WebService, *scripted: Misbehaviour) -> int:
        """The port of a stand-in that answers so first."""
        web.scripted = list(scripted)
        return await self.closes(web).start()


class LineBench(Bench):
    """In real time, with deliveries made from the event of a panel."""

    def __init__(self, event: Event) -> None:
        self.occurrences: list[Occurrence] = []
        super().__init__(Surroundings(LoopClock(), Random(7), SocketNetwork(), self.occurrences.append))
        self._event = event

    @property
    def clock(self) -> Any:
        return self.surroundings.clock

    @clock.setter
    def clock(self, clock: Any) -> None:
        """For the destinations made from now on."""
        self.surroundings = replace(self.surroundings, clock=clock)

    def event(self, **changes: Any) -> Event:
        return replace(self._event, **changes)

    def due(self, destination: Destination, event: Event | None = None, number: int = 1) -> Due:
        event = event or self._event
        where = destination.address(event, None)
        assert not where.problem
        return Due(DeliveryKey(number, "arc"), lane_of(event.kind), where.address, where.queue, number, event)

    def attempt(self, *photos: Photo) -> Attempt:
        async def load(_: int) -> Sequence[Photo]:
            return photos

        return Attempt(self.clock, load, 1)


def panel_event(at: datetime, place: str) -> Event:
    where = Place(name=place, area="North depot")
    return Event("01JNF0000000000000000000AA", "burglary", at, at, "panels", place=where, address=ADDRESS)


ADDRESS = Address("6F01", "2", "17")


def results(attempt: Attempt) -> list[str]:
    return [exchange.result for exchange in attempt.exchanges]
