"""The stand-in software is strict: it says what software that reads by position would stumble over."""

from collections.abc import AsyncIterator

import pytest

from tocsin.engine.clock import LoopClock
from tocsin.protocols.surgard.framing import Dropped, Frame
from tocsin.standins.surgard import Host
from tocsin.standins.surgard_receiver import HEARTBEAT, StandInReceiver

ALARM = b"5011 181234E13001004"


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    one = Host(LoopClock())
    yield one
    await one.aclose()


@pytest.mark.parametrize(
    ("record", "faults"),
    [
        (ALARM, []),
        (HEARTBEAT, []),
        (b"501001 186F01E13002017", []),
        (b"S011[#1234|Nri1/BA01]", []),
        (ALARM + b"08:15:30-04/03", []),
        (b"5011 18123456E13001004", ["22 characters where the layout has 20"]),
        (b"5011181234E13001004", ["not in the strict form", "19 characters where the layout has 20"]),
        (b"1011 @    ", ["not in the strict form", "10 characters where the layout has 20"]),
        (b"S011[#1234|NBA01^" + b"x" * 60 + b"^]", ["a block of 73 bytes where manuals have 66"]),
        (b"S011[#1234|NBA01^P\xc3\xb5hi^]", ["other characters than printable ASCII"]),
        (b"hello", ["no known record"]),
    ],
)
async def test_faults(host: Host, record: bytes, faults: list[str]) -> None:
    assert host.judge(Frame((record,))) == b"\x06", "everything is acknowledged"
    assert host.messages[-1]["faults"] == faults


async def test_another_header_than_demanded_and_stuck_records(host: Host) -> None:
    host.switches.line_digits = 3
    host.judge(Frame((ALARM, ALARM)))
    assert host.messages[-1]["faults"] == ["not in the strict form", "several records without end marks"]
    assert host.judge(Dropped("http", "a web request")) is None


async def test_a_receiver_and_the_software_over_a_socket(host: Host) -> None:
    receiver = StandInReceiver(wait_s=5.0)
    receiver.connects_to("127.0.0.1", await host.start())
    host.switches.nak_first = 1
    for record in (HEARTBEAT, ALARM, ALARM):
        assert (await receiver.send(record)).outcome == "acknowledged"
    await receiver.aclose()
    seen = [(each["kind"], each["answer"], each["repeat"]) for each in host.messages]
    assert seen == [
        ("heartbeat", "ACK", False),
        ("contact-id", "NAK", False),
        ("contact-id", "ACK", True),
        ("contact-id", "ACK", True),
    ]
