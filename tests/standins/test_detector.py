"""The stand-in detector against a real HTTP server: real JPEGs, the same id until it is acknowledged."""

import io
import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web
from PIL import Image

from tocsin.engine.clock import LoopClock
from tocsin.engine.submission import read_event
from tocsin.standins.detector import Plan, send


class Gateway:
    """Answers with the given statuses, then 202; keeps what came."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.events: list[dict[str, Any]] = []
        self.photos: list[bytes] = []
        self.tokens: list[str] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.tokens.append(request.headers.get("Authorization", ""))
        async for part in await request.multipart():
            data = await part.read()
            if part.name == "event":
                read_event(data)
                self.events.append(msgspec.json.decode(data))
            else:
                self.photos.append(data)
        status = self.statuses.pop(0) if self.statuses else 202
        return web.json_response({"id": self.events[-1]["id"]}, status=status)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    found = Gateway()
    app = web.Application()
    app.router.add_post("/api/v1/events", found.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield found
    await runner.cleanup()


async def sent(gateway: Gateway, plan: Plan) -> list[dict[str, Any]]:
    reports: list[dict[str, Any]] = []
    plan = msgspec.structs.replace(plan, retry_s=0)
    await send(gateway.url, reports.append, LoopClock(), random.Random(7), plan, "secret-token")
    return reports


async def test_events_are_what_the_gateway_reads_and_photos_are_jpegs(gateway: Gateway) -> None:
    reports = await sent(gateway, Plan(("a", "b"), 0, 6, photos=2))
    assert [report["status"] for report in reports] == [202] * 6
    assert [event["kind"] for event in gateway.events] == [
        *("motion", "motion", "motion", "tamper", "routine_check", "battery_low")
    ]
    assert [event["device_id"] for event in gateway.events] == ["a", "b"] * 3
    assert set(gateway.tokens) == {"Bearer secret-token"}
    assert len(gateway.photos) == 8
    for photo in gateway.photos:
        assert len(photo) < 40_000
        with Image.open(io.BytesIO(photo)) as image:
            image.load()
            assert (image.format, image.size) == ("JPEG", (640, 480))


async def test_an_event_keeps_its_id_until_it_is_acknowledged(gateway: Gateway) -> None:
    gateway.statuses = [503]
    reports = await sent(gateway, Plan(("a",), 0, 1))
    assert [report["status"] for report in reports] == [503, 202]
    assert len({event["id"] for event in gateway.events}) == 1


async def test_a_refused_event_is_reported_and_left(gateway: Gateway) -> None:
    gateway.statuses = [422]
    reports = await sent(gateway, Plan(("a",), 0, 2))
    assert [report["status"] for report in reports] == [422, 202]
    assert len({event["id"] for event in gateway.events}) == 2
