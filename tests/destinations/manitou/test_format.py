"""Packets by both built-in layouts and by a site's own, and their addresses."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.destinations.files import File
from tocsin.destinations.manitou.addressing import address
from tocsin.destinations.manitou.format import event_code, heartbeat, heartbeat_number, packet, signal_number
from tocsin.destinations.manitou.settings import ManitouSettings
from tocsin.model.device import Device
from tocsin.model.event import Actor, Address, Code, Event, Place
from tocsin.protocols.addressing import listed
from tocsin.protocols.errors import Unsendable
from tocsin.standins.manitou import read_packet

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
EVENT = Event(
    id="e1", kind="motion", occurred_at=AT, accepted_at=AT, source="s", device_id="cam", actors=(Actor("person", 0.9),),
    place=Place(name="North gate"), url="https://portal.example/e/01J8ZQ5C7Q",
)  # fmt: skip
JPEG = File("20260304_050607_3_01.jpg", "image/jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF")
WHERE = Address("123588", "1", "3")


def settings(**changes: Any) -> ManitouSettings:
    table = {"name": "arc", "type": "manitou", "hosts": ["arc.example.net:9000"], "account": "123588"}
    return ManitouSettings.model_validate(table | changes)


def changed(**changes: Any) -> Event:
    return Event(**({name: getattr(EVENT, name) for name in EVENT.__struct_fields__} | changes))


def test_the_packet_of_receivers_md() -> None:
    assert packet(settings(), EVENT, WHERE, 4711, [JPEG]).decode() == (
        '<?xml version="1.0" encoding="UTF-8"?><Packet ID="4711"><Signal><TXID>123588</TXID><Event>BA</Event>'
        "<Area>1</Area><Zone>3</Zone><PointID>Person detected, North gate</PointID>"
        "<DateTime>2026-03-04T05:06:07Z</DateTime><URL>https://portal.example/e/01J8ZQ5C7Q</URL>"
        '<Binary Type="jpg" Name="20260304_050607_3_01.jpg">/9j/4AAQSkZJRg==</Binary></Signal></Packet>'
    )


def test_the_packet_of_stations_md() -> None:
    event = changed(url="https://gw.example.net/e/7Q2M")
    assert packet(settings(packet="observed"), event, Address("9280", None, "1"), 5).decode() == (
        '<Packet ID="9280"><Signal EvType="SIA" Event="BA"><Zone>1</Zone><URL>https://gw.example.net/e/7Q2M</URL>'
        "</Signal></Packet>"
    )
    assert b"<Binary><Data>/9j/4AAQSkZJRg==</Data></Binary>" in packet(
        settings(packet="observed"), EVENT, WHERE, 1, [JPEG]
    )


def test_empty_parts_are_left_out() -> None:
    told = read_packet(packet(settings(), changed(url=""), Address("123588"), 1))
    assert told["problems"] == []
    assert set(told["signal"]) == {"TXID", "Event", "PointID", "DateTime"}


def test_a_packet_of_the_sites_own(tmp_path: Path) -> None:
    own = tmp_path / "own.xml"
    own.write_text('<P n="{{ packet_id }}" tx="{{ site_id }}">\n {{ code }}\n {{ pictures }}</P>\n')
    assert packet(settings(packet_file=str(own)), EVENT, WHERE, 9).decode() == '<P n="9" tx="123588">BA</P>'
    own.write_text("{{ colour }}")
    with pytest.raises(ValueError, match='"colour" cannot stand here'):
        settings(packet_file=str(own))


@pytest.mark.parametrize(
    ("changes", "codes", "code"),
    [
        ({}, {}, "BA"),
        ({"state": "restore"}, {}, "BR"),
        ({"kind": "tamper"}, {"tamper": "TA1"}, "TA1"),
        ({"kind": "tamper", "state": "restore"}, {"tamper": "TA1"}, "TR"),
        ({"kind": "tamper", "state": "restore"}, {"tamper.restore": "TR1"}, "TR1"),
        ({"kind": "fire", "code": Code(sia="FA")}, {}, "FA"),
        ({"kind": "panic", "code": Code(contact_id="1120")}, {}, "PA"),
        ({"kind": "system_stopped"}, {}, ""),
        ({"kind": "system_stopped"}, {"system_stopped": "YP9"}, "YP9"),
    ],
)
def test_codes(changes: dict[str, Any], codes: dict[str, str], code: str) -> None:
    assert event_code(settings(codes=codes), changed(**changes)) == code


def test_what_has_no_code_is_no_packet() -> None:
    with pytest.raises(Unsendable, match="no code for system_stopped"):
        packet(settings(), changed(kind="system_stopped"), WHERE, 1)


def test_tests_are_told_in_words() -> None:
    assert "<PointID>TEST Person detected" in packet(settings(), changed(flags=("test",)), WHERE, 1).decode()


def test_numbers_repeat_late_and_heartbeats_have_their_own() -> None:
    assert [signal_number(one) for one in (1, 899_999, 900_000, 900_001)] == [1, 899_999, 1, 2]
    assert [heartbeat_number(one) for one in (0, 99_999, 100_000)] == [900_000, 999_999, 900_000]
    assert heartbeat(settings(), 900_000) == b'<Packet ID="900000"><Heartbeat/></Packet>'
    assert heartbeat(settings(packet="observed"), 1) == b'<Packet ID="123588"><Heartbeat/></Packet>'


def test_a_clip_gets_the_sites_number() -> None:
    document = packet(
        settings(binary_type_codes={"avi": "1005"}), EVENT, WHERE, 1, [File("a.avi", "video/x-msvideo", b"x")]
    )
    assert b'<Binary Type="1005" Name="a.avi">eA==</Binary>' in document


def test_pictures_are_not_kept_in_the_trace() -> None:
    document = packet(settings(), EVENT, WHERE, 1, [JPEG], shown=True)
    assert b"[\xe2\x80\xa6 10 bytes of 20260304_050607_3_01.jpg in base64]" in document


@given(st.text(max_size=60), st.sampled_from(["receivers", "observed"]))
def test_any_text_in_any_field_stays_in_its_element(text: str, layout: str) -> None:
    event = changed(text=text, url=text, place=Place(name=text, area=text), device_id=text or "d")
    document = packet(settings(packet=layout), event, WHERE, 1)
    told = read_packet(document, layout == "observed")
    assert told["problems"] == []
    assert not set(document) & {0, 2, 3, 10, 13}


@pytest.mark.parametrize(
    ("own", "description", "printed", "part"),
    [
        (None, "", "#123588", "default"),
        (None, "Manitou:#4711|1-3", "#4711|1-3", "description"),
        (None, "gate, manitou:#A7-03", "#A7-03", "description"),
        (Address("6F01", "2", "17"), "Manitou:#1", "#6F01|2-17", "own"),
        (Address("0042"), "", "#777", "own"),
    ],
)
def test_addresses(own: Address | None, description: str, printed: str, part: str) -> None:
    found = address(settings(accounts={"0042": "777"}), changed(address=own), Device("cam", description=description))
    assert (found.address, found.problem, found.counter) == (printed, "", "packet")
    assert part in found.origin
    assert str(listed(printed)) == printed


@pytest.mark.parametrize("tag", ["Manitou:#", "Manitou:4711", "Manitou:#1|", "Manitou:#1-a/b"])
def test_a_wrong_tag_is_told(tag: str) -> None:
    found = address(settings(), EVENT, Device("cam", description=tag))
    assert (found.address, "Manitou:#123588|1-3" in found.warning) == ("#123588", True)


def test_without_any_address_it_says_what_to_do() -> None:
    found = address(settings(account=None), EVENT, Device("cam"))
    assert "write it as Manitou:#123588|1-3 into the description of cam" in found.problem


@pytest.mark.parametrize(
    ("table", "part"),
    [
        ({"hosts": ["arc.example.net:0"]}, "needs its port"),
        ({"account": "a b"}, "pattern"),
        ({"ack": ""}, "1 to 200"),
        ({"ack": "a*b*c*d*e*f"}, "at most 4"),
        ({"heartbeat_every": "1s"}, '"5s" and "1h"'),
        ({"heartbeat": "a\nb"}, "one printable line"),
        ({"packet": "observed", "account": None}, "names an account"),
        ({"codes": {"tamper": "ABCDEFGHIJK"}}, "pattern"),
        ({"codes": {"colour": "BA"}}, "no event kind"),
        ({"packet": "mine"}, "receivers"),
        ({"packet_file": "/none.xml"}, "cannot be read"),
    ],
)
def test_unusable_settings_are_refused(table: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=part):
        settings(**table)
