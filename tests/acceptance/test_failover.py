"""Fail-over, resync, refusal and silence, as the real program goes through them and shows them."""

import asyncio
import contextlib
import json
import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.acceptance.conftest import Program
from tests.ports import free_port

from tocsin.engine.clock import LoopClock
from tocsin.standins.dc09 import Station

CONFIGURATION = """
[api]
listen = "127.0.0.1:API_PORT"
[[devices]]
id = "d1"
description = "SIA:#9280-001"
[[devices]]
id = "d2"
description = "SIA:#4711-002"
[[destinations]]
name = "arc"
type = "dc09"
hosts = [HOSTS]
reply_timeout = "5s"
supervision = "off"
filter = { kinds = ["motion", "tamper"] }
retry = { first = "200ms", longest = "1s" }
"""


@asynccontextmanager
async def station(port: int = 0, keys: dict[str, bytes] | None = None) -> AsyncIterator[tuple[Station, int]]:
    one = Station(LoopClock(), random.Random(1), keys=keys)
    bound = await one.start("127.0.0.1", port)
    try:
        yield one, bound
    finally:
        await one.aclose()


async def _event(tocsin: Program, device: str = "d1", kind: str = "motion") -> str:
    status, answer = await tocsin.post("/api/v1/events", json={"kind": kind, "device_id": device})
    assert status == 202
    event_id: str = answer["id"]
    return event_id


async def _delivery(tocsin: Program, event_id: str, state: str) -> Any:
    found = await tocsin.until(f"/api/v1/events/{event_id}", lambda one: one["deliveries"][0]["state"] == state)
    return found["deliveries"][0]


async def _results(tocsin: Program, event_id: str) -> list[str]:
    trace = await tocsin.get(f"/api/v1/events/{event_id}/deliveries/arc/trace")
    return [one["result"] for one in trace["exchanges"]]


def _hosts(*ports: int) -> str:
    return CONFIGURATION.replace("HOSTS", ", ".join(f'"127.0.0.1:{port}"' for port in ports))


async def test_the_second_station_takes_over_and_gives_back(program: Callable[[str], Program]) -> None:
    first_port = free_port()
    async with station() as (second, second_port):
        tocsin = program(_hosts(first_port, second_port).replace("[[destinations]]", "[[destinations]]\nkeep = false"))
        async with tocsin.running():
            async with station(first_port) as (first, _):
                delivery = await _delivery(tocsin, await _event(tocsin), "delivered")
                assert delivery["host"] == f"127.0.0.1:{first_port}"
            delivery = await _delivery(tocsin, event := await _event(tocsin), "delivered")
            assert delivery["host"] == f"127.0.0.1:{second_port}"
            assert await _results(tocsin, event) == ["unreachable", "delivered"]
            async with station(first_port) as (again, _):
                delivery = await _delivery(tocsin, await _event(tocsin), "delivered")
                assert delivery["host"] == f"127.0.0.1:{first_port}"
                assert len(again.messages) == 1
            assert (len(first.messages), len(second.messages)) == (1, 1)


async def test_a_refused_time_is_taken_over_and_sent_again(program: Callable[[str], Program]) -> None:
    key = b"Sample key no. 1"
    async with station(keys={"*": key}) as (one, port):
        one.switches.nak_once = True
        keyed = _hosts(port).replace("[[destinations]]", f'[[destinations]]\nkey = {{ text = "{key.decode()}" }}')
        tocsin = program(keyed)
        async with tocsin.running():
            await _delivery(tocsin, event := await _event(tocsin), "delivered")
            assert await _results(tocsin, event) == ["resync", "delivered"]
            numbers = {message["seq"] for message in one.messages}
            assert numbers == {"0001"}, "a retransmission keeps its number"


async def test_what_the_station_refuses_is_set_aside_and_the_rest_goes_on(program: Callable[[str], Program]) -> None:
    async with station() as (one, port):
        one.switches.duh = {"4711"}
        tocsin = program(_hosts(port))
        async with tocsin.running():
            refused = await _event(tocsin, "d2")
            taken = await _event(tocsin, "d1")
            delivery = await _delivery(tocsin, refused, "rejected")
            assert "DUH" in delivery["reason"]
            await _delivery(tocsin, taken, "delivered")
            one.switches.duh = set()
            code, shown = await tocsin.call("retry", delivery["id"])
            assert code == 0, shown
            await _delivery(tocsin, refused, "delivered")
            assert (await _results(tocsin, refused))[0] == "refused"


async def test_a_silent_station_is_asked_again_until_it_answers(program: Callable[[str], Program]) -> None:
    async with station() as (one, port):
        one.switches.silent = True
        tocsin = program(_hosts(port))
        async with tocsin.running():
            event = await _event(tocsin)
            await _delivery(tocsin, event, "retrying")
            one.switches.silent = False
            delivery = await _delivery(tocsin, event, "delivered")
            assert delivery["attempts"] >= 2
            results = await _results(tocsin, event)
            assert results[0] == "silent"
            assert results[-1] == "delivered"


async def test_a_kill_forgets_neither_what_was_told_nor_who_was_paused(program: Callable[[str], Program]) -> None:
    port = free_port()
    tocsin = program(_hosts(port))
    async with tocsin.running() as process:
        await _event(tocsin)
        await _told(tocsin, ["destination_down"])
        await _standing_written(tocsin)
        process.kill()
    async with station(port) as (one, _):
        async with tocsin.running() as process:
            await _told(tocsin, ["destination_down", "destination_up"])
            assert (await tocsin.post("/api/v1/destinations/arc/pause"))[0] == 200
            process.kill()
        async with tocsin.running():
            assert (await tocsin.get("/api/v1/destinations"))["items"][0]["state"] == "paused"
            kept = await _event(tocsin)
            assert (await tocsin.post("/api/v1/destinations/arc/resume"))[0] == 200
            await _delivery(tocsin, kept, "delivered")
        assert len(one.messages) == 2


async def _standing_written(tocsin: Program) -> None:
    """Until the note of it is on disk."""
    with contextlib.closing(sqlite3.connect(tocsin.folder / "data" / "tocsin.db")) as database:
        async with asyncio.timeout(10):
            while not (rows := database.execute("SELECT value FROM meta WHERE name LIKE 'note standing%'").fetchall()):
                await asyncio.sleep(0.05)
    assert json.loads(rows[0][0])["down"] == ["arc"]


async def _told(tocsin: Program, kinds: list[str]) -> None:
    """The gateway's own events of destinations, oldest first."""

    def told(page: Any) -> bool:
        return [one["kind"] for one in page["items"] if one["kind"].startswith("destination_")][::-1] == kinds

    await tocsin.until("/api/v1/events?limit=50", told)
