"""The commanded side of the stand-in detector, against a real HTTP server that plays the gateway."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from tocsin.standins.armed import ArmedDevices
from tocsin.standins.commanded import obey

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def order(number: int, what: str, **facts: Any) -> dict[str, Any]:
    given = {"audio": "", "duration_s": None, "until": None, "no_time_limit": False}
    return {"id": f"C{number}", "order": what, **given, "requested_at": "", "expires_at": "", **facts}


class Gateway:
    """Hands out the orders given to it, one list per poll; then it waits."""

    def __init__(self) -> None:
        self.polls: asyncio.Queue[list[dict[str, Any]]] = asyncio.Queue()
        self.results: asyncio.Queue[tuple[str, dict[str, str]]] = asyncio.Queue()
        self.asked: list[str] = []
        self.url = ""

    async def fetch(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.path_qs} {request.headers.get('Authorization', '')}")
        return web.json_response({"items": await self.polls.get()})

    async def result(self, request: web.Request) -> web.Response:
        self.results.put_nowait((request.match_info["id"], given := await request.json()))
        return web.json_response({"state": given["state"]})


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    found = Gateway()
    app = web.Application()
    app.router.add_get("/api/v1/devices/{device}/commands", found.fetch)
    app.router.add_post("/api/v1/commands/{id}/result", found.result)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


async def answered(gateway: Gateway, armed: ArmedDevices, *polls: list[dict[str, Any]], refuse: str = "") -> list[Any]:
    """What one device says to the orders of these polls."""
    for poll in polls:
        gateway.polls.put_nowait(poll)
    obeying = asyncio.create_task(obey(gateway.url, lambda _: None, ("d1",), armed, "secret", None, refuse))
    try:
        async with asyncio.timeout(10):
            return [await gateway.results.get() for poll in polls for _ in poll]
    finally:
        obeying.cancel()
        await asyncio.wait([obeying])


async def test_orders_are_carried_out_and_answered(gateway: Gateway) -> None:
    armed = ArmedDevices(lambda: NOW)
    until = (NOW + timedelta(hours=1)).isoformat()
    polls = [
        [order(1, "siren", audio="leave", duration_s=5), order(2, "stop_siren")],
        [order(3, "disarm", until=until)],
    ]
    assert await answered(gateway, armed, *polls) == [
        ("C1", {"state": "confirmed", "text": "sounding leave for 5 s"}),
        ("C2", {"state": "confirmed", "text": "silent"}),
        ("C3", {"state": "confirmed", "text": "disarmed"}),
    ]
    assert not armed.is_armed("d1")
    assert gateway.asked[0] == "/api/v1/devices/d1/commands?wait=30 Bearer secret"
    await answered(gateway, armed, [order(4, "arm")])
    assert armed.is_armed("d1")


async def test_what_comes_twice_is_done_once_and_answered_twice(gateway: Gateway) -> None:
    armed = ArmedDevices(lambda: NOW)
    polls = [[order(1, "disarm")], [order(2, "arm")], [order(1, "disarm")]]
    assert [command for command, _ in await answered(gateway, armed, *polls)] == ["C1", "C2", "C1"]
    assert armed.is_armed("d1")


async def test_it_fails_with_the_words_it_was_given(gateway: Gateway) -> None:
    armed = ArmedDevices(lambda: NOW)
    assert await answered(gateway, armed, [order(1, "disarm")], refuse="jammed") == [
        ("C1", {"state": "failed", "text": "jammed"})
    ]
    assert armed.is_armed("d1")


def test_a_disarm_ends_by_itself() -> None:
    now = [NOW]
    armed = ArmedDevices(lambda: now[0])
    armed.disarm("d1", (NOW + timedelta(hours=1)).isoformat())
    armed.disarm("d2", None)
    assert [armed.is_armed(device) for device in ("d1", "d2", "d3")] == [False, False, True]
    now[0] += timedelta(hours=1)
    assert [armed.is_armed(device) for device in ("d1", "d2", "d3")] == [True, False, True]
