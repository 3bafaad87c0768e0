"""Shapes as published (golden/published.json names where): what we read of them, and that the stand-in is no other."""

import json
from datetime import UTC
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientSession
from tests.systems.onguard.conftest import AT, Bench

from tocsin.engine.systems import LicenceRefused
from tocsin.standins.onguard import BASE
from tocsin.systems.onguard.answers import fault_of, items, members
from tocsin.systems.onguard.bus import Subscription
from tocsin.systems.onguard.events import read_event
from tocsin.systems.onguard.listing import key_of
from tocsin.transports.http import HttpAnswer

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden" / "published.json").read_text())
PAGE = {"count", "page_number", "page_size", "total_items", "total_pages", "item_list"}


def answer(name: str) -> dict[str, Any]:
    return members(HttpAnswer(200, "", (), json.dumps(GOLDEN[name]).encode()), name)


def test_published_answers_are_read() -> None:
    assert key_of(items(answer("GET instances"), "")[0], ["ID"]) == "3"
    assert items(answer("GET directories"), "")[0]["Name"] == "<Internal>"
    event = read_event(items(answer("GET logged_events"), "")[0], UTC)
    assert event is not None
    assert (event.serial_number, event.at, event.device_name) == (7, AT, "Door")
    where = msgspec.convert(answer("GET event_subscriptions/{id}"), Subscription)
    assert (where.queue_name, where.message_broker_port) == ("q", 5671)
    refused = GOLDEN["refused application"]
    body = json.dumps({"error": refused["error"]}).encode()
    assert isinstance(fault_of(HttpAnswer(refused["status"], "", (), body), "version"), LicenceRefused)


async def test_the_stand_in_answers_in_published_shapes(bench: Bench) -> None:
    standin, port = await bench.server()
    standin.site.log("Door Forced Open", AT, controller_id=3)
    login = {"user_name": "openaccess-svc", "password": "let-me-in", "directory_id": "id-1"}
    headers = {"Application-Id": "TOCSIN_TEST"}
    async with ClientSession(f"http://127.0.0.1:{port}") as client:

        async def said(method: str, operation: str, body: Any = None, **query: str) -> dict[str, Any]:
            query = {"version": "1.0", **query}
            async with client.request(method, BASE + operation, headers=headers, params=query, json=body) as response:
                assert response.status == 200, await response.text()
                found: dict[str, Any] = await response.json()
                return found

        given = await said("POST", "authentication", login)
        assert given.keys() - {"version"} == GOLDEN["POST authentication"].keys()
        headers["Session-Token"] = given["session_token"]
        assert (await said("GET", "version")).keys() == GOLDEN["GET version"].keys()
        for operation, query in (
            ("instances", {"type_name": "Lnl_Panel"}),
            ("logged_events", {"filter": "serial_number>0"}),
        ):
            page = await said("GET", operation, **query)
            assert PAGE <= page.keys() <= GOLDEN[f"GET {operation}"].keys() | {"type_name"}
        assert page["item_list"][0].keys() <= GOLDEN["GET logged_events"]["item_list"][0].keys()
        made = await said("POST", "event_subscriptions", {"description": "d", "filter": "", "is_durable": True})
        assert made.keys() <= GOLDEN["GET event_subscriptions/{id}"].keys()


@pytest.mark.parametrize(
    ("method", "operation", "query", "status"),
    [
        ("GET", "directories", {}, 400),
        ("GET", "version", {"version": "1.0"}, 401),
        ("GET", "directories", {"version": "1.0", "page": "1"}, 400),
        ("GET", "Items", {"version": "1.0"}, 404),
        ("POST", "oauth/token", {"version": "1.0"}, 404),
    ],
)
async def test_the_stand_in_is_strict(bench: Bench, method: str, operation: str, query: Any, status: int) -> None:
    _, port = await bench.server()
    async with (
        ClientSession(f"http://127.0.0.1:{port}", headers={"Application-Id": "TOCSIN_TEST"}) as client,
        client.request(method, BASE + operation, params=query) as response,
    ):
        assert response.status == status
