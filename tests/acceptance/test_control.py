"""A station with curl at the control API of the real program, over TLS; detectors that obey; a kill between."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.acceptance.conftest import Program, listening
from tests.ports import free_port

from tocsin.api.control.lockouts import FREE_FAILURES

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

SIREN, DETECTOR, OTHER = "01E211D51A00006B", "01AD2DD41C0000C1", "01BBB99318000008"
CONFIGURATION = """
[gateway]
name = "north"
[api]
listen = "127.0.0.1:API_PORT"
[control]
listen = "127.0.0.1:CONTROL_PORT"
tls = { cert = "gw.pem", key = "gw.key" }
users = [
  { name = "arc", password = { file = "arc.pw" }, allow = ["list", "siren", "arm"], areas = ["North depot"] },
  { name = "looker", password = { file = "arc.pw" }, allow = ["list"] },
]
[[areas]]
name = "North depot"
[[areas]]
name = "South depot"
[[devices]]
id = "01E211D51A00006B"
name = "Siren: 11E2"
type = "siren_v1"
area = "North depot"
[[devices]]
id = "01AD2DD41C0000C1"
name = "Detector: 2DAD"
type = "detector_hdr"
area = "North depot"
description = "Gate, SIA:#9280|00-001"
[[devices]]
id = "01BBB99318000008"
name = "Detector: B9BB"
type = "detector_hdr"
area = "South depot"
[[destinations]]
name = "station"
type = "dc09"
hosts = ["127.0.0.1:1"]
account = "9280"
supervision = "off"
"""


class Station:
    """curl, as a station's engineer types it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.url = f"https://127.0.0.1:{port}/control/v1"

    async def __call__(self, path: str, *options: str, user: str = "arc:station-password") -> tuple[int, Any]:
        login = ["-u", user] if user else []
        command = ["curl", "-s", "--cacert", str(self.folder / "ca.pem"), *login, "-w", "\n%{http_code}", *options]
        process = await asyncio.create_subprocess_exec(*command, f"{self.url}/{path}", stdout=subprocess.PIPE)
        output, _ = await asyncio.wait_for(process.communicate(), 30)
        text, _, status = output.decode().rpartition("\n")
        return int(status), json.loads(text) if text[:1] in ("[", "{") else text

    async def state(self, request_id: str) -> str:
        _, found = await self(f"get_request/{request_id}")
        return str(found["state"])

    async def until(self, request_id: str, state: str) -> None:
        async with asyncio.timeout(30):
            while await self.state(request_id) != state:
                await asyncio.sleep(0.1)


@pytest.fixture
def tocsin(tmp_path: Path, program: Callable[[str], Program]) -> tuple[Program, Station]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    leaf = authority.issue_cert("127.0.0.1")
    (tmp_path / "gw.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(str(tmp_path / "gw.key"))
    (tmp_path / "arc.pw").write_text("station-password\n")
    port = free_port()
    return program(CONFIGURATION.replace("CONTROL_PORT", str(port))), Station(tmp_path, port)


@asynccontextmanager
async def obeying(tocsin: Program, *devices: str) -> AsyncIterator[None]:
    """`tocsin simulate detector` beside the running gateway."""
    named = [word for device in devices for word in ("--device", device)]
    command = tocsin.command("simulate", "detector", "--silent", "--commands", *named)
    with (tocsin.folder / "detector.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, env=os.environ)
        try:
            yield
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), 30)


def _element(guid: str, name: str, type_: str, description: str = "") -> dict[str, str]:
    return {"guid": guid, "name": name, "area": "North depot", "description": description, "type": type_}


async def test_a_station_lists_sounds_and_arms(tocsin: tuple[Program, Station]) -> None:
    gateway, arc = tocsin
    async with gateway.running():
        assert await arc("get_siren_list") == (200, [_element(SIREN, "Siren: 11E2", "siren_v1")])
        assert await _owed(gateway) == ("armed", ["station"])
        _, listed = await arc("get_device_list")
        assert [one["guid"] for one in listed] == [DETECTOR, SIREN]
        assert listed[0] == _element(DETECTOR, "Detector: 2DAD", "detector_hdr", "Gate, SIA:#9280|00-001")
        status, asked = await arc(f"trigger_siren/{SIREN}", "-d", "duration_s=30")
        assert (status, asked["state"]) == (202, "requested")
        async with obeying(gateway, SIREN, DETECTOR):
            await arc.until(asked["request_id"], "confirmed")
            _, asked = await arc("disarm_area/North%20depot", "-X", "POST", "--json", '{"duration_s": 3600}')
            await arc.until(asked["request_id"], "confirmed")
            assert await _owed(gateway) == ("disarmed", [])
            _, asked = await arc(f"arm_device/{DETECTOR}", "-X", "POST")
            await arc.until(asked["request_id"], "confirmed")
        kinds = [one["kind"] for one in (await gateway.get("/api/v1/events"))["items"]]
        kept = ["armed", "motion", "disarmed", "motion", "system_started"]
        assert [kind for kind in kinds if kind != "destination_down"] == kept
        audit = (await gateway.get("/api/v1/audit"))["items"]
        assert [(one["action"], one["subject"], one["result"].split()[0]) for one in reversed(audit)] == [
            *(("siren", SIREN, "requested"), ("siren", SIREN, "confirmed")),
            *(("disarm", DETECTOR, "requested"), ("disarm", DETECTOR, "confirmed")),
            *(("arm", DETECTOR, "requested"), ("arm", DETECTOR, "confirmed")),
        ]
        assert {(one["who"], one["source_address"]) for one in audit} == {("control:arc", "127.0.0.1")}
        code, table = await gateway.call("commands", "--state", "confirmed", "--device", SIREN)
        assert code == 0
        assert "sounding the siren for 30 s" in table
        assert "control:arc" in table


async def _owed(gateway: Program) -> tuple[str, list[str]]:
    """What the device is, and to whom a motion of it is owed now."""
    device = await gateway.get(f"/api/v1/devices/{DETECTOR}")
    _, taken = await gateway.post("/api/v1/events", json={"kind": "motion", "device_id": DETECTOR})
    return "armed" if device["armed"] else "disarmed", taken["destinations"]


async def test_the_published_refusals(tocsin: tuple[Program, Station]) -> None:
    gateway, arc = tocsin
    async with gateway.running():
        assert await arc("get_siren_list", user="") == (401, "Unauthorized")
        assert await arc("get_siren_list", user="arc:wrong") == (401, "Unauthorized")
        assert await arc(f"trigger_siren/{SIREN}", "-X", "POST", user="looker:station-password") == (
            401,
            "Unauthorized",
        )
        assert await arc(f"arm_device/{OTHER}", "-X", "POST") == (404, "Not Found")
        assert await arc("arm_device/unknown", "-X", "POST") == (404, "Not Found")
        status, text = await arc(f"trigger_siren/{SIREN}", "-d", "duration_s=600")
        assert (status, text) == (400, "Bad Request: duration_s must be from 1 to 60")
        async with obeying(gateway, SIREN):
            _, asked = await arc(f"disarm_device/{SIREN}", "-X", "POST")
            await arc.until(asked["request_id"], "confirmed")
        assert await arc(f"trigger_siren/{SIREN}", "-X", "POST") == (409, f"Conflict: the siren {SIREN} is disarmed")
        answers = [(await arc("get_siren_list", user="arc:guess"))[0] for _ in range(FREE_FAILURES + 1)]
        assert answers[-1] == 429
        audit = (await gateway.get("/api/v1/audit"))["items"]
        assert (audit[0]["who"], audit[0]["result"]) == ("control:arc", f"refused: the siren {SIREN} is disarmed")
        status, problem = await gateway.post(f"/api/v1/devices/{SIREN}/commands", json={"order": "siren"})
        assert (status, problem["status"]) == (409, 409)


async def test_a_flood_is_answered_and_bounded(tocsin: tuple[Program, Station]) -> None:
    """A hundred orders at once by one user: each is kept or refused with 429, the gateway goes on."""
    gateway, arc = tocsin
    async with gateway.running():
        parallel = ["--parallel", "--parallel-immediate", "--parallel-max", "100", "-X", "POST", "-o", "/dev/null"]
        command = ["curl", "-s", "--cacert", str(arc.folder / "ca.pem"), "-u", "arc:station-password", *parallel]
        urls = [f"{arc.url}/arm_device/{DETECTOR}?"] * 100
        outputs = [word for _ in urls[1:] for word in ("-o", "/dev/null")]
        process = await asyncio.create_subprocess_exec(
            *command, *outputs, "-w", "%{http_code}\n", *urls, stdout=subprocess.PIPE
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        answers = output.decode().split()
        assert len(answers) == 100
        assert set(answers) <= {"202", "429"}
        kept = (await gateway.get("/api/v1/commands?limit=500"))["items"]
        assert len(kept) == answers.count("202") > 0
        assert [one["state"] for one in kept if one["state"] != "failed"] == ["requested"], (
            "each replaced the one before"
        )
        assert (await arc("get_siren_list"))[0] == 200


async def test_what_was_requested_survives_a_kill(tocsin: tuple[Program, Station]) -> None:
    gateway, arc = tocsin
    async with gateway.running() as process:
        asked = [await arc(f"arm_device/{DETECTOR}", "-X", "POST", "-H", "Idempotency-Key: shift-1")]
        asked.append(await arc(f"disarm_device/{SIREN}", "-X", "POST"))
        process.kill()
        await process.wait()
    ids = [answer["request_id"] for status, answer in asked if status == 202]
    assert len(ids) == 2
    async with gateway.running():
        await listening(int(arc.url.rpartition(":")[2].partition("/")[0]))
        assert [await arc.state(one) for one in ids] == ["requested", "requested"]
        repeated = await arc(f"arm_device/{DETECTOR}", "-X", "POST", "-H", "Idempotency-Key: shift-1")
        assert repeated == asked[0]
        async with obeying(gateway, SIREN, DETECTOR):
            for one in ids:
                await arc.until(one, "confirmed")


async def test_fetched_and_killed_before_the_answer_it_is_fetched_again(tocsin: tuple[Program, Station]) -> None:
    gateway, arc = tocsin
    async with gateway.running() as process:
        _, asked = await arc(f"disarm_device/{DETECTOR}", "-X", "POST")
        path = f"/api/v1/devices/{DETECTOR}/commands?wait=5"
        [fetched] = (await gateway.get(path))["items"]
        process.kill()
        await process.wait()
    async with gateway.running():
        assert [one["id"] for one in (await gateway.get(path))["items"]] == [fetched["id"]]
        for _ in range(2):
            answer = await gateway.post(f"/api/v1/commands/{fetched['id']}/result", json={"state": "confirmed"})
            assert answer[0] == 200
        assert await arc.state(asked["request_id"]) == "confirmed"
        kinds = [one["kind"] for one in (await gateway.get("/api/v1/events"))["items"]]
        assert kinds.count("disarmed") == 1


async def test_beyond_loopback_it_demands_tls(tocsin: tuple[Program, Station]) -> None:
    gateway, _ = tocsin
    text = gateway.file.read_text()
    gateway.file.write_text(
        text.replace('tls = { cert = "gw.pem", key = "gw.key" }\n', "").replace(
            '[control]\nlisten = "127.0.0.1', '[control]\nlisten = "0.0.0.0'
        )
    )
    code, said = await gateway.call("check")
    assert code == 2
    assert "would send passwords and orders readably over the network" in said
