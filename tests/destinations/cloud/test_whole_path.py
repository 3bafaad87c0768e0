"""A system is read and watched by a real gateway, and a cloud behind real sockets knows what it has and how it is."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.engine.conftest import any_picture
from tests.inventory.conftest import RULES, ScriptedSystem, camera, state

from tocsin.destinations.cloud.destination import CloudDestination
from tocsin.destinations.cloud.settings import CloudSettings
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.clock import LoopClock
from tocsin.engine.gateway import Gateway, GatewayParts, Member
from tocsin.engine.inventory.book import InventoryBook
from tocsin.standins.cloud import CloudStandin, Demands
from tocsin.standins.web_service import Misbehaviour, Reply
from tocsin.store.open import open_inline_store
from tocsin.transports.sockets import SocketNetwork


@pytest.fixture
async def cloud() -> AsyncIterator[tuple[CloudStandin, int, list[dict[str, Any]]]]:
    received: list[dict[str, Any]] = []
    made = CloudStandin("127.0.0.1:0", received.append, LoopClock(), Demands(token="sesame"))
    made.web.scripted = [Misbehaviour(Reply(429, headers=(("Retry-After", "0"),)))]
    yield made, await made.web.start(), received
    await made.web.aclose()


async def test_what_a_system_has_and_a_camera_that_is_lost(
    cloud: tuple[CloudStandin, int, list[dict[str, Any]]],
) -> None:
    standin, port, received = cloud
    urls = {"inventory_url": f"http://127.0.0.1:{port}/inventory", "events_url": f"http://127.0.0.1:{port}/health"}
    settings = CloudSettings.model_validate({"name": "cloud", "token": "sesame", **urls})
    store, clock, dice = open_inline_store(), LoopClock(), random.Random(1)
    await store.open()
    book = InventoryBook(store, clock)
    around = Surroundings(clock, dice, SocketNetwork(), lambda _: None, book=book)
    member = Member(CloudDestination(settings, around), "cloud", "", cloud=settings.is_cloud())
    gateway = Gateway("gw", GatewayParts(store, clock, dice, lambda _: None, any_picture, book=book), [member])
    system = ScriptedSystem(camera(1), camera(2))
    system.now = [state(1, "online"), state(2, "online")]
    system.stream.put_nowait("new_session")
    gateway.systems.add(system, RULES)
    await gateway.start()
    work = asyncio.create_task(gateway.run(announce=False))
    known = standin.records.devices
    try:
        async with asyncio.timeout(20):
            while [one.status for one in known.values()] != ["online", "online"]:
                await asyncio.sleep(0.01)
            system.stream.put_nowait(state(2, "offline"))
            while known["xp:camera:2"].status != "offline":
                await asyncio.sleep(0.01)
    finally:
        await gateway.stop(announce=False)
        work.cancel()
        await asyncio.wait([work])
        await gateway.aclose()
        await store.aclose()
    assert known["xp:camera:1"].status == "online"
    assert received[0]["status"] == 429
    assert [one["problems"] for one in received] == [[]] * len(received)
    assert [one["key"][:4] for one in received][-1] == "evt:"
