"""Against an independent panel: my-dc09-spt, in its own thread, with a new connection per message."""

import asyncio
from typing import Any

import pytest
from my_dc09_spt.dc09_spt import dc09_spt
from my_dc09_spt.msg.dc09_msg import dc09_msg

KEYS = {"plain": None, "AES-128": b"Sample key no. 1", "AES-256": b"Sample key number three, 32 byte"}
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


def panel(port: int, key: bytes | None, form: str) -> dc09_spt:
    made = dc09_spt("6F01", receiver=1, line=0x234)
    made.set_path("main", "primary", "127.0.0.1", port, account="6F01", key=key, type=form)
    return made


def account(key: bytes | None) -> dict[str, Any]:
    return {"account": "6F01"} | ({"key": {"text": key.decode()}} if key else {})


@pytest.mark.parametrize("form", ["tcp", "udp"])
@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
async def test_events_of_both_formats(receiving: Any, key: bytes | None, form: str) -> None:
    gw = await receiving(accounts=[account(key)])
    sender = panel(gw.port, key, form)
    link = {"verification": "https://verify.example.org/e/7f3a"}
    await asyncio.to_thread(sender.send_msg, "SIA-DCS", {"area": 2, "code": "BA", "zone": 17} | link)
    await asyncio.to_thread(sender.send_msg, "ADM-CID", {"area": "02", "code": 401, "q": 3, "user": 7})
    assert sender.notSent() == 0
    burglary, armed = gw.intake.events
    assert (burglary.kind, burglary.code.sia, burglary.address.zone) == ("burglary", "BA", "17")
    assert burglary.url == "https://verify.example.org/e/7f3a"
    assert (burglary.address.receiver, burglary.address.prefix) == ("1", "234")
    assert (armed.kind, armed.code.contact_id, armed.user) == ("armed", "3401", "007")


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
async def test_polls(receiving: Any, key: bytes | None) -> None:
    gw = await receiving(accounts=[account(key)])
    sender = panel(gw.port, key, "tcp")
    path = sender.tpaths["main"]["primary"]["path"]
    assert await asyncio.to_thread(sender.transfer_msg, 0, "NULL", "]", path)
    assert gw.heard == [("panels", "6F01")]
    assert gw.intake.events == []


async def test_it_reads_our_time_from_a_refusal_of_its_own(receiving: Any) -> None:
    key = KEYS["AES-128"]
    gw = await receiving(accounts=[account(key)])
    block = dc09_msg("6F01", key, 1, 0x234, offset=3600)
    refusal = await gw.raw(block.dc09block(1, "SIA-DCS", "#6F01|NBA17]").encode(), 1)
    word, offset = block.dc09answer(1, refusal.decode())
    assert (word, abs(offset) < 5) == ("NAK", True)
    block.set_offset(offset)
    answer = await gw.raw(block.dc09block(1, "SIA-DCS", "#6F01|NBA17]").encode(), 1)
    assert block.dc09answer(1, answer.decode())[0] == "ACK"
    assert [event.kind for event in gw.intake.events] == ["burglary"]
