"""Exact bytes: the published examples, and what must never be wrong in a frame."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from tocsin.destinations.dc09.format import sequence, shown
from tocsin.model.delivery import Due
from tocsin.model.device import Device
from tocsin.model.event import Actor, Address, Code, Event, Location, Place
from tocsin.protocols.dc09.frames import wrap

SENT = datetime(2024, 5, 30, 19, 15, 5, tzinfo=UTC)


class At:
    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        return self._moment

    monotonic = staticmethod(lambda: 0.0)


def motion(**changes: Any) -> Event:
    event = Event(
        id="7Q2M",
        kind="motion",
        occurred_at=datetime(2024, 5, 30, 19, 15, 4, tzinfo=UTC),
        accepted_at=SENT,
        source="detectors",
        zone="+03:00",
        device_id="01AD2DD41C0000C1",
        place=Place(name="Detector 2DAD", area="North depot"),
        url="https://gw.example.net/e/7Q2M",
    )
    return replace(event, **changes)


def frame(bench: Any, event: Event, number: int, description: str = "", **changes: Any) -> bytes:
    bench.clock = At(SENT)
    destination = bench.destination(1, **changes)
    device = Device(event.device_id, description=description)
    where = destination.address(event, device)
    assert not where.problem
    due = bench.due(destination, event)
    due = Due(due.key, due.lane, where.address, where.queue, number, event)
    (rendered,) = destination.render(due, ())
    return rendered.data


def test_the_published_contact_id_example(bench: Any) -> None:
    made = frame(
        bench, motion(), 43, "Gate cam, SIA:#9280|00-001", format="ADM-CID", occurred_time="device", account="1111"
    )
    assert made == (
        b'\nF17C008F"ADM-CID"0043L0#9280[#9280|1130 00 001][SNorth depot][LDetector 2DAD][H22:15:04,05-30-2024]'
        b"[Vhttps://gw.example.net/e/7Q2M]_19:15:05,05-30-2024\r"
    )


def test_the_full_sia_dcs_example_but_for_its_picture(bench: Any) -> None:
    event = motion(
        battery=87, signal_asu=19, actors=(Actor("person", 0.93),), location=Location(lat=59.437, lon=24.752)
    )
    made = frame(bench, event, 42, "SIA:R1L234#567890-001", occurred_time="device")
    assert made == wrap(
        b'"SIA-DCS"0042R1L234#567890[#567890|NBA001][SNorth depot][LDetector 2DAD][H22:15:04,05-30-2024]'
        b"[Vhttps://gw.example.net/e/7Q2M][Ibattery=87%;asu=19;person=0.93][X024E45.1][Y059N26.2]_19:15:05,05-30-2024"
    )


def test_h_is_utc_by_default_and_every_field_can_be_left_out(bench: Any) -> None:
    made = frame(bench, motion(), 1, "SIA:#9280-001")
    assert b"[H19:15:04,05-30-2024]" in made
    none = dict.fromkeys(("area", "device", "time", "link", "info", "position"), False)
    made = frame(bench, motion(battery=5), 1, "SIA:#9280-001", fields=none)
    assert made == wrap(b'"SIA-DCS"0001L0#9280[#9280|NBA001]_19:15:05,05-30-2024')


def test_numbers_wrap_as_on_the_wire(bench: Any) -> None:
    assert [sequence(number) for number in (1, 9999, 10_000, 19_998, 19_999)] == [
        "0001",
        "9999",
        "0001",
        "9999",
        "0001",
    ]


def test_leading_zeros_survive(bench: Any) -> None:
    made = frame(bench, motion(address=Address("000110", "02", "007")), 1, dcs_group_as_ri=True, prefix="0000")
    assert made.startswith(b"\n")
    assert b'"SIA-DCS"0001L0000#000110[#000110|Nri02/BA007]' in made


def test_a_group_from_a_description_goes_out_as_ri_only_when_asked_for(bench: Any) -> None:
    assert b"[#9280|NBA001]" in frame(bench, motion(), 1, "SIA:#9280|02-001")
    assert b"[#9280|Nri02/BA001]" in frame(bench, motion(), 1, "SIA:#9280|02-001", dcs_group_as_ri=True)


def test_structure_in_texts_cannot_break_the_frame(bench: Any) -> None:
    place = Place(name="Gate [1]|\r\n2", area="A]B[C")
    made = frame(bench, motion(place=place, text="]_00:00:00,01-01-2000"), 1, "SIA:#9280-001")
    assert made.count(b"\r") == 1
    assert made.count(b"\n") == 1
    assert b"[SA)B(C][LGate (1)" in made
    assert b"[I)_00:00:00,01-01-2000]" in made


@pytest.mark.parametrize(
    ("encoding", "expected"), [("utf-8", "Gehäuse".encode()), ("cp1252", b"Geh\xe4use"), ("ascii", b"Gehause")]
)
def test_encodings(bench: Any, encoding: str, expected: bytes) -> None:
    assert b"[L" + expected + b"]" in frame(
        bench, motion(place=Place(name="Gehäuse")), 1, "SIA:#9280", encoding=encoding
    )


def test_a_panels_own_code_passes_and_other_codes_can_be_set(bench: Any) -> None:
    panel = motion(kind="alarm", code=Code(sia="BG", number="5"), address=Address("9280", zone="5"))
    assert b"|NBG5]" in frame(bench, panel, 1)
    assert b"|1383 00 001]" in frame(bench, motion(kind="tamper"), 1, "SIA:#9280-001", format="ADM-CID")
    changed = frame(bench, motion(kind="tamper"), 1, "SIA:#9280-001", format="ADM-CID", codes={"tamper": "137"})
    assert b"|1137 00 001]" in changed


def test_a_test_says_so(bench: Any) -> None:
    assert b"[ITEST;battery=5%]" in frame(bench, motion(flags=("test",), battery=5), 1, "SIA:#9280")


def test_an_event_sia_has_no_code_for_is_unsupported(bench: Any) -> None:
    destination = bench.destination(1)
    assert "no code for system_stopped" in destination.address(motion(kind="system_stopped"), None).unsupported
    assert not destination.address(motion(), None).unsupported


def test_encrypted_frames_differ_each_time_and_the_clear_text_is_in_the_note(bench: Any) -> None:
    destination = bench.destination(1, key={"text": "0123456789abcdef"})
    due = bench.due(destination)
    (one,), (two,) = destination.render(due, ()), destination.render(due, ())
    assert one.data != two.data
    assert one.note == "[#6F01|Nri2/BA17][SNorth depot][LDetector 2DAD][H08:15:28,03-04-2026]"
    assert b'"*SIA-DCS"0001L0#6F01[' in one.data


def test_shown_masks_keys_and_names_control_bytes() -> None:
    assert shown(b'\n1234"RSP"[Ksecret]\x01\r') == '<LF>1234"RSP"[K***]<01><CR>'
