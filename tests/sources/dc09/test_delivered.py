"""`acknowledge = "delivered"`: a panel hears nothing before a station has its event, and nobody waits behind it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.sources.dc09.conftest import Receiving

from tocsin.protocols.dc09.frames import wrap
from tocsin.telemetry.occurrences import EventRefused

Start = Callable[..., Awaitable[Receiving]]
LATE = {"acknowledge": "delivered", "delivered_within": "1s"}


def frame(seq: str, data: str = "Nri1/BA1", account: str = "6F01") -> bytes:
    return wrap(f'"SIA-DCS"{seq}L0#{account}[#{account}|{data}]'.encode())


async def connected(it: Receiving) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", it.port)


async def reply(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(5):
        return await reader.readuntil(b"\r")


async def kept(it: Receiving, count: int) -> None:
    async with asyncio.timeout(5):
        while len(it.intake.events) < count:
            await asyncio.sleep(0.005)


async def test_the_acknowledgement_comes_with_the_delivery(receiving: Start) -> None:
    it = await receiving(acknowledge="delivered", delivered_within="30s")
    reader, writer = await connected(it)
    writer.write(frame("0001"))
    await kept(it, 1)
    writer.write(b'\nDEE80027"NULL"0000L0#6F01[]_08:15:30,03-04-2026\r')
    assert b"NULL" not in (poll := await reply(reader))
    assert b'"ACK"0000' in poll, "link tests do not wait"
    it.intake.delivered.set()
    assert b'"ACK"0001' in await reply(reader)
    writer.close()


async def test_without_a_delivery_there_is_no_reply_and_the_repeat_is_answered(receiving: Start) -> None:
    it = await receiving(**LATE)
    reader, writer = await connected(it)
    writer.write(frame("0001"))
    async with asyncio.timeout(5):
        while not it.recorded(EventRefused):
            await asyncio.sleep(0.02)
    assert it.recorded(EventRefused)[0].reason == "not_delivered"
    it.intake.delivered.set()
    writer.write(frame("0001"))
    assert b'"ACK"0001' in await reply(reader)
    assert len(it.intake.events) == 1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.2)
    writer.close()


async def test_what_comes_behind_is_kept_at_once(receiving: Start) -> None:
    it = await receiving(acknowledge="delivered", delivered_within="30s", unknown_accounts="accept")
    reader, writer = await connected(it)
    for number in range(1, 6):
        writer.write(frame(f"000{number}", account=f"6F0{number}"))
        await kept(it, number)
    it.intake.delivered.set()
    assert sorted([(await reply(reader))[14:18] for _ in range(5)]) == [b"0001", b"0002", b"0003", b"0004", b"0005"]
    writer.close()


async def test_a_panel_that_has_said_all_still_gets_its_late_reply(receiving: Start) -> None:
    it = await receiving(acknowledge="delivered", delivered_within="30s")
    reader, writer = await connected(it)
    writer.write(frame("0001"))
    writer.write_eof()
    await kept(it, 1)
    it.intake.delivered.set()
    assert b'"ACK"0001' in await reply(reader)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()


async def test_over_udp_and_to_a_panel_that_left(receiving: Start) -> None:
    it = await receiving(acknowledge="delivered", delivered_within="30s")
    panel = it.panel("6F01", transport="udp")
    raising = asyncio.create_task(panel.event("Nri1/BA1"))
    _, writer = await connected(it)
    writer.write(frame("0007", "Nri1/FA1"))
    await kept(it, 2)
    writer.transport.abort()
    it.intake.delivered.set()
    assert (await asyncio.wait_for(raising, 5)).answer == "ACK"


async def test_a_source_that_stops_leaves_nobody_waiting_and_acknowledges_nothing(receiving: Start) -> None:
    it = await receiving(acknowledge="delivered", delivered_within="30s")
    reader, writer = await connected(it)
    writer.write(frame("0001"))
    await kept(it, 1)
    it.task.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(it.task, return_exceptions=True)
        assert await reader.read() == b""
    writer.close()
