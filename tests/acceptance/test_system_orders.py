"""A station with a login at the control API of the real program sounds the siren of an ONVIF camera; a kill between."""

import asyncio
import json
import signal
from collections.abc import Callable
from typing import Any

import aiohttp
from tests.acceptance.conftest import Program, Told, simulated
from tests.ports import free_port

CAMERA = "cams:camera:gate"
CONFIGURATION = """
[gateway]
name = "north"
[api]
listen = "127.0.0.1:API_PORT"
[control]
listen = "127.0.0.1:CONTROL_PORT"
users = [{ name = "arc", password = "station-password", allow = ["list", "siren", "arm"] }]
[[systems]]
name = "cams"
type = "onvif"
customer_id = "acct-4410"
username = "viewer"
password = "sesame"
timeout = "10s"
health = { every = "2s" }
devices = [{ address = "127.0.0.1:CAMERA_PORT", key = "gate", siren = "Relay0" }]
[[destinations]]
name = "station"
type = "dc09"
hosts = ["127.0.0.1:1"]
account = "9280"
supervision = "off"
"""


def switched(told: Told) -> int:
    """How often the camera has switched a relay output."""
    return sum((line.get("request"), line.get("status")) == ("SetRelayOutputState", 200) for line in told)


async def switches(told: Told, times: int) -> None:
    async with asyncio.timeout(60):
        while switched(told) < times:
            await asyncio.sleep(0.05)


async def control(port: int, method: str, path: str, **how: Any) -> tuple[int, Any]:
    login = {"Authorization": aiohttp.encode_basic_auth("arc", "station-password")}
    url = f"http://127.0.0.1:{port}/control/v1/{path}"
    async with aiohttp.ClientSession(headers=login) as session, session.request(method, url, **how) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if text[:1] in ("[", "{") else text


async def becomes(port: int, path: str, holds: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(60):
        while not holds(found := (await control(port, "GET", path))[1]):
            await asyncio.sleep(0.1)
    return found


async def test_a_station_sounds_and_stops_the_siren_of_a_camera(program: Callable[[str], Program]) -> None:
    told, port, camera_port = Told(), free_port(), free_port()
    configuration = CONFIGURATION.replace("CONTROL_PORT", str(port)).replace("CAMERA_PORT", str(camera_port))
    tocsin = program(configuration)
    async with simulated(told, camera_port, "onvif", "--user", "viewer", "--password", "sesame") as camera:
        async with tocsin.running() as gateway:
            [siren] = await becomes(port, "get_siren_list", bool)
            assert siren["guid"] == CAMERA

            status, given = await control(port, "POST", f"trigger_siren/{CAMERA}", data={"duration_s": "3"})
            assert (status, given["state"]) == (202, "requested")
            done = await becomes(port, f"get_request/{given['request_id']}", lambda it: it["state"] != "requested")
            assert done["state"] == "confirmed"
            assert done["devices"][0]["result"] == f"127.0.0.1:{camera_port} has switched its relay output Relay0 on"
            await switches(told, 2)  # its time is over
            [stopped] = (await tocsin.get("/api/v1/commands?limit=1"))["items"]
            assert (stopped["order"], stopped["requested_by"]) == ("stop_siren", "the end of the siren")

            status, refused = await control(port, "POST", f"arm_device/{CAMERA}")
            why = f"Bad Request: the device {CAMERA} is of the system cams, which cannot arm it"
            assert (status, refused) == (400, why)
            status, asked = await tocsin.post(f"/api/v1/devices/{CAMERA}/commands", json={"order": "stop_siren"})
            assert status == 202
            await tocsin.until(f"/api/v1/commands/{asked['id']}", lambda it: it["state"] == "confirmed")
            assert switched(told) == 3

            # killed while the camera, which hangs, is being told
            camera.send_signal(signal.SIGSTOP)
            _, hanging = await control(port, "POST", f"trigger_siren/{CAMERA}")
            await tocsin.until(f"/api/v1/commands/{hanging['request_id']}", lambda it: it["state"] == "sent")
            gateway.kill()
            await gateway.wait()
        camera.send_signal(signal.SIGCONT)
        async with tocsin.running():
            done = await becomes(port, f"get_request/{hanging['request_id']}", lambda it: it["state"] != "requested")
            assert done["state"] == "confirmed"
            assert switched(told) >= 4
    assert "station-password" not in tocsin.log()
    assert "sesame" not in tocsin.log()
