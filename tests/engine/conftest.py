"""A real gateway over a real SQLite file, with scripted stations."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tocsin.engine.areas import AreaTree
from tocsin.engine.backoff import Retry
from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import Addressed, Attempt, CheckStep, PhotoIn, Rendered, Submission, Taken
from tocsin.engine.gateway import Gateway, GatewayParts, Member
from tocsin.engine.routing import Filter
from tocsin.engine.submission import EventIn, submission
from tocsin.model.delivery import Due, Receipt
from tocsin.model.device import Area, Device
from tocsin.model.event import Event, Photo
from tocsin.store.contract import Store
from tocsin.store.open import open_store
from tocsin.telemetry.record import Occurrence

Script = Callable[[Due, Attempt], Awaitable[Receipt]]


async def takes_it(due: Due, attempt: Attempt) -> Receipt:
    attempt.exchanged("station:1", "delivered", "frame", "ACK")
    return Receipt("station:1", "ACK")


class ScriptedStation:
    """A destination that does what the test says and remembers what it was given."""

    def __init__(self, name: str = "arc", concurrency: int = 4, supervision_s: float | None = None) -> None:
        self.name = name
        self.concurrency = concurrency
        self.supervision_s = supervision_s
        self.script: Script = takes_it
        self.seen: list[Due] = []
        self.under_way: dict[str, int] = {}
        self.polls = 0
        self.changed = asyncio.Event()
        self.no_address = ""

    def address(self, event: Event, device: Device | None) -> Addressed:
        if self.no_address:
            return Addressed(problem=self.no_address)
        account = event.device_id or "gateway"
        return Addressed(f"#{account}", account, "the destination's default", counter=account)

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        return [Rendered("frame", due.event.kind.encode())]

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        assert due.queue not in self.under_way, "two of one queue at once"
        self.under_way[due.queue] = due.number
        try:
            receipt = await self.script(due, attempt)
        finally:
            del self.under_way[due.queue]
        self.seen.append(due)
        self.changed.set()
        return receipt

    async def supervise(self, attempt: Attempt) -> Receipt:
        self.polls += 1
        self.changed.set()
        return Receipt("station:1", "ACK")

    async def check(self) -> Sequence[CheckStep]:
        return []

    def hosts_in_use(self) -> str:
        return "station:1"

    async def aclose(self) -> None:
        return

    async def until(self, holds: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until it holds, looking after each delivery."""
        async with asyncio.timeout(seconds):
            while not holds():
                self.changed.clear()
                await self.changed.wait()

    def kinds(self) -> list[str]:
        return [due.event.kind for due in self.seen]


class House:
    """A running gateway and the ways a test uses it."""

    def __init__(self, gateway: Gateway, store: Store, occurrences: list[Occurrence]) -> None:
        self.gateway = gateway
        self.store = store
        self.occurrences = occurrences

    async def post(self, kind: str = "motion", device: str = "d1", **fields: Any) -> Taken:
        given = EventIn(kind=kind, device_id=device, **fields)  # type: ignore[arg-type]
        return await self.gateway.intake.accept(submission(given, "detectors", self.gateway.clock.now()))

    async def hand_in(self, given: Submission) -> Taken:
        return await self.gateway.intake.accept(given)

    async def states(self, taken: Taken) -> dict[str, str]:
        found = await self.store.deliveries_of([taken.seq])
        return {one.key.destination: one.state for one in found[taken.seq]}

    async def settles(self, taken: Taken, destination: str, state: str) -> None:
        """Until the outbox says so."""
        async with asyncio.timeout(10):
            while (await self.states(taken))[destination] != state:
                await asyncio.sleep(0.005)


async def any_picture(picture: PhotoIn) -> bytes | str:
    return picture.data if picture.data.startswith(b"\xff\xd8") else "it does not begin like a JPEG"


Open = Callable[..., Any]


@pytest.fixture
def house(tmp_path: Path) -> Open:
    """`async with house([stations], …) as h`: twice with the same folder is a restart."""

    @asynccontextmanager
    async def opened(
        stations: Sequence[ScriptedStation],
        filters: dict[str, Filter] | None = None,
        retry: Retry | None = None,
        hold_s: float = 10.0,
        announce: bool = False,
        links: Sequence[str] = (),
        says_test: Sequence[str] = (),
        **more: Any,
    ) -> AsyncIterator[House]:
        occurrences: list[Occurrence] = []
        async with AsyncExitStack() as stack:
            store = open_store(tmp_path / "tocsin.db")
            await store.open()
            stack.push_async_callback(store.aclose)
            members = [
                Member(
                    station,
                    "scripted",
                    "Scripted",
                    (filters or {}).get(station.name, Filter()),
                    retry or Retry(first_s=0.01),
                    hold_s,
                    wants_photos=True,
                    links=station.name in links,
                    says_test=station.name in says_test,
                )
                for station in stations
            ]
            parts = GatewayParts(store, LoopClock(), random.Random(1), occurrences.append, any_picture)
            areas = AreaTree([Area("North"), Area("Depot", "North")])
            gateway = Gateway("test", parts, members, areas, [Device("d1", "Cam", area="Depot")], **more)
            await gateway.start()
            work = asyncio.create_task(gateway.run(announce))
            try:
                yield House(gateway, store, occurrences)
                await gateway.stop(announce)
            finally:
                work.cancel()
                await asyncio.wait([work])

    return opened
