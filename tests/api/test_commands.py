"""Commands over REST: ordered by those who may, fetched by their device alone, answered, listed, audited."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from serving import AREAS, DEVICES, Served, served

from tocsin.api.access import Access, Token, digest
from tocsin.api.limits import Limits
from tocsin.model.device import Device

SIREN = Device("s1", "Siren at the gate", "siren_v1", "Depot", schedule="Mon-Sun 00:00-24:00")
assert {area.name for area in AREAS} >= {"North", "Depot", "Yard"}


def token(name: str, *scopes: str, **narrowed: Any) -> Token:
    areas, devices = narrowed.get("areas"), narrowed.get("devices")
    limits = (None if areas is None else frozenset(areas), None if devices is None else frozenset(devices))
    return Token(name, frozenset(scopes), *limits, digest=digest(f"secret-of-{name}"))


ACCESS = Access(
    (
        token("boss", "admin"),
        token("looker", "read"),
        token("guard", "read", "control"),
        token("north", "read", "control", "commands", areas=("North",)),
        token("siren", "commands", devices=("s1",)),
        token("yard", "read", "control", areas=("Yard",)),
    )
)


class Api:
    def __init__(self, gw: Served) -> None:
        self.gw = gw

    async def __call__(self, method: str, path: str, who: str = "boss", **more: Any) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer secret-of-{who}", **more.pop("headers", {})}
        async with self.gw.http.request(method, f"/api/v1{path}", headers=headers, **more) as answer:
            return answer.status, await answer.json()

    async def order(self, order: str = "siren", device: str = "s1", who: str = "guard", **body: Any) -> Any:
        headers = body.pop("headers", {})
        path = f"/devices/{device}/commands"
        status, answer = await self("POST", path, who, json={"order": order, **body}, headers=headers)
        assert status == 202, answer
        return answer

    async def fetch(self, device: str = "s1", who: str = "siren", wait: float = 0) -> list[Any]:
        status, answer = await self("GET", f"/devices/{device}/commands?wait={wait}", who)
        assert status == 200, answer
        return list(answer["items"])

    async def result(self, command_id: str, state: str = "confirmed", who: str = "siren") -> tuple[int, Any]:
        return await self("POST", f"/commands/{command_id}/result", who, json={"state": state, "text": "done"})


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    limits = Limits(polls=2)
    async with served(tmp_path, access=ACCESS, devices=(*DEVICES, SIREN), limits=limits) as gw:
        yield Api(gw)


async def test_from_order_to_confirmation(api: Api) -> None:
    waiting = asyncio.create_task(api.fetch(wait=30))
    asked = await api.order(audio="leave", duration_s=30)
    assert asked["state"] == "requested"
    assert (asked["requested_by"], asked["source_address"], asked["device_id"]) == ("guard", "127.0.0.1", "s1")
    [got] = await waiting
    assert got == {
        "id": asked["id"],
        "order": "siren",
        "audio": "leave",
        "duration_s": 30,
        "until": None,
        "no_time_limit": False,
        "requested_at": asked["requested_at"],
        "expires_at": asked["expires_at"],
    }
    status, answer = await api("GET", f"/commands/{asked['id']}", "looker")
    assert (status, answer["state"]) == (200, "sent")
    assert await api.result(asked["id"]) == (200, (await api("GET", f"/commands/{asked['id']}"))[1])
    status, answer = await api.result(asked["id"])
    assert (status, answer["state"], answer["result"]) == (200, "confirmed", "done"), "said twice"
    status, answer = await api.result(asked["id"], "failed")
    assert (status, answer["detail"]) == (
        *(409, "This command is confirmed: done; it takes a result only after it was fetched."),
    )
    _, audit = await api("GET", "/audit")
    assert [(one["who"], one["action"], one["subject"], one["source_address"]) for one in audit["items"]] == [
        ("guard", "siren", "s1", "127.0.0.1")
    ] * 2
    assert [one["result"].split(" ")[0] for one in audit["items"]] == ["confirmed", "requested"]


async def test_a_device_that_asks_for_its_orders_is_alive(api: Api) -> None:
    _, before = await api("GET", "/devices/s1")
    assert before["last_contact"] is None
    await api.fetch()
    _, after = await api("GET", "/devices/s1")
    assert after["last_contact"] is not None
    assert (after["status"], (await api("GET", "/devices/d1"))[1]["last_contact"]) == ("unknown", None)


async def test_a_disarm_is_seen_at_the_device_and_told_to_stations(api: Api) -> None:
    asked = await api.order("disarm", "d1", "north", duration_s=3600)
    await api.fetch("d1", "north")
    status, answer = await api.result(asked["id"], who="north")
    assert (status, answer["until"]) == (200, asked["until"])
    _, device = await api("GET", "/devices/d1")
    assert (device["armed"], device["disarmed_until"]) == (False, asked["until"])
    _, device = await api("GET", "/devices/s1")
    assert (device["armed"], device["schedule"]) == (True, "Mon-Sun 00:00-24:00")
    _, events = await api("GET", "/events?kind=disarmed")
    [event] = events["items"]
    assert (event["device_id"], event["text"].split(" until ")[0]) == ("d1", "disarmed by north")
    status, taken = await api("POST", "/events", json={"kind": "motion", "device_id": "d1"})
    assert (status, taken["destinations"]) == (202, [])


async def test_a_disarmed_siren_answers_409(api: Api) -> None:
    asked = await api.order("disarm")
    await api.fetch()
    await api.result(asked["id"])
    status, answer = await api("POST", "/devices/s1/commands", "guard", json={"order": "siren"})
    assert (status, answer["detail"]) == (409, "the siren s1 is disarmed: arm it first.")


async def test_a_result_is_not_taken_for_what_was_never_fetched(api: Api) -> None:
    asked = await api.order()
    status, answer = await api.result(asked["id"])
    assert (status, answer["detail"]) == (
        409,
        "This command is requested; it takes a result only after it was fetched.",
    )


async def test_an_idempotency_key_counts_once(api: Api) -> None:
    first = await api.order(headers={"Idempotency-Key": "k1"})
    again = await api.order(headers={"Idempotency-Key": "k1"})
    assert first["id"] == again["id"]
    status, answer = await api(
        "POST", "/devices/s1/commands", "guard", json={"order": "arm"}, headers={"Idempotency-Key": "k1"}
    )
    assert (status, answer["detail"]) == (422, "the idempotency key 'k1' was used for another order.")


@pytest.mark.parametrize(
    ("method", "path", "who", "expected"),
    [
        ("GET", "/devices/s1/commands", "guard", 403),
        ("GET", "/devices/d1/commands", "siren", 404),
        ("GET", "/devices/nobody/commands", "boss", 404),
        ("POST", "/devices/s1/commands", "looker", 403),
        ("POST", "/devices/s1/commands", "siren", 403),
        ("POST", "/devices/s1/commands", "yard", 404),
        ("POST", "/commands/{id}/result", "guard", 403),
        ("GET", "/commands/{id}", "yard", 404),
        ("GET", "/commands/NOBODY", "boss", 404),
        ("GET", "/commands", "siren", 403),
        ("GET", "/audit", "guard", 403),
        ("GET", "/devices/s1/commands?wait=61", "siren", 422),
        ("GET", "/commands?state=gone", "guard", 422),
    ],
)
async def test_who_may_not(api: Api, method: str, path: str, who: str, expected: int) -> None:
    asked = await api.order()
    body = (
        {"json": {"order": "siren"} if path.endswith("commands") else {"state": "failed"}} if method == "POST" else {}
    )
    status, answer = await api(method, path.replace("{id}", asked["id"]), who, **body)
    assert (status, answer["status"]) == (expected, expected)
    assert (await api("GET", f"/commands/{asked['id']}"))[1]["state"] == "requested"


async def test_another_devices_token_cannot_answer(api: Api) -> None:
    asked = await api.order("arm", "d1")
    await api.fetch("d1", "north")
    assert (await api.result(asked["id"], who="siren"))[0] == 404
    assert (await api.result(asked["id"], who="north"))[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        {"order": "explode"},
        {"order": "siren", "duration_s": 61},
        {"order": "siren", "duration_s": "30"},
        {"order": "siren", "loud": True},
        {"order": "disarm", "duration_s": 5, "no_time_limit": True},
        {},
    ],
)
async def test_orders_that_are_not_understood(api: Api, body: dict[str, Any]) -> None:
    status, answer = await api("POST", "/devices/s1/commands", "guard", json=body)
    assert status == 422
    assert answer["detail"]
    assert (await api("GET", "/commands"))[1]["items"] == []


async def test_lists_show_what_may_be_seen_and_page(api: Api) -> None:
    for n in range(5):
        await api.order("arm" if n % 2 else "disarm", "s1")
    await api.order("arm", "d2", "yard")
    _, yard = await api("GET", "/commands", "yard")
    assert [one["device_id"] for one in yard["items"]] == ["d2"]
    _, first = await api("GET", "/commands?limit=4", "looker")
    _, rest = await api("GET", f"/commands?limit=4&cursor={first['next_cursor']}", "looker")
    assert [len(first["items"]), len(rest["items"]), rest["next_cursor"]] == [4, 2, None]
    _, failed = await api("GET", "/commands?state=failed&state=requested&device_id=s1", "looker")
    assert [one["state"] for one in failed["items"]] == ["requested", *["failed"] * 4]


async def test_more_waiting_devices_than_there_is_room_for_are_sent_away(api: Api) -> None:
    waiting = [asyncio.create_task(api.fetch(wait=30)) for _ in range(2)]
    async with asyncio.timeout(10):
        while True:
            status, answer = await api("GET", "/devices/s1/commands?wait=0", "siren")
            if status == 429:
                break
            await asyncio.sleep(0)
    assert answer["detail"] == "2 devices wait for orders already."
    await api.order()
    assert [len(found) for found in await asyncio.gather(*waiting)] == [1, 1]


async def test_what_a_vanished_device_would_have_been_told_is_not_sent(api: Api) -> None:
    """It hung up while it waited: the order stays requested, so that its state tells the truth."""
    waiting = asyncio.create_task(api.fetch(wait=30))
    async with asyncio.timeout(10):
        while api.gw.gateway.commands._open._waiting == {}:
            await asyncio.sleep(0.01)
    waiting.cancel()
    await asyncio.wait([waiting])
    await api("GET", "/commands")  # meanwhile the server has heard of it, on the same loop
    asked = await api.order()
    async with asyncio.timeout(10):
        while api.gw.gateway.commands._open._waiting:
            await asyncio.sleep(0.01)
    assert (await api("GET", f"/commands/{asked['id']}"))[1]["state"] == "requested"
    assert [one["id"] for one in await api.fetch()] == [asked["id"]]


async def test_the_stream_tells_of_commands_to_those_who_may_see_them(api: Api) -> None:
    async with (
        api.gw.http.get("/api/v1/stream", headers={"authorization": "Bearer secret-of-yard"}) as yard,
        api.gw.http.get("/api/v1/stream", headers={"authorization": "Bearer secret-of-looker"}) as looker,
    ):
        await api.order()
        await api.order("arm", "d2", "yard")
        for stream, device in ((yard, "d2"), (looker, "s1")):
            async with asyncio.timeout(10):
                while not (line := await stream.content.readline()).startswith(b"data: "):
                    pass
            assert f'"device_id":"{device}"'.encode() in line
            assert b'"state":"requested"' in line


async def test_a_device_is_written_with_its_schedule(api: Api) -> None:
    status, device = await api("PUT", "/devices/d9", json={"type": "detector_hdr", "schedule": "Mon 08:00-09:00"})
    assert (status, device["schedule"], device["armed"]) == (200, "Mon 08:00-09:00", True)
    status, answer = await api("PUT", "/devices/d9", json={"schedule": "always"})
    assert status == 422
    assert answer["detail"].startswith("schedule: 'always' names no days or no times")


async def test_the_console_lists_commands(tmp_path: Path) -> None:
    async with served(tmp_path, devices=(*DEVICES, SIREN)) as gw:
        async with gw.http.post("/api/v1/devices/s1/commands", json={"order": "siren", "audio": "<b>"}) as answer:
            assert answer.status == 202
        async with gw.http.get("/commands", headers={"accept": "text/html"}) as answer:
            page = await answer.text()
        assert answer.status == 200
        assert "Siren &lt;b&gt;" in page
        assert "Siren at the gate" in page
        assert "requested" in page
