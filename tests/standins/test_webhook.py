"""What the stand-in receiver refuses: a stand-in that takes anything proves nothing."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from tocsin.standins.webhook import Answer, Expected, WebhookStandin, serve

AT = datetime(2026, 3, 4, 5, 6, 10, tzinfo=UTC)
KEY = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
HEADERS = {"Content-Type": "application/json; charset=utf-8", "Idempotency-Key": "m1", "webhook-id": "m1"}
BODY = {
    "schema": 1, "event_guid": "7b0c2f4e-5f0e-4f5b-9c1a-0d6a1d6f2b11",
    "event_type": "BA", "event_name": "PersonDetected",
    "site": "9999", "area": None, "zone": "1", "timestamp": "2024-05-30T22:15:04+03:00", "url": "",
    "device_info": {
        "guid": "01AD2DD41C0000C1", "name": "Detector: 2DAD", "type": "", "area": "", "description": "",
        "battery_percentage": 87, "signal_strength_asu": 19, "signal_strength_dbm": -75, "location": None,
    },
    "detections": [{"type": "person", "probability": 0.93}], "binary": [],
}  # fmt: skip


class Now:
    def now(self) -> datetime:
        return AT

    def monotonic(self) -> float:
        return 0.0


class Receiver:
    """A stand-in and a client that may send anything."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    async def ask(self, expected: Expected, headers: dict[str, str], body: bytes, *answers: Answer) -> tuple[int, str]:
        standin = WebhookStandin("127.0.0.1:0", self.told.append, Now(), expected, answers)
        port = await standin.start()
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"http://127.0.0.1:{port}/in", headers=headers, data=body) as response,
            ):
                return response.status, await response.text()
        finally:
            await standin.aclose()


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


def body(**changes: Any) -> bytes:
    return json.dumps({**BODY, **changes}).encode()


async def test_what_is_right_is_taken(receiver: Receiver) -> None:
    assert await receiver.ask(Expected(), HEADERS, body()) == (200, "")
    [told] = receiver.told
    assert (told["event_guid"], told["site"], told["problems"]) == (BODY["event_guid"], "9999", [])
    json.dumps(told)


@pytest.mark.parametrize(
    ("expected", "headers", "data", "status", "part"),
    [
        (Expected(), {"Content-Type": "text/plain"}, body(), 400, "Content-Type"),
        (Expected(), {"Idempotency-Key": "other"}, body(), 400, "not the same"),
        (Expected(), {}, b"{}", 400, "missing required field"),
        (Expected(), {}, b"\xff", 400, "not as agreed"),
        (Expected(), {}, body(event_guid="1"), 400, "event_guid"),
        (Expected(), {}, body(timestamp="2024-05-30T22:15:04"), 400, "no zone"),
        (Expected(), {}, body(site=9999), 400, "site"),
        (Expected(), {}, body(binary=[{"type": "image", "format": "jpg", "data": "R0lG"}]), 400, "photo 1 is no JPEG"),
        (Expected(token="t"), {"Authorization": "Bearer x"}, body(), 401, "bearer token"),
        (Expected(hmac_keys=("0123456789abcdef",)), {"X-Signature-256": "sha256=00"}, body(), 401, "X-Signature-256"),
        (Expected(standard_keys=(KEY,)), {"webhook-timestamp": "1772000000"}, body(), 401, "too far"),
        (Expected(standard_keys=(KEY,)), {"webhook-timestamp": "1772600770"}, body(), 401, "fits none"),
    ],
)
async def test_what_is_wrong_is_said(
    receiver: Receiver, expected: Expected, headers: dict[str, str], data: bytes, status: int, part: str
) -> None:
    answered, text = await receiver.ask(expected, {**HEADERS, **headers}, data)
    assert (answered, part in text) == (status, True), text
    assert receiver.told[0]["problems"]


async def test_the_published_signature_is_accepted(receiver: Receiver) -> None:
    signed = (
        b'{"type":"alarm.person","timestamp":"2026-03-04T05:06:07.000Z",'
        b'"data":{"event_id":"01J8ZQ5C7Q0000000000000001"}}'
    )
    headers = {
        "webhook-id": "evt_01J8ZQ5C7Q0000000000000001",
        "webhook-timestamp": "1772600770",
        "webhook-signature": "v1,zGkz+P+fr9zFbNHHTzlaF5ht3hXDuadiDv9f2/yNFVw=",
    }
    status, _ = await receiver.ask(Expected(standard_keys=(KEY,)), headers, signed)
    assert (status, receiver.told[0]["trusted"]) == (400, True)


async def test_a_reused_id_is_noticed() -> None:
    told: list[dict[str, Any]] = []
    standin = WebhookStandin("127.0.0.1:0", told.append, Now())
    port = await standin.start()
    async with aiohttp.ClientSession() as session:
        statuses = []
        for guid in ("7b0c2f4e-5f0e-4f5b-9c1a-0d6a1d6f2b11",) * 2 + ("00000000-0000-4000-8000-000000000001",):
            async with session.post(f"http://127.0.0.1:{port}/", headers=HEADERS, data=body(event_guid=guid)) as answer:
                statuses.append(answer.status)
    await standin.aclose()
    assert (statuses, [one["duplicate"] for one in told]) == ([200, 200, 400], [False, True, False])


async def test_served_until_cancelled() -> None:
    told: list[dict[str, Any]] = []
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve("127.0.0.1:0", told.append, Now(), started=port.set_result))
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{await port}/", headers=HEADERS, data=body()) as answer,
    ):
        assert answer.status == 200
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(told) == 1
