"""Silent devices, running-down batteries, panels that wait for a station, and two paths, in the real program."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from tests.acceptance.conftest import Program, listening
from tests.acceptance.test_failover import station
from tests.ports import free_port

from tocsin.engine.clock import LoopClock
from tocsin.standins.dc09 import Station
from tocsin.standins.panel import PanelOptions, StandInPanel
from tocsin.transports.contract import Endpoint
from tocsin.transports.sockets import SocketNetwork

CONFIGURATION = """
[api]
listen = "127.0.0.1:API_PORT"
[liveness]
periods = 1.0
allowance = "1s"
thresholds = { battery_low = 25, battery_critical = 10 }
[[devices]]
id = "d1"
name = "Gate cam"
description = "SIA:#9280-001"
routine = "1s"
[[devices]]
id = "d2"
description = "SIA:#9280-002"
[[sources]]
name = "panels"
type = "dc09"
listen = "127.0.0.1:PANEL_PORT"
accounts = [{ account = "6F01" }]
acknowledge = "delivered"
delivered_within = "2s"
[[destinations]]
name = "arc"
type = "dc09"
hosts = [HOSTS]
account = "9280"
reply_timeout = "5s"
supervision = "off"
retry = { first = "200ms", longest = "1s" }
filter = { kinds = ["motion", "burglary", "connection_lost", "connection_restored", "battery_low", "battery_restored", \
"supervision_lost", "supervision_restored"] }
"""


SILENT_LATER = """
[[devices]]
id = "d3"
description = "SIA:#9280-003"
routine = "1s"
"""
"""It falls silent after the restart: whoever hears of that knows that all devices were looked at again."""


def configured(panel_port: int, *ports: int) -> str:
    hosts = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
    return CONFIGURATION.replace("HOSTS", hosts).replace("PANEL_PORT", str(panel_port))


async def post(tocsin: Program, device: str, **fields: Any) -> None:
    status, _ = await tocsin.post("/api/v1/events", json={"kind": "motion", "device_id": device, **fields})
    assert status == 202


async def told(tocsin: Program, device: str) -> list[str]:
    """What the gateway said of a device, oldest first."""
    found = await tocsin.get(f"/api/v1/events?device_id={device}&limit=100")
    own = [event for event in found["items"] if event["source"] == "gateway"]
    return [event["kind"] for event in reversed(own)]


def status_is(wanted: str) -> Callable[[Any], bool]:
    return lambda device: bool(device["status"] == wanted)


async def test_a_device_falls_silent_the_gateway_is_killed_and_the_device_is_back(
    program: Callable[[str], Program],
) -> None:
    async with station() as (arc, port):
        tocsin = program(configured(free_port(), port) + SILENT_LATER)
        async with tocsin.running() as process:
            await post(tocsin, "d1")
            assert (await tocsin.get("/api/v1/devices/d1"))["status"] == "online"
            await tocsin.until("/api/v1/devices/d1", status_is("offline"))
            await tocsin.until("/api/v1/events?kind=connection_lost", lambda page: bool(page["items"]))
            process.kill()
            await process.wait()
        async with tocsin.running():
            await post(tocsin, "d3")
            await tocsin.until("/api/v1/devices/d3", status_is("offline"))
            assert await told(tocsin, "d1") == ["connection_lost"], "neither forgotten nor repeated"
            assert [one["id"] for one in (await tocsin.get("/api/v1/devices?status=offline"))["items"]] == ["d1", "d3"]
            await post(tocsin, "d1")
            await tocsin.until("/api/v1/events?kind=connection_restored", lambda page: bool(page["items"]))
            assert (await told(tocsin, "d1"))[:2] == ["connection_lost", "connection_restored"]
            code, shown = await tocsin.call("devices")
            assert code == 0
            assert "d1" in shown
            assert "unknown" in shown
            async with asyncio.timeout(10):
                while not any("YK" in one["data"] for one in arc.messages):
                    await asyncio.sleep(0.05)
        lost = [one["data"] for one in arc.messages if "YC" in one["data"]]
        assert lost
        assert all("#9280" in data for data in lost), "under the device's own number"


async def test_a_battery_runs_down_over_a_restart(program: Callable[[str], Program]) -> None:
    async with station() as (_, port):
        tocsin = program(configured(free_port(), port))
        async with tocsin.running():
            await post(tocsin, "d2", battery=24)
            await post(tocsin, "d2", battery=23)
            await tocsin.until("/api/v1/events?kind=battery_low", lambda page: len(page["items"]) == 1)
        async with tocsin.running():
            await post(tocsin, "d2", battery=22)
            await post(tocsin, "d2", battery=9)
            page = await tocsin.until("/api/v1/events?kind=battery_low", lambda page: len(page["items"]) == 2)
            assert "at 9 %, critical: below 10 %" in page["items"][0]["text"]
            device = await tocsin.get("/api/v1/devices/d2")
            assert (device["battery"], device["battery_state"], device["status"]) == (9, "critical", "unknown")
            await post(tocsin, "d2", battery=31)
            await tocsin.until("/api/v1/events?kind=battery_restored", lambda page: len(page["items"]) == 1)
            assert await told(tocsin, "d2") == ["battery_low", "battery_low", "battery_restored"]


async def test_a_panel_waits_for_a_station_over_a_kill(program: Callable[[str], Program]) -> None:
    async with station() as (arc, port):
        arc.switches.silent = True
        panel_port = free_port()
        tocsin = program(configured(panel_port, port))
        own = PanelOptions(Endpoint("127.0.0.1", panel_port), "6F01", reply_timeout_s=4.0)
        panel = StandInPanel(own, SocketNetwork(), LoopClock(), random.Random(5))
        async with tocsin.running() as process:
            await listening(panel_port)
            alarm = asyncio.create_task(panel.event("#6F01|Nri1/BA17"))
            await tocsin.until("/api/v1/events?source=panels", lambda page: len(page["items"]) == 1)
            async with asyncio.timeout(20):
                while "not_delivered" not in tocsin.log():
                    await asyncio.sleep(0.05)
            assert not alarm.done()
            process.kill()
            await process.wait()
        arc.switches.silent = False
        async with tocsin.running():
            sent = await asyncio.wait_for(alarm, 40)
            assert sent.answer == "ACK"
            assert sent.tries > 1
            assert len((await tocsin.get("/api/v1/events?source=panels"))["items"]) == 1, "one event"
            assert any("BA17" in one["data"] for one in arc.messages), "the station had it first"
        await panel.aclose()


async def test_the_second_path_is_lost_and_told_over_the_first(program: Callable[[str], Program]) -> None:
    async with station() as (first, one):
        second = Station(LoopClock(), random.Random(1))
        two = await second.start("127.0.0.1", 0)
        text = configured(free_port(), one, two).replace(
            'supervision = "off"', 'supervision = "10s"\nsecond_path = "10s"'
        )
        tocsin = program(text)
        async with tocsin.running():
            async with asyncio.timeout(20):
                while not any(message["token"] == "NULL" for message in second.messages):
                    await asyncio.sleep(0.05)
            await second.aclose()
            page = await tocsin.until("/api/v1/events?kind=supervision_lost", lambda page: bool(page["items"]), 40)
            assert f"path 127.0.0.1:{two} of destination arc is lost" in page["items"][0]["text"]
            (arc,) = (await tocsin.get("/api/v1/destinations"))["items"]
            assert arc["state"] == "up"
            assert [path["up"] for path in arc["paths"]] == [True, False]
            async with asyncio.timeout(10):
                while not any("UY" in message["data"] for message in first.messages):
                    await asyncio.sleep(0.05)
