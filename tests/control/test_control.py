"""The control API over real HTTP: the published list calls and words exactly, and our orders."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.api.serving import Served, served

from tocsin.api.access import Rights
from tocsin.api.control.app import create_control_app
from tocsin.api.control.keeper import StationUser, digest
from tocsin.api.serve import serve
from tocsin.engine.commands import Wish
from tocsin.model.device import Device
from tocsin.store.contract import StoreUnavailable
from tocsin.telemetry.occurrences import TaskFailed

SIREN = Device("01E211D51A00006B", "Siren: 11E2", "siren_v1", "Depot")
DETECTOR = Device("01AD2DD41C0000C1", "Detector: 2DAD", "detector_hdr", "Depot", "Gate, SIA:#9280|00-001")
BRIDGE = Device("01C0FFEE00000001", "Bridge: FFC0", "bridge_4g", "Depot")
YARD = Device("01BBB99318000008", "Detector: B9BB", "detector_hdr_xrl", "Yard")


def user(name: str, *allow: Any, areas: tuple[str, ...] | None = None, get_orders: bool = False) -> StationUser:
    rights = Rights(f"control:{name}", frozenset(), None if areas is None else frozenset(areas))
    return StationUser(name, digest("secret"), rights, frozenset(allow), get_orders)


USERS = (
    user("arc", "list", "siren", "arm"),
    user("north", "list", "siren", "arm", areas=("North",)),
    user("looker", "list"),
    user("url-only", "siren", get_orders=True),
)


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


class Control:
    def __init__(self, url: str, gw: Served, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.gw = gw
        self.http = http

    async def __call__(self, method: str, path: str, who: str = "arc", **more: Any) -> tuple[int, Any]:
        """Status, and JSON or text."""
        login = {"authorization": basic(who, more.pop("password", "secret"))} if who else {}
        headers = {**login, **more.pop("headers", {})}
        async with self.http.request(method, f"{self.url}/control/v1/{path}", headers=headers, **more) as answer:
            if answer.content_type == "application/json":
                return answer.status, await answer.json()
            assert answer.content_type == "text/plain"
            return answer.status, await answer.text()

    async def obeyed(self, device: Device, state: str = "confirmed") -> list[Any]:
        """As the device does it, over the REST interface."""
        found = (await self.gw.get(f"/devices/{device.id}/commands", wait="5"))["items"]
        for one in found:
            async with self.gw.http.post(f"/api/v1/commands/{one['id']}/result", json={"state": state}) as answer:
                assert answer.status == 200
        return found

    async def audit(self, limit: int = 1) -> list[tuple[str, ...]]:
        found = await self.gw.gateway.store.audit_entries(limit)
        assert {one.source_address for one in found} <= {"127.0.0.1"}
        return [(one.who, one.action, one.subject, one.result) for one in found]


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[Control]:
    async with served(tmp_path, devices=(SIREN, DETECTOR, BRIDGE, YARD)) as gw:
        app = create_control_app(gw.gateway, USERS, gw.occurrences.append, ["siren", "leave the site"])
        async with serve(app, "127.0.0.1", 0) as port, aiohttp.ClientSession() as http:
            yield Control(f"http://127.0.0.1:{port}", gw, http)


def element(device: Device) -> dict[str, str]:
    return {
        "guid": device.id,
        "name": device.name,
        "area": device.area,
        "description": device.description,
        "type": device.type,
    }


ALL = [DETECTOR, YARD, BRIDGE, SIREN]


@pytest.mark.parametrize(
    ("path", "who", "expected"),
    [
        ("get_siren_list", "arc", [SIREN]),
        ("get_device_list", "arc", ALL),
        ("get_device_list", "north", [DETECTOR, BRIDGE, SIREN]),
        ("get_device_list", "looker", ALL),
        ("get_device_list/Depot", "arc", [DETECTOR, BRIDGE, SIREN]),
        ("get_device_list/North", "arc", [DETECTOR, BRIDGE, SIREN]),
        (f"get_device_list/{YARD.id}", "arc", [YARD]),
    ],
)
async def test_the_published_lists(control: Control, path: str, who: str, expected: list[Device]) -> None:
    assert await control("GET", path, who) == (200, [element(device) for device in expected])


@pytest.mark.parametrize(
    ("method", "path", "who", "expected"),
    [
        ("GET", "get_siren_list", "", (401, "Unauthorized")),
        ("GET", "get_siren_list", "nobody", (401, "Unauthorized")),
        ("GET", "get_siren_list", "url-only", (401, "Unauthorized")),
        ("POST", f"trigger_siren/{SIREN.id}", "looker", (401, "Unauthorized")),
        ("POST", f"disarm_device/{SIREN.id}", "url-only", (401, "Unauthorized")),
        ("GET", "get_device_list/Yard", "north", (404, "Not Found")),
        ("GET", "get_device_list/Nowhere", "north", (404, "Not Found")),
        ("GET", f"get_device_list/{YARD.id}", "north", (404, "Not Found")),
        ("POST", f"arm_device/{YARD.id}", "north", (404, "Not Found")),
        ("POST", "arm_device/nobody", "north", (404, "Not Found")),
        ("POST", "disarm_area/Yard", "north", (404, "Not Found")),
        ("POST", "disarm_area/Nowhere", "north", (404, "Not Found")),
        ("GET", "get_request/NOBODY", "arc", (404, "Not Found")),
        ("GET", "get_everything", "arc", (404, "Not Found")),
        ("GET", f"trigger_siren/{SIREN.id}", "arc", (405, "Method Not Allowed")),
        ("PUT", f"trigger_siren/{SIREN.id}", "arc", (405, "Method Not Allowed")),
        ("POST", "get_siren_list", "arc", (405, "Method Not Allowed")),
        ("GET", f"get_audio_list/{DETECTOR.id}", "arc", (400, "Bad Request: this device is no siren")),
    ],
)
async def test_refusals(control: Control, method: str, path: str, who: str, expected: tuple[int, str]) -> None:
    assert await control(method, path, who) == expected
    assert (await control.gw.get("/commands"))["items"] == []


async def test_a_siren_from_order_to_confirmation(control: Control) -> None:
    status, asked = await control("POST", f"trigger_siren/{SIREN.id}", data={"audio": "2", "duration_s": "30"})
    assert (status, set(asked), asked["state"]) == (202, {"request_id", "state"}, "requested")
    path = f"get_request/{asked['request_id']}"
    device = {"guid": SIREN.id, "state": "requested", "result": ""}
    expected = {"request_id": asked["request_id"], "order": "siren", "state": "requested", "devices": [device]}
    assert await control("GET", path) == (200, expected)
    [got] = await control.obeyed(SIREN)
    assert (got["audio"], got["duration_s"]) == ("leave the site", 30)
    assert (await control("GET", path))[1]["state"] == "confirmed"
    assert await control("POST", f"stop_siren/{SIREN.id}") == (202, (await _latest(control)))
    assert await control.audit(3) == [
        ("control:arc", "stop_siren", SIREN.id, f"requested {(await _latest(control))['request_id']}"),
        ("control:arc", "siren", SIREN.id, f"confirmed {asked['request_id']}"),
        ("control:arc", "siren", SIREN.id, f"requested {asked['request_id']}"),
    ]


async def _latest(control: Control) -> dict[str, str]:
    newest = (await control.gw.get("/commands", limit="1"))["items"][0]
    return {"request_id": newest["request_id"], "state": "requested"}


async def test_the_audio_list(control: Control) -> None:
    listed = [{"number": "1", "name": "siren"}, {"number": "2", "name": "leave the site"}]
    assert await control("GET", f"get_audio_list/{SIREN.id}") == (200, listed)


async def test_an_area_is_one_request(control: Control) -> None:
    status, asked = await control("POST", "disarm_area/North", json={"duration_s": 3600})
    assert status == 202
    path = f"get_request/{asked['request_id']}"
    _, request = await control("GET", path)
    assert [one["guid"] for one in request["devices"]] == [DETECTOR.id], "not the siren, not the bridge"
    await control.obeyed(DETECTOR)
    assert (await control("GET", path))[1]["state"] == "confirmed"
    status, asked = await control("POST", "arm_area/Depot")
    path = f"get_request/{asked['request_id']}"
    assert [one["guid"] for one in (await control("GET", path))[1]["devices"]] == [DETECTOR.id, SIREN.id]
    await control.obeyed(DETECTOR)
    assert (await control("GET", path))[1]["state"] == "requested"
    await control.obeyed(SIREN, "failed")
    assert (await control("GET", path))[1]["state"] == "failed"


async def test_who_may_not_see_all_devices_of_a_request_may_not_see_it(control: Control) -> None:
    _, asked = await control("POST", f"arm_device/{YARD.id}")
    path = f"get_request/{asked['request_id']}"
    assert (await control("GET", path, "looker"))[0] == 200
    assert await control("GET", path, "north") == (404, "Not Found")


async def test_a_disarmed_siren_is_a_conflict(control: Control) -> None:
    await control("POST", f"disarm_device/{SIREN.id}")
    await control.obeyed(SIREN)
    assert await control("POST", f"trigger_siren/{SIREN.id}") == (409, f"Conflict: the siren {SIREN.id} is disarmed")
    assert await control.audit() == [("control:arc", "siren", SIREN.id, f"refused: the siren {SIREN.id} is disarmed")]


@pytest.mark.parametrize(
    ("path", "more", "says"),
    [
        (f"trigger_siren/{DETECTOR.id}", {}, f"the device {DETECTOR.id} is no siren: its type is detector_hdr"),
        (f"trigger_siren/{SIREN.id}", {"data": {"duration_s": "61"}}, "duration_s must be from 1 to 60"),
        (f"trigger_siren/{SIREN.id}", {"data": {"seconds": "6"}}, "'seconds' is no parameter here"),
        (f"trigger_siren/{SIREN.id}", {"json": {"audio": "tune"}}, "there is no audio 'tune'; get_audio_list"),
        (f"trigger_siren/{SIREN.id}", {"json": {"audio": 3}}, "there is no audio '3'; get_audio_list"),
        (f"arm_device/{SIREN.id}", {"json": {"duration_s": 5}}, "'duration_s' is no parameter here; known: none"),
        ("disarm_area/Depot", {"json": {"duration_s": 5, "no_time_limit": True}}, "duration_s and no_time_limit"),
        (f"arm_device/{SIREN.id}", {"headers": {"Idempotency-Key": "k" * 201}}, "Idempotency-Key is longer"),
    ],
)
async def test_bad_parameters_are_named_and_audited(
    control: Control, path: str, more: dict[str, Any], says: str
) -> None:
    status, text = await control("POST", path, **more)
    assert status == 400
    assert text.startswith(f"Bad Request: {says}")
    [(who, _, _, result)] = await control.audit()
    assert who == "control:arc"
    assert says in result


async def test_orders_by_get_only_for_whom_it_is_allowed(control: Control) -> None:
    status, asked = await control("GET", f"trigger_siren/{SIREN.id}?duration_s=5", "url-only")
    assert (status, asked["state"]) == (202, "requested")


async def test_an_idempotency_key_counts_once_per_user(control: Control) -> None:
    headers = {"Idempotency-Key": "incident-1"}
    _, first = await control("POST", f"trigger_siren/{SIREN.id}", headers=headers)
    assert await control("POST", f"trigger_siren/{SIREN.id}", headers=headers) == (202, first)
    _, other = await control("POST", f"trigger_siren/{SIREN.id}", "north", headers=headers)
    assert other["request_id"] != first["request_id"]
    status, text = await control("POST", f"arm_device/{SIREN.id}", headers=headers)
    assert (status, text) == (400, "Bad Request: the idempotency key 'incident-1' was used for another order")


async def test_a_fourth_request_at_once_is_too_many(control: Control) -> None:
    """Three that never send their body hold the user's places, and only that user's."""
    login = basic("arc", "secret")
    host, _, port = control.url.removeprefix("http://").partition(":")
    slow = [await asyncio.open_connection(host, int(port)) for _ in range(3)]
    head = f"POST /control/v1/arm_device/{SIREN.id} HTTP/1.1\r\nHost: x\r\nAuthorization: {login}\r\n"
    for _, writer in slow:
        writer.write(f"{head}Content-Length: 2\r\n\r\n".encode())
    async with asyncio.timeout(10):
        while await control("GET", "get_siren_list") != (429, "Too Many Requests"):
            await asyncio.sleep(0)
    assert (await control("GET", "get_siren_list", "looker"))[0] == 200
    for reader, writer in slow:
        writer.write(b"{}")
        assert (await reader.readline()) == b"HTTP/1.1 202 Accepted\r\n"
        writer.close()
    async with asyncio.timeout(10):
        while (await control("GET", "get_siren_list"))[0] != 200:
            await asyncio.sleep(0)


async def test_guessing_is_slowed_down(control: Control) -> None:
    answers = [(await control("GET", "get_siren_list", password=f"guess {n}"))[0] for n in range(6)]
    assert answers == [401] * 5 + [429]
    assert (await control("GET", "get_siren_list", "north"))[0] == 200


async def test_a_store_that_cannot_write_is_said(control: Control) -> None:
    async def unavailable(*_: Any) -> Any:
        raise StoreUnavailable("disk full")

    control.gw.gateway.store.request = unavailable  # type: ignore[method-assign]
    assert await control("POST", f"arm_device/{SIREN.id}") == (503, "Service Unavailable")


async def test_a_defect_is_said_with_the_published_words_and_recorded(control: Control) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("no")

    control.gw.gateway.store.commands = broken  # type: ignore[method-assign]
    assert await control("GET", "get_request/X") == (500, "Internal Server Error")
    assert [one.task for one in control.gw.occurrences if isinstance(one, TaskFailed)] == [
        "control GET /control/v1/get_request/X"
    ]


async def test_texts_from_outside_stay_texts(control: Control) -> None:
    """Names with control characters and markup come back as JSON texts, and nothing of a path reaches a header."""
    odd = Device("01FEED0000000001", 'a"\r\nX: y<b>', "siren_v1", "Depot", "ä\x01")
    await control.gw.gateway.devices.put(odd, control.gw.gateway.clock.now())
    assert element(odd) in (await control("GET", "get_siren_list"))[1]
    assert await control("POST", "arm_device/%0d%0aX-Evil:%20y") == (404, "Not Found")
    [(_, _, subject, _)] = await control.audit()
    assert subject == "\r\nX-Evil: y"


async def test_orders_of_others_do_not_disturb(control: Control) -> None:
    asked = await control.gw.gateway.commands.request([SIREN], Wish("arm", "the schedule"))
    assert (await control("GET", f"get_request/{asked.commands[0].id}"))[1]["order"] == "arm"
