"""The live stream: changes as they happen, for those who may see them, until the gateway stops."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from serving import Served, served

from tocsin.api.access import Access, Token, digest
from tocsin.api.limits import Limits


@asynccontextmanager
async def reading(gw: Served, **headers: str) -> AsyncIterator[asyncio.StreamReader]:
    async with gw.http.get("/api/v1/stream", headers=headers) as answer:
        assert answer.content_type == "text/event-stream"
        assert await answer.content.readuntil(b"\n\n") == b": connected\n\n"
        await gw.until(lambda: watched(gw))
        yield answer.content  # type: ignore[misc]


async def watched(gw: Served) -> bool:
    return gw.gateway.hub.watched


async def following(stream: asyncio.StreamReader) -> tuple[str, dict[str, Any]]:
    async with asyncio.timeout(10):
        while True:
            frame = (await stream.readuntil(b"\n\n")).decode()
            if not frame.startswith(":"):
                name, data = frame.strip().split("\n")
                return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def test_an_event_its_delivery_and_the_destination_are_told(tmp_path: Path) -> None:
    async with served(tmp_path) as gw, reading(gw) as stream:
        taken = await gw.post()
        assert await following(stream) == (
            "event",
            {
                "id": taken["id"],
                "seq": 1,
                "kind": "motion",
                "state": "new",
                "device_id": "d1",
                "area": "Depot",
                "destinations": ["arc"],
            },
        )
        name, device = await following(stream)
        assert (name, device["id"], device["status"]) == ("device", "d1", "unknown")
        assert device["last_contact"] is not None, "its first sign of life"
        name, delivery = await following(stream)
        assert (name, delivery["state"]) == ("delivery", "delivered")
        await gw.gateway.pause("arc", "eva")
        assert await following(stream) == ("destination", {"id": "arc", "state": "paused", "reason": "paused by hand"})


async def test_a_heart_beats_while_nothing_happens(tmp_path: Path) -> None:
    async with served(tmp_path, limits=Limits(heartbeat_s=0.02)) as gw, reading(gw) as stream:
        assert await stream.readuntil(b"\n\n") == b": heartbeat\n\n"


async def test_a_narrowed_reader_hears_only_of_its_own(tmp_path: Path) -> None:
    north = Token("north", frozenset({"read"}), frozenset({"North"}), digest=digest("n"))
    boss = Token("boss", frozenset({"admin"}), digest=digest("b"))
    async with (
        served(tmp_path, access=Access((north, boss)), headers={"authorization": "Bearer b"}) as gw,
        reading(gw, authorization="Bearer n") as stream,
    ):
        for device in ("d2", "d1"):
            taken = await gw.post("tamper", device)
            await gw.settles(taken["id"], "arc", "delivered")
        assert (await following(stream))[1]["device_id"] == "d1"
        assert (await following(stream))[1]["id"] == "d1", "heard for the first time"
        assert (await following(stream))[1]["id"] == "2.arc"


async def test_readers_are_counted_and_bounded(tmp_path: Path) -> None:
    async with served(tmp_path, limits=Limits(streams=1)) as gw:
        async with reading(gw), gw.http.get("/api/v1/stream") as answer:
            assert answer.status == 429
        await gw.until(lambda: _not(watched(gw)))
        async with reading(gw):
            pass


async def _not(held: Any) -> bool:
    return not await held


async def test_open_streams_end_when_the_server_stops(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        async with served(tmp_path) as gw:
            answer = await http.get(f"{gw.url}/api/v1/stream")
            await gw.until(lambda: watched(gw))
        async with asyncio.timeout(10):
            assert await answer.read() == b": connected\n\n"
