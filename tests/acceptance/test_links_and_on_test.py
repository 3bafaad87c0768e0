"""An event's login-free page and areas on test, as the real program does them: over the wire, restarted, by command."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from tests.acceptance.conftest import Program
from tests.acceptance.test_failover import station

from tocsin.engine.clock import LoopClock
from tocsin.standins.webhook import WebhookStandin

CONFIGURATION = """
[gateway]
public_url = "http://127.0.0.1:API_PORT"
[api]
listen = "127.0.0.1:API_PORT"
[[areas]]
name = "North depot"
time_zone = "Europe/Tallinn"
[[devices]]
id = "d1"
name = "Gate camera"
area = "North depot"
description = "SIA:#9280-001"
[[destinations]]
name = "arc"
type = "dc09"
hosts = ["127.0.0.1:STATION"]
account = "9280"
supervision = "off"
links = true
[[destinations]]
name = "hook"
type = "webhook"
url = "http://127.0.0.1:HOOK/alarms"
"""


@asynccontextmanager
async def hook() -> AsyncIterator[tuple[list[dict[str, Any]], str]]:
    seen: list[dict[str, Any]] = []
    receiver = WebhookStandin("127.0.0.1:0", seen.append, LoopClock())
    port = await receiver.start()
    try:
        yield seen, str(port)
    finally:
        await receiver.aclose()


async def opened(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def posted(tocsin: Program, kind: str, **more: Any) -> str:
    status, answer = await tocsin.post("/api/v1/events", json={"kind": kind, "device_id": "d1", **more})
    assert status == 202
    event_id: str = answer["id"]
    await tocsin.until(f"/api/v1/events/{event_id}", lambda one: all(d["state"] in ("delivered", "filtered")
                                                                     for d in one["deliveries"]))  # fmt: skip
    return event_id


async def test_the_station_gets_a_page_that_survives_a_restart_and_can_be_revoked(
    program: Callable[[str], Program],
) -> None:
    async with station() as (arc, port), hook() as (_, hook_port):
        tocsin = program(CONFIGURATION.replace("STATION", str(port)).replace("HOOK", hook_port))
        async with tocsin.running():
            own = "https://camera.example.net/7"
            event_id = await posted(tocsin, "motion", url=own, actors=[{"class": "person", "confidence": 0.93}])
            (message,) = [one for one in arc.messages if "BA" in json.dumps(one, default=str)]
            found = re.search(r"http://127\.0\.0\.1:\d+/e/[A-Za-z0-9_-]{32}", json.dumps(message, default=str))
            assert found is not None, message
            url = found[0]
            assert own in json.dumps(message, default=str)
            trace = await tocsin.get(f"/api/v1/events/{event_id}/deliveries/hook/trace")
            assert own in trace["exchanges"][0]["sent"]
            assert "/e/" not in trace["exchanges"][0]["sent"], "plain HTTP is told no link unless it is asked for"
            status, text = await opened(url)
            assert (status, "Person detected" in text, "Gate camera" in text) == (200, True, True), tocsin.log()
        async with tocsin.running():
            assert (await opened(url))[0] == 200
            code, said = await tocsin.call("links", event_id)
            assert (code, said.split()[:2]) == (0, [url, "valid"])
            code, said = await tocsin.call("links", event_id, "--revoke")
            assert (code, said.split()[:2]) == (0, [url, "revoked"])
            assert (await opened(url))[0] == 410
            assert (await opened(url[:-1] + ("A" if url[-1] != "A" else "B")))[0] == 404
            code, said = await tocsin.call("links", event_id, "--revoke")
            assert (code, "revoked already" in said) == (1, True)


async def test_an_area_on_test_over_a_restart_until_it_ends_by_itself(program: Callable[[str], Program]) -> None:
    async with station() as (arc, port), hook() as (told, hook_port):
        tocsin = program(CONFIGURATION.replace("STATION", str(port)).replace("HOOK", hook_port))
        async with tocsin.running():
            assert (await tocsin.call("ontest"))[1] == "nothing is on test\n"
            code, said = await tocsin.call("ontest", "North depot", "--for", "2h")
            assert (code, "say how long and why" in said) == (2, True)
            code, said = await tocsin.call("ontest", "North depo", "--for", "2h", "--why", "x")
            assert (code, "no area 'North depo'" in said) == (1, True)
            code, said = await tocsin.call("ontest", "North depot", "--for", "2h", "--why", "battery change")
            assert (code, said.startswith("North depot is on test until")) == (0, True)
            event = await tocsin.get(f"/api/v1/events/{await posted(tocsin, 'tamper')}")
            states = {one["destination"]: (one["state"], one["reason"]) for one in event["deliveries"]}
            assert states["hook"][0] == "delivered"
            assert states["arc"][0] == "filtered"
            assert "held back: on test until" in states["arc"][1]
            assert (told[-1]["event_name"], told[-1]["test"]) == ("Tamper", True)
            assert (await opened(f"{tocsin.url}/metrics"))[1].count('tocsin_on_test{area="North depot"} 1.0') == 1
        async with tocsin.running():
            code, said = await tocsin.call("ontest")
            assert "battery change" in said
            fire = await tocsin.get(f"/api/v1/events/{await posted(tocsin, 'fire')}")
            assert {one["state"] for one in fire["deliveries"]} == {"delivered"}
            code, said = await tocsin.call("ontest", "--end")
            assert (code, said) == (0, "North depot is no longer on test: alarms are real\n")
            await tocsin.call("ontest", "North depot", "--for", "1s", "--why", "short", "--device", "d1")
            ended = await tocsin.until(
                "/api/v1/events?kind=info", lambda page: "its time is over" in page["items"][0]["text"], 20
            )
            assert ended["items"][0]["place"]["area"] == "North depot"
            real = await tocsin.get(f"/api/v1/events/{await posted(tocsin, 'tamper')}")
            assert {one["state"] for one in real["deliveries"]} == {"delivered"}
            await asyncio.wait_for(_until(lambda: len(arc.messages) >= 6), 10)


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.02)
