"""The stand-in station and panel against each other: what the demo and commissioning rely on."""

import asyncio
import json
import random
from typing import Any

import pytest

from tocsin.engine.clock import LoopClock
from tocsin.protocols.dc09.frames import wrap
from tocsin.standins.dc09 import Station, serve
from tocsin.standins.panel import PanelOptions, StandInPanel
from tocsin.transports.contract import Endpoint
from tocsin.transports.sockets import SocketNetwork


def panel(port: int, **options: Any) -> StandInPanel:
    own = PanelOptions(Endpoint("127.0.0.1", port), "6F01", **options)
    return StandInPanel(own, SocketNetwork(), LoopClock(), random.Random(1))


async def ask(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_each_message_is_one_line_of_json() -> None:
    told: list[dict[str, Any]] = []
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve("127.0.0.1:0", told.append, LoopClock(), random.Random(1), started=started.set_result)
    )
    sender = panel(await started)
    assert [sent.answer for sent in await sender.burglaries(2)] == ["ACK", "ACK"]
    await sender.poll()
    await sender.aclose()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert [(line["token"], line["seq"], line["answer"]) for line in told] == [
        ("SIA-DCS", "0001", "ACK"),
        ("SIA-DCS", "0002", "ACK"),
        ("NULL", "0000", "ACK"),
    ]
    assert json.loads(json.dumps(told)) == told


async def test_a_panel_repeats_with_the_same_number_until_it_is_acknowledged() -> None:
    station = Station(LoopClock(), random.Random(2))
    port = await station.start()
    station.switches.silent = True
    sender = panel(port, reply_timeout_s=0.05, pause_s=0.0)
    sending = asyncio.create_task(sender.event("#6F01|NBA1"))
    while len(station.messages) < 3:
        await asyncio.sleep(0.01)
    station.switches.silent = False
    sent = await sending
    assert sent.answer == "ACK"
    assert {message["seq"] for message in station.messages} == {"0001"}
    assert [message["repeat"] for message in station.messages][:3] == [False, True, True]
    await sender.aclose()
    await station.aclose()


@pytest.mark.parametrize(
    ("frame", "fault"),
    [
        (b'\n0000000F"NULL"0000L0#6F01[]\r', "no_cr"),
        (b'\n00000013"NULL"0000L0#6F01[]\r', "bad_crc"),
        (wrap(b'"SIA-DCS"0000L0#6F01[#6F01|NBA1]_08:15:30,03-04-2026'), "0001 to 9999"),
        (wrap(b'"SIA-DCS"0001L0#6F01[#6F01|NBA1]'), "timestamp is missing"),
        (wrap(b'"SIA-DCS"0001#6F01[#6F01|NBA1]_08:15:30,03-04-2026'), "L is missing"),
        (wrap(b'"*SIA-DCS"0001L0#6F01[AB]'), "no key"),
    ],
)
async def test_a_strict_station_says_what_is_wrong(frame: bytes, fault: str) -> None:
    station = Station(LoopClock(), random.Random(2))
    port = await station.start()
    await ask(port, frame)
    (message,) = station.messages
    assert any(fault in each for each in message["faults"]), message
    await station.aclose()


async def test_a_panel_refused_and_a_panel_with_another_key() -> None:
    station = Station(LoopClock(), random.Random(2), keys={"6F01": b"0123456789abcdef"})
    port = await station.start()
    for key in (None, b"fedcba9876543210"):
        sender = panel(port, key=key, most_tries=1)
        assert (await sender.event("#6F01|NBA1")).answer == "DUH"
        await sender.aclose()
    sender = panel(port, key=b"0123456789abcdef", keep=False)
    assert (await sender.event("#6F01|NBA1")).answer == "ACK"
    await station.aclose()


async def test_a_panel_counts_from_its_first_number_and_round_again() -> None:
    station = Station(LoopClock(), random.Random(1))
    sender = panel(await station.start(), first_number=9999)
    assert [sent.seq for sent in await sender.burglaries(2)] == ["9999", "0001"]
    await sender.aclose()
    await station.aclose()
