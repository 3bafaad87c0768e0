"""A system is read and watched by a real gateway, and a cloud behind real sockets knows what it has and how it is."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.engine.conftest import any_picture
from tests.inventory.conftest import RULES, ScriptedSystem, camera, state
from tests.inventory.test_forms import BRIEF_HEALTH, BRIEF_INVENTORY

from tocsin.destinations.cloud.destination import CloudDestination
from tocsin.destinations.cloud.settings import CloudSettings
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.backoff import Retry
from tocsin.engine.clock import LoopClock
from tocsin.engine.gateway import Gateway, GatewayParts, Member
from tocsin.engine.inventory.book import InventoryBook
from tocsin.model.delivery import Delivery
from tocsin.standins.cloud import CloudStandin, Demands
from tocsin.standins.web_service import Misbehaviour, Reply
from tocsin.store.contract import DeliveryFilter
from tocsin.store.open import open_inline_store
from tocsin.transports.sockets import SocketNetwork

TOKEN = Demands(token="sesame")
LATE = Misbehaviour(Reply(429, headers=(("Retry-After", "1"),)))


class Path:
    """A system, a gateway and a cloud; `received` is every request the cloud got."""

    def __init__(self, demands: Demands) -> None:
        self.received: list[dict[str, Any]] = []
        self.cloud = CloudStandin("127.0.0.1:0", self.received.append, LoopClock(), demands)
        self.system = ScriptedSystem()
        self.occurrences: list[Any] = []
        self.gateway: Gateway

    def known(self) -> list[str]:
        return [one.status for one in self.cloud.records.devices.values()]

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.01)

    async def begun(self) -> None:
        """Until the inventory was told twice: as it was read, and again with the first states."""
        await self.until(lambda: sum(one["key"][:4] == "inv:" and one["status"] == 200 for one in self.received) == 2)

    async def set_aside(self) -> list[Delivery]:
        """Until something was, and is written."""
        rejected = DeliveryFilter(destination="cloud", states=frozenset({"rejected"}))
        async with asyncio.timeout(20):
            while not (found := list(await self.gateway.store.deliveries(rejected))):
                await asyncio.sleep(0.01)
        return found

    async def state(self) -> tuple[str, str]:
        found = await self.gateway.destination("cloud")
        return found.state, found.reason


@asynccontextmanager
async def path(count: int, demands: Demands = TOKEN, *scripted: Misbehaviour, **given: Any) -> AsyncIterator[Path]:
    """A camera for each number from 1 on, all online."""
    made = Path(demands)
    made.cloud.web.scripted = list(scripted)
    port = await made.cloud.web.start()
    urls = {"inventory_url": f"http://127.0.0.1:{port}/inventory", "events_url": f"http://127.0.0.1:{port}/health"}
    settings = CloudSettings.model_validate({"name": "cloud", "token": "sesame", **urls, **given})
    store, clock, dice = open_inline_store(), LoopClock(), random.Random(1)
    await store.open()
    book = InventoryBook(store, clock)
    around = Surroundings(clock, dice, SocketNetwork(), lambda _: None, book=book)
    retry = Retry(first_s=0.05, longest_s=0.2)
    member = Member(CloudDestination(settings, around), "cloud", "", retry=retry, cloud=settings.is_cloud())
    parts = GatewayParts(store, clock, dice, made.occurrences.append, any_picture, book=book)
    made.gateway = Gateway("gw", parts, [member])
    made.system.listed = [camera(n) for n in range(1, count + 1)]
    made.system.now = [state(n, "online") for n in range(1, count + 1)]
    made.system.stream.put_nowait("new_session")
    made.gateway.systems.add(made.system, RULES)
    await made.gateway.start()
    work = asyncio.create_task(made.gateway.run(announce=False))
    try:
        yield made
    finally:
        await made.gateway.stop(announce=False)
        work.cancel()
        await asyncio.wait([work])
        await made.gateway.aclose()
        await store.aclose()
        await made.cloud.web.aclose()


async def test_what_a_system_has_and_a_camera_that_is_lost() -> None:
    async with path(2, TOKEN, LATE) as site:
        await site.until(lambda: site.known() == ["online", "online"])
        site.system.stream.put_nowait(state(2, "offline"))
        await site.until(lambda: site.known() == ["online", "offline"])
        assert site.received[0]["status"] == 429
        assert [one["problems"] for one in site.received] == [[]] * len(site.received)
        assert [one["key"][:4] for one in site.received][-1] == "evt:"
        for one in site.received:
            schema = BRIEF_INVENTORY if one["request"].endswith("inventory") else BRIEF_HEALTH
            schema.validate(one["said"])


async def test_scenario_16_patience_a_refusal_and_a_token_that_is_no_longer_good() -> None:
    demands = Demands(token="sesame", refused=())
    async with path(3, demands, LATE) as site:
        await site.begun()
        assert site.known() == ["online"] * 3
        late, again = [one for one in site.received if one["key"].startswith("inv:")][:2]
        assert after(late, again) >= timedelta(seconds=1), "as long as it asked for"
        site.cloud.demand(replace(demands, refused=("xp:camera:2",)))
        for n in (1, 2, 3):
            site.system.stream.put_nowait(state(n, "offline"))
        await site.until(lambda: site.known() == ["offline", "online", "offline"])
        (dead,) = await site.set_aside()
        assert (dead.queue, "xp:camera:2 is refused" in dead.reason) == ("xp:camera:2", True)
        site.cloud.demand(Demands(token="another"))
        for n in (1, 2, 3):
            site.system.stream.put_nowait(state(n, "online"))
        await site.until(lambda: site.received[-1]["status"] == 401)
        await site.until(lambda: site.gateway.live_state("cloud")[0] == "down")
        assert "Check token" in (await site.state())[1]
        site.cloud.demand(demands)
        await site.until(lambda: site.known() == ["online"] * 3)
        assert await site.set_aside() == [dead], "no item is lost to a wrong token"


def after(first: dict[str, Any], second: dict[str, Any]) -> timedelta:
    return datetime.fromisoformat(second["at"]) - datetime.fromisoformat(first["at"])


@pytest.mark.parametrize("count", [120])
async def test_many_at_once_go_together_and_the_one_that_is_refused_is_lost_alone(count: int) -> None:
    demands = Demands(token="sesame", several=True)
    async with path(count, demands, max_events=50) as site:
        await site.begun()
        site.cloud.demand(replace(demands, refused=("xp:camera:77",)))
        site.cloud.web.always = Misbehaviour(delay_s=0.02)
        before = len(site.received)
        for n in range(1, count + 1):
            site.system.stream.put_nowait(state(n, "offline"))
        await site.until(lambda: site.known().count("offline") == count - 1)
        assert [one.queue for one in await site.set_aside()] == ["xp:camera:77"]
        assert len(site.received) - before < count / 2
