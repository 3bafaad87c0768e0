"""MicroKey: Sur-Gard's Contact ID record without heartbeat, or a record and answers of the engineer's own."""

from typing import Any

import pytest
from pydantic import ValidationError
from tests.destinations.surgard.conftest import AT, Bench, Software, bench, station

from tocsin.destinations.microkey.settings import MicrokeySettings
from tocsin.engine.contracts import LinkDown, Rejected
from tocsin.model.device import Device
from tocsin.model.event import Actor, Address, Place

__all__ = ["bench", "station"]
SURGARD_FRAME = "5{{ receiver }}{{ line }} 18{{ account }}{{ letter }}{{ code }}{{ group }}{{ zone }}"
"""Sur-Gard's own record, written as an engineer would."""


@pytest.fixture
def microkey(bench: Bench) -> Bench:
    bench.type = "microkey"
    return bench


async def test_by_itself_it_is_surgards_record_without_heartbeat(microkey: Bench, station: Software) -> None:
    arc, port = await station()
    destination = microkey.destination(port)
    event = microkey.event(address=Address("1234", "1", "3"))
    await destination.deliver(microkey.due(destination, event), microkey.attempt())
    assert [each["record"] for each in arc.messages] == ["5011 181234E13001003"]
    assert arc.messages[0]["faults"] == []
    assert destination.supervision_s is None


async def test_own_answers_and_heartbeat(microkey: Bench, station: Software) -> None:
    arc, port = await station(name="microkey")
    arc.switches.ack, arc.switches.nak, arc.switches.nak_first = b"OK", b"NO", 1
    destination = microkey.destination(
        port, ack_byte="4F4B", nak_byte="4e4f", heartbeat="20s", heartbeat_text="PING", attempts=2
    )
    receipt = await destination.deliver(microkey.due(destination), microkey.attempt())
    assert receipt.answer == "OK"
    assert [(each["record"], each["answer"]) for each in arc.messages] == [
        ("PING", "NAK"),
        ("PING", "ACK"),
        ("5011 186F01E13002017", "ACK"),
    ]


async def test_a_refused_heartbeat_is_the_links_fault_and_no_events(microkey: Bench, station: Software) -> None:
    arc, port = await station()
    arc.switches.nak_first = 9
    destination = microkey.destination(port, heartbeat="20s", heartbeat_text="PING", attempts=1)
    for asked in (
        destination.deliver(microkey.due(destination), microkey.attempt()),
        destination.supervise(microkey.attempt()),
    ):
        with pytest.raises(LinkDown, match="answers the heartbeat with NAK"):
            await asked


@pytest.mark.parametrize(
    ("template", "record"),
    [
        (SURGARD_FRAME, b"5011 186F01E13002017\x14"),
        ("{{ account }};{{ letter }}{{ code }};{{ device }}", b"6F01;E130;Norra grind\x14"),
        ("{% if restore %}R{% else %}A{% endif %}{{ zone }}", b"A017\x14"),
    ],
)
def test_templates(microkey: Bench, template: str, record: bytes) -> None:
    event = microkey.event(place=Place(name="Norra gri\x14nd"[:9] + "nd"))
    assert (
        microkey.record(microkey.destination(1, frame_template=template), event).replace(b"gri nd", b"grind") == record
    )


def test_no_name_ends_a_record(microkey: Bench) -> None:
    destination = microkey.destination(1, frame_template="{{ account }} {{ device }}")
    record = microkey.record(destination, microkey.event(place=Place(name="Põhja\x14\r\n\x06värav")))
    assert record == b"6F01 Pohja    varav\x14"


async def test_an_empty_record_is_set_aside(microkey: Bench) -> None:
    destination = microkey.destination(1, frame_template="{{ url }}")
    with pytest.raises(Rejected, match="0 characters"):
        await destination.deliver(microkey.due(destination), microkey.attempt())


async def test_a_record_that_grows_too_long_is_set_aside(microkey: Bench) -> None:
    endless = "{% for a in objects %}{% for b in objects %}" + 300 * "x" + "{% endfor %}{% endfor %}"
    destination = microkey.destination(1, frame_template=endless)
    event = microkey.event(actors=(Actor("person"),) * 64)
    with pytest.raises(Rejected, match="more than 1048576 characters"):
        await destination.deliver(microkey.due(destination, event), microkey.attempt())


def test_its_own_tag(microkey: Bench) -> None:
    event = microkey.event(address=None, device_id="cam", occurred_at=AT)
    device = Device("cam", description="Surgard:#1111 MicroKey:R2L3#9380-004")
    assert microkey.destination(1).address(event, device).address == "R2L3#9380-004"


@pytest.mark.parametrize(
    ("table", "because"),
    [
        ({"ack_byte": "6"}, "pattern"),
        ({"line": "12"}, "room for 1 character"),
        ({"ack_byte": "15"}, "must differ"),
        ({"ack_byte": "1506"}, "must differ"),
        ({"frame_template": "{{ acount }}"}, "acount"),
        ({"heartbeat_text": "a\x14b"}, "pattern"),
        ({"format": "sia2"}, "not permitted"),
    ],
)
def test_refused(table: dict[str, Any], because: str) -> None:
    with pytest.raises(ValidationError, match=because):
        MicrokeySettings.model_validate({"name": "mk", "type": "microkey", "hosts": ["192.0.2.5:1025"]} | table)
