"""A system that does what a test says, watched by a real gateway on virtual time over a real store."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
from tests.engine.conftest import ScriptedStation, any_picture
from tests.engine.virtual_house import SetClock

from tocsin.engine.backoff import Retry
from tocsin.engine.contracts import CheckStep, Intake
from tocsin.engine.gateway import Gateway, GatewayParts, Member
from tocsin.engine.inventory.rules import HealthRules, SystemRules
from tocsin.engine.inventory.systems import Wish
from tocsin.engine.systems import Frame, NotSupported, Span, SystemFault
from tocsin.model.canonical import KeptDevice, Run
from tocsin.model.event import HealthNotice, InventoryNotice
from tocsin.model.inventory import FoundDevice, FoundState, Marker, Note
from tocsin.store.contract import Store
from tocsin.store.open import open_inline_store
from tocsin.telemetry.record import Occurrence

CUSTOMER = "acct-4410"
CLOUD_RETRY = Retry(longest_s=300.0, expire_s=7 * 86400.0)
RULES = SystemRules("xp", "scripted", CUSTOMER)


def camera(key: int | str, **facts: object) -> FoundDevice:
    given = {"name": f"Camera {key}", "type": "camera", **facts}
    return FoundDevice("camera", str(key), **given)  # type: ignore[arg-type]


def state(key: int | str, what: str, **facts: object) -> FoundState:
    return FoundState("camera", str(key), what, **facts)  # type: ignore[arg-type]


class ScriptedSystem:
    """engine.systems.System. `listed` is its inventory; an exception in it is raised there."""

    name = "xp"
    type = "scripted"
    capabilities = frozenset({"inventory", "baseline", "events"})

    def __init__(self, *listed: FoundDevice | Note | Exception) -> None:
        self.listed: list[FoundDevice | Note | Exception] = list(listed)
        self.now: list[FoundState] = []
        self.stream: asyncio.Queue[FoundState | Marker | Exception] = asyncio.Queue()
        self.readings = 0
        self.baselines = 0
        self.reading_takes_s = 0.0
        self.baseline_takes_s = 0.0
        self.down: SystemFault | None = None
        self.closed = False

    async def check(self) -> Sequence[CheckStep]:
        return []

    async def devices(self) -> AsyncIterator[FoundDevice | Note]:
        self.readings += 1
        await asyncio.sleep(self.reading_takes_s)
        for one in [*([self.down] if self.down else []), *self.listed]:
            if isinstance(one, Exception):
                raise one
            yield one

    async def baseline(self) -> AsyncIterator[FoundState]:
        self.baselines += 1
        found = list(self.now)
        await asyncio.sleep(self.baseline_takes_s)
        if self.down:
            raise self.down
        for one in found:
            yield one

    async def states(self) -> AsyncIterator[FoundState | Marker]:
        while True:
            one = await self.stream.get()
            if isinstance(one, Exception):
                raise one
            yield one

    async def alarms(self, intake: Intake) -> None:
        raise NotSupported("no alarms")

    async def photo(self, native_key: str, at: datetime | None = None) -> bytes:
        raise NotSupported("no pictures")

    async def recordings(self, native_key: str, span: Span) -> Sequence[Span]:
        raise NotSupported("no recordings")

    async def extents(self, native_keys: Sequence[str]) -> AsyncIterator[tuple[str, Span]]:
        nothing: tuple[tuple[str, Span], ...] = ()
        for one in nothing:
            yield one

    def export(self, native_key: str, span: Span) -> AsyncIterator[Frame]:
        raise NotSupported("no recordings")

    async def command(self, kind: str, native_key: str, order: str) -> str:
        raise NotSupported("no orders")

    async def aclose(self) -> None:
        self.closed = True


class Site:
    """A gateway with one system and one cloud."""

    def __init__(self, gateway: Gateway, system: ScriptedSystem, cloud: ScriptedStation, store: Store) -> None:
        self.gateway = gateway
        self.system = system
        self.cloud = cloud
        self.store = store
        self.occurrences: list[Occurrence] = []

    async def run(self, **wish: object) -> Run:
        """A run from now to its end."""
        asked, _ = await self.gateway.systems.sync("xp", Wish(fresh=True, **wish))  # type: ignore[arg-type]
        return await self.ended(asked.id)

    async def ended(self, run_id: str) -> Run:
        async with asyncio.timeout(3600):
            while not ((run := await self.gateway.systems.run(run_id)) and run.ended):
                await asyncio.sleep(0.01)
        return run

    async def first_run(self) -> Run:
        await self.until(lambda: self.system.readings > 0)
        (run,) = await self.store.runs("xp", 1)
        return await self.ended(run.id)

    async def until(self, holds: Callable[[], bool], seconds: float = 60.0) -> None:
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.05 if seconds <= 600 else 1.0)

    async def passes(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def kept(self) -> dict[str, KeptDevice]:
        return {one.record.native_key: one for one in await self.gateway.systems.book.of_system("xp")}

    async def alive(self) -> list[str]:
        return sorted(key for key, one in (await self.kept()).items() if one.removal is None)

    def told(self) -> list[tuple[str, str]]:
        """Health events as the cloud got them: native key and status."""
        notices = [(due.event.device_id.split(":")[-1], due.event.notice) for due in self.cloud.seen]
        return [(key, notice.status) for key, notice in notices if isinstance(notice, HealthNotice)]

    def inventories(self) -> list[InventoryNotice]:
        return [one.event.notice for one in self.cloud.seen if isinstance(one.event.notice, InventoryNotice)]


async def opened() -> Store:
    store = open_inline_store()
    await store.open()
    return store


@asynccontextmanager
async def site(
    clock: SetClock,
    system: ScriptedSystem,
    rules: SystemRules = RULES,
    store: Store | None = None,
    stations: Sequence[ScriptedStation] = (),
    most: int = 0,
    cloud: ScriptedStation | None = None,
    wants_photos: bool = False,
    **parts: Any,
) -> AsyncIterator[Site]:
    """`most`: how many deliveries to the cloud may wait. Left by an exception, it is killed: nothing is stopped."""
    kept = store or await opened()
    cloud = cloud or ScriptedStation("cloud", concurrency=100)
    occurrences: list[Occurrence] = []
    members = [
        Member(cloud, "cloud", "", retry=CLOUD_RETRY, cloud=True, most=most),
        *(Member(one, "scripted", "", wants_photos=wants_photos) for one in stations),
    ]
    given = GatewayParts(kept, clock, random.Random(1), occurrences.append, any_picture, **parts)
    gateway = Gateway("test", given, members)
    gateway.systems.add(system, rules)
    await gateway.start()
    work = asyncio.create_task(gateway.run(announce=False))
    found = Site(gateway, system, cloud, kept)
    found.occurrences = occurrences
    try:
        yield found
        await gateway.stop(announce=False)
    finally:
        work.cancel()
        await asyncio.wait([work])
        await gateway.aclose()
        if store is None:
            await kept.aclose()
    if not work.cancelled() and work.exception() is not None:
        raise work.exception()  # type: ignore[misc]


def health(**said: object) -> SystemRules:
    return msgspec.structs.replace(RULES, health=HealthRules(**said))  # type: ignore[arg-type]


MINUTE = timedelta(minutes=1)
