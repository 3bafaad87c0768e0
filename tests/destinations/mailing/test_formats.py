"""What each station reads, byte for byte, from its chapter's own examples; and that no text can break it."""

import csv
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from importlib.resources import files
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from tocsin.destinations.immix.settings import NAMES
from tocsin.destinations.mailing.names import Names, read_names
from tocsin.model.device import Device
from tocsin.model.event import Actor, Address, Code, Event, Location, Place
from tocsin.model.kinds import KINDS, State
from tocsin.sources.smtp.alarm_xml import read_alarm
from tocsin.standins.mail_readers import Assumed, Letter, understood

Make = Callable[..., Any]
PERSON, CAR = (Actor("person", 0.93),), (Actor("car", 0.5),)


def mail_of(destination: Any, make_due: Make, event: Event, device: Device | None = None) -> EmailMessage:
    found = destination.address(event, device)
    assert found.problem == ""
    [rendered] = destination.render(make_due(event, found.address), [])
    message = message_from_bytes(rendered.data, policy=default)
    assert not [defect for part in message.walk() for defect in part.defects]
    return message


def text_of(message: EmailMessage) -> str:
    return str(message.get_content()).replace("\r\n", "\n").removesuffix("\n")


# Immix (receivers.md 2)


def test_immix_as_its_guides_show_it(make_station: Make, make_due: Make, make_event: Make) -> None:
    event = make_event(
        place=Place("Detector 2A41", area="North gate"),
        url="https://portal.example/e/01J8ZQ5C7Q",
        location=Location(59.437, 24.7536),
    )
    message = mail_of(make_station("immix"), make_due, event)
    assert (message["From"], message["To"]) == ("S12345@immixalarms.com", "S12345@immixalarms.com")
    assert message["Subject"] == "PersonDetected"
    assert message["Message-ID"] == "<01J8ZQ5C7Q0000000000000001.arc@immixalarms.com>"
    assert text_of(message) == (
        "<Alarm>\n"
        "<VersionInfo>1</VersionInfo>\n"
        "<Input1>1</Input1>\n"
        "<EventType>PersonDetected</EventType>\n"
        "<ExtraText>Person detected, Detector 2A41, North gate, battery 87 %</ExtraText>\n"
        "<DateTime>2024-05-30T19:15:04Z</DateTime>\n"
        "<Location>59.437000,24.753600</Location>\n"
        "<URL>https://portal.example/e/01J8ZQ5C7Q</URL>\n"
        "</Alarm>"
    )


def test_immix_leaves_out_what_it_may(make_station: Make, make_due: Make, make_event: Make) -> None:
    event = make_event(location=None, url="", battery=None, flags=("test",))
    declared = make_station("immix", datetime="omit", xml_declaration=True)
    text = text_of(mail_of(declared, make_due, event))
    assert text.startswith('<?xml version="1.0" encoding="utf-8"?>\n<Alarm>\n')
    assert "<ExtraText>TEST, Person detected, Detector: 2DAD, North depot</ExtraText>" in text
    assert "<Location>North depot</Location>" in text
    assert "DateTime" not in text
    assert "URL" not in text


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ({"zone": "Europe/Tallinn", "format": "%d.%m.%Y %H:%M:%S"}, "30.05.2024 22:15:04"),
        ({"zone": "", "format": "%Y-%m-%dT%H:%M:%S"}, "2024-05-30T22:15:04"),
        ({}, "2024-05-30T19:15:04Z"),
    ],
)
def test_immix_times(make_station: Make, make_due: Make, make_event: Make, given: dict[str, str], at: str) -> None:
    assert f"<DateTime>{at}</DateTime>" in text_of(mail_of(make_station("immix", time=given), make_due, make_event()))


@pytest.mark.parametrize(
    ("given", "own", "device", "mailbox", "number"),
    [
        ({}, None, None, "S12345", "1"),
        ({"input": "7"}, None, Device("d", description="Immix:S99"), "S99", "7"),
        ({"zone_offset": 1}, None, Device("d", addresses={"arc": Address("S99", zone="003")}), "S99", "4"),
        ({}, Address("9280", zone="5"), None, "S12345", "1"),
        ({"accounts": {"9280": "S77"}}, Address("9280", zone="5"), None, "S77", "1"),
        ({"accounts": {"9280": "S77"}, "input": "zone"}, Address("9280", zone="005"), None, "S77", "5"),
        ({"accounts": {"92ab": "S77"}, "input": "zone"}, Address("92AB", zone="5A"), None, "S77", "1"),
    ],
)
def test_immix_addresses(
    make_station: Make, make_due: Make, make_event: Make,
    given: dict[str, Any], own: Address | None, device: Device | None, mailbox: str, number: str,
) -> None:  # fmt: skip
    message = mail_of(make_station("immix", **given), make_due, make_event(address=own), device)
    assert message["To"] == f"{mailbox}@immixalarms.com"
    assert f"<Input1>{number}</Input1>" in text_of(message)


@pytest.mark.parametrize("listed", [Address("X1"), Address("S1", zone="A")])
def test_immix_takes_no_address_it_cannot_send(make_station: Make, make_event: Make, listed: Address) -> None:
    found = make_station("immix").address(make_event(), Device("d", addresses={"arc": listed}))
    assert (found.address, "is no" in found.problem) == ("", True)


def test_immix_names_are_the_published_ones_and_can_be_replaced(
    make_station: Make, make_due: Make, make_event: Make
) -> None:
    assert len(NAMES) == 35
    assert set(read_names("tocsin.destinations.immix", "codes.csv").table.values()) <= NAMES
    station = make_station(
        "immix", codes={"motion": "SystemAlarm", "motion.vehicle": "LineCounter"}, extra_names=["SystemAlarm"]
    )
    for actors, name in ((PERSON, "SystemAlarm"), (CAR, "LineCounter"), ((), "SystemAlarm")):
        assert mail_of(station, make_due, make_event(actors=actors))["Subject"] == name
    with pytest.raises(ValueError, match='did you mean "PersonDetected"'):
        make_station("immix", codes={"motion": "personDetected"})


@pytest.mark.parametrize(
    ("changes", "name", "text"),
    [
        ({"actors": CAR}, "VehicleDetected", "Vehicle detected"),
        ({"actors": ()}, "MotionDetected", "Movement detected"),
        ({"kind": "tamper", "state": "restore"}, "TamperAlarm", "Tamper: restored"),
        ({"kind": "battery_low"}, "SystemEvent", "Battery low"),
        ({"kind": "armed"}, "DeviceArm", "Armed"),
        ({"kind": "routine_check"}, "TestAlarm", "Routine check"),
        ({"kind": "video_loss"}, "VideoLoss", "Video loss"),
    ],
)
def test_immix_events(
    make_station: Make, make_due: Make, make_event: Make, changes: dict[str, Any], name: str, text: str
) -> None:
    message = mail_of(make_station("immix"), make_due, make_event(**changes))
    assert message["Subject"] == name
    assert f"<ExtraText>{text}, Detector: 2DAD" in text_of(message)


@pytest.mark.parametrize(
    "changes", [{"actors": PERSON}, {"actors": CAR}, {"actors": ()}, {"kind": "tamper"}, {"kind": "fire"}]
)
def test_the_gateways_own_mail_source_reads_what_immix_gets(
    make_station: Make, make_due: Make, make_event: Make, changes: dict[str, Any]
) -> None:
    event = make_event(place=Place("Värav <2>", area="A & B"), location=Location(59.437, -24.7536), **changes)
    read = read_alarm(text_of(mail_of(make_station("immix", input="7"), make_due, event)))
    assert read is not None
    assert (read.kind, read.number, read.occurred, read.url) == (event.kind, "7", event.occurred_at, event.url)
    assert read.location == event.location
    assert event.kind != "motion" or read.actor == {PERSON: "person", CAR: "vehicle"}.get(event.actors)
    assert "Värav <2>, A & B" in read.text


@pytest.mark.parametrize(
    ("kind", "name"),
    [("immix", "＜/ExtraText＞＜EventType＞TestAlarm＜/EventType＞"), ("sentinel", "gate｜Event=Test")],
)
def test_spelt_in_ascii_no_text_gains_a_mark_of_structure(
    make_station: Make, make_due: Make, make_event: Make, kind: str, name: str
) -> None:
    event = make_event(place=Place(name, area="North depot"))
    text = text_of(mail_of(make_station(kind, ascii_only=True), make_due, event))
    parts = [node.text for node in etree.fromstring(text)] if kind == "immix" else text.split("|")
    assert not {"TestAlarm", "Event=Test"}.intersection(parts)


# Sentinel (receivers.md 3)


def test_sentinel_in_one_line_and_in_many(make_station: Make, make_due: Make, make_event: Make) -> None:
    event = make_event(place=Place("North gate"), text="Detector 2A41")
    device = Device("d", addresses={"arc": Address("12345", zone="3")})
    pairs = [
        "SiteID=12345", "CameraNo=3", "EventType=Gateway", "Event=Intruder", "CameraName=North gate",
        "DateTime=2024-05-30 22:15:04", "Text=Person detected, North gate, Detector 2A41",
        "URL=https://gw.example.net/e/7Q2M",
    ]  # fmt: skip
    message = mail_of(make_station("sentinel"), make_due, event, device)
    assert (message["To"], message["Subject"]) == ("12345@arc.example.net", "12345 Intruder")
    assert text_of(message) == "|".join(pairs)
    assert text_of(mail_of(make_station("sentinel", layout="lines"), make_due, event, device)) == "\n".join(pairs)


def test_sentinel_leaves_empty_pairs_out(make_station: Make, make_due: Make, make_event: Make) -> None:
    event = make_event(place=Place(), device_id="", url="", address=Address("9280", zone="5"), actors=())
    station = make_station("sentinel", layout="lines", to="alarm@sentinel.example.net", accounts={"9280": "777"})
    message = mail_of(station, make_due, event)
    assert message["To"] == "alarm@sentinel.example.net"
    assert text_of(message) == (
        "SiteID=777\nCameraNo=5\nEventType=Gateway\nEvent=Intruder\nDateTime=2024-05-30 22:15:04\n"
        "Text=Movement detected"
    )


@pytest.mark.parametrize(
    ("kind", "state", "word"),
    [
        ("tamper", "new", "Tamper"), ("tamper", "restore", "Tamper Restore"), ("aux_power_lost", "new", "Mains Fail"),
        ("aux_power_found", "new", "Mains Restore"), ("battery_low", "new", "Low Battery"),
        ("connection_lost", "new", "System Offline"), ("connection_restored", "new", "System Online"),
        ("routine_check", "new", "Test"), ("armed", "new", "Set"), ("disarmed", "new", "Unset"),
        ("fire", "new", "Fire"), ("panic", "new", "Panic"), ("motion", "restore", "Intruder"),
    ],
)  # fmt: skip
def test_sentinel_words(
    make_station: Make, make_due: Make, make_event: Make, kind: str, state: State, word: str
) -> None:
    message = mail_of(make_station("sentinel"), make_due, make_event(kind=kind, state=state))
    assert message["Subject"] == f"12345 {word}"


def test_sentinel_has_no_word_for_a_snapshot_until_it_gets_one(make_station: Make, make_event: Make) -> None:
    snapshot = make_event(kind="snapshot")
    assert "give it one in codes" in make_station("sentinel").address(snapshot, None).unsupported
    assert make_station("sentinel", codes={"snapshot": "Picture"}).address(snapshot, None).address == "#12345"


# Patriot (receivers.md 4.1)


@pytest.mark.parametrize(
    ("given", "changes", "line"),
    [
        ({}, {}, "client=0011-01 type=130 url=https://gw.example.net/e/7Q2M"),
        ({"account": "0011", "zone": "3"}, {"url": ""}, "client=0011 zone=3 type=130"),
        ({}, {"url": "", "address": Address("4711", "02", "007")}, "client=4711-02 zone=7 type=130"),
        ({}, {"url": "", "address": Address("4711", "02", "A7")}, "client=4711-02 type=130"),
        ({}, {"url": "", "address": Address("4711", None, "65001")}, "client=4711 type=130"),
        ({"accounts": {"4711": "0099-07"}}, {"url": "", "address": Address("4711")}, "client=0099-07 type=130"),
        ({"types": "none"}, {"url": ""}, "client=0011-01"),
        ({"types": "none", "codes": {"motion.person": "7"}}, {"url": ""}, "client=0011-01 type=7"),
        ({}, {"url": "", "kind": "burglary", "code": Code(contact_id="1133")}, "client=0011-01 type=133"),
        ({}, {"url": "", "kind": "burglary", "code": Code(contact_id="3133"), "state": "restore"}, "client=0011-01"),
        ({}, {"url": "", "kind": "tamper", "state": "restore"}, "client=0011-01"),
        ({"codes": {"tamper.restore": "537"}}, {"url": "", "kind": "tamper", "state": "restore"},
         "client=0011-01 type=537"),
        ({}, {"url": "", "kind": "battery_restored"}, "client=0011-01"),
        ({}, {"url": " https://x.example/a b\tc\r\nü type=9 "},
         "client=0011-01 type=130 url=https://x.example/a%20b%09c%0D%0A%C3%BC%20type=9"),
    ],
)  # fmt: skip
def test_patriot_lines(
    make_station: Make, make_due: Make, make_event: Make, given: dict[str, Any], changes: dict[str, Any], line: str
) -> None:
    assert text_of(mail_of(make_station("patriot", **given), make_due, make_event(**changes))) == line


def test_patriots_subject_is_for_people(make_station: Make, make_due: Make, make_event: Make) -> None:
    message = mail_of(make_station("patriot"), make_due, make_event(flags=("test",)))
    assert (message["To"], message["From"]) == ("in@arc.example.net", "gw@example.net")
    assert message["Subject"] == "0011-01 TEST Person detected, Detector: 2DAD"


@pytest.mark.parametrize("code", ["65001", "-1", "1 2", "١", "E130"])
def test_patriot_types_are_numbers(make_station: Make, code: str) -> None:
    make_station("patriot", codes={"motion": "65000"})
    with pytest.raises(ValueError, match="is a number from 0 to 65000"):
        make_station("patriot", codes={"motion": code})


def test_patriot_takes_no_client_it_cannot_send(make_station: Make, make_event: Make) -> None:
    found = make_station("patriot").address(make_event(address=Address("1" * 17)), None)
    assert "up to 16 letters and digits" in found.problem


# SureView (receivers.md 5)


def test_sureview_ops(make_station: Make, make_due: Make, make_event: Make) -> None:
    message = mail_of(make_station("sureview"), make_due, make_event())
    assert message["To"] == "xk72mnp4ab@us.sureviewops.com"
    assert message["Subject"] == "Person detected, Detector: 2DAD - North depot"
    assert text_of(message) == (
        "North depot / Detector: 2DAD\n"
        "2024-05-30 22:15:04 UTC+03:00, battery 87 %\n"
        "59.437000,24.752000\n"
        "https://gw.example.net/e/7Q2M"
    )


def test_sureview_response(make_station: Make, make_due: Make, make_event: Make) -> None:
    station = make_station("sureview", layout="sureview-response", time={"zone": "UTC"})
    assert text_of(mail_of(station, make_due, make_event(kind="tamper", state="restore", url=""))) == (
        "Event: TamperRestored\nText: Tamper: restored, Detector: 2DAD\nState: restored\nTest: no\nSite: North depot\n"
        "Device: Detector: 2DAD\nDeviceID: 01AD2DD41C0000C1\nTime: 2024-05-30 19:15:04 UTC\nObjects: person\n"
        "Battery: 87\nPosition: 59.437000,24.752000\nURL: \nEventID: 01J8ZQ5C7Q0000000000000001"
    )


@pytest.mark.parametrize(
    ("given", "tag", "address"),
    [
        ({}, "SureView:ab12", "ab12@us.sureviewops.com"),
        ({"region": "eu"}, "SureView:ab12", "ab12@eu.sureviewops.com"),
        ({"domain": "sv.example.net"}, "SureView:ab12", "ab12@sv.example.net"),
        ({}, "sureview:ab12@eu.sureviewops.com", "ab12@eu.sureviewops.com"),
        ({}, "SureView:a@b@c", "xk72mnp4ab@us.sureviewops.com"),
        ({}, "SureView:", "xk72mnp4ab@us.sureviewops.com"),
    ],
)
def test_sureview_addresses(
    make_station: Make, make_event: Make, given: dict[str, Any], tag: str, address: str
) -> None:
    found = make_station("sureview", **given).address(make_event(), Device("d", description=f"Gate, {tag}"))
    assert found.address == address
    assert ("is not used" in found.warning) is address.startswith("xk72")


def test_sureview_subjects_stay_under_a_hundred_characters(
    make_station: Make, make_due: Make, make_event: Make
) -> None:
    event = make_event(text="x" * 200, place=Place("y" * 50, area="z" * 90), flags=("test",))
    assert len(mail_of(make_station("sureview"), make_due, event)["Subject"]) <= 100


# All of them


@pytest.mark.parametrize("kind", ["immix", "sentinel", "patriot"])
def test_every_table_names_events_that_there_are(kind: str) -> None:
    text = files(f"tocsin.destinations.{kind}").joinpath("codes.csv").read_text(encoding="utf-8")
    events = [row["event"] for row in csv.DictReader(text.splitlines())]
    assert len(set(events)) == len(events)
    assert set(events) <= KINDS | {"motion.person", "motion.vehicle"}
    if kind == "immix":
        assert {event.partition(".")[0] for event in events} == KINDS


@pytest.mark.parametrize(
    ("table", "changes", "name", "own"),
    [
        ({"motion": "a", "motion.person": "b"}, {}, "b", "b"),
        ({"motion": "a"}, {}, "a", "a"),
        ({"motion": "a", "motion.restore": "c", "motion.person": "b"}, {"state": "restore"}, "c", "c"),
        ({"motion": "a"}, {"state": "restore"}, "a", ""),
        ({"motion": "a"}, {"state": "still"}, "a", "a"),
        ({}, {}, "", ""),
    ],
)
def test_names(make_event: Make, table: dict[str, str], changes: dict[str, Any], name: str, own: str) -> None:
    event = make_event(**changes)
    assert (Names(table).of(event), Names(table).own_restore(event)) == (name, own)


@pytest.mark.parametrize("kind", ["immix", "sentinel", "patriot", "sureview"])
def test_an_own_template_and_subject_are_used(make_station: Make, make_due: Make, make_event: Make, kind: str) -> None:
    station = make_station(kind, template="{{ when }}/{{ kind }}\n{{ seq }}", subject="{{ device_id }}: {{ when }}")
    message = mail_of(station, make_due, make_event())
    assert text_of(message).endswith("/motion\n0")
    assert str(message["Subject"]).startswith("01AD2DD41C0000C1: 2024-05-30")


def test_accents_can_be_spelt_out(make_station: Make, make_due: Make, make_event: Make) -> None:
    event = make_event(place=Place("Värav", area="Põhi"))
    assert "Värav, Põhi" in text_of(mail_of(make_station("immix"), make_due, event))
    assert "Varav, Pohi" in text_of(mail_of(make_station("immix", ascii_only=True), make_due, event))


wild = st.text(st.characters(exclude_categories=()), max_size=60)
LINES = {"immix": 9, "patriot": 1, "sentinel": 1, "sureview": 4}


@pytest.mark.parametrize("kind", LINES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=wild, area=wild, text=wild, url=wild, event_id=wild)
@example("]]></Alarm><x>", "a|EventType=x", "\r\nSiteID=1\r\n.\r\n", "\r\nclient=1", "\r\nBcc: x@y")
@example("a=b", "--=_", "client=9 type=1\u2028x", "https://x/ type=9|URL=", "&lt;")
def test_any_text_leaves_the_message_whole(
    make_station: Make, make_due: Make, make_event: Make, kind: str,
    name: str, area: str, text: str, url: str, event_id: str,
) -> None:  # fmt: skip
    event = make_event(id=event_id, place=Place(f"n{name}", area=f"a{area}"), text=text, url=f"u{url}")
    message = mail_of(make_station(kind), make_due, event)
    body = text_of(message)
    assert body.count("\n") + 1 == LINES[kind]
    assert message["Bcc"] is None
    if kind == "immix":
        alarm = etree.fromstring(body.encode(), etree.XMLParser(resolve_entities=False))
        assert [part.tag for part in alarm] == [
            "VersionInfo", "Input1", "EventType", "ExtraText", "DateTime", "Location", "URL",
        ]  # fmt: skip
    if kind == "sentinel":
        assert [pair.partition("=")[0] for pair in body.split("|")] == [
            "SiteID", "EventType", "Event", "CameraName", "DateTime", "Text", "URL",
        ]  # fmt: skip
    if kind == "patriot":
        assert [pair.partition("=")[0] for pair in body.split(" ")] == ["client", "type", "url"]


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("state", get_args(State))
def test_every_kind_can_be_said_or_is_named_as_not(
    make_station: Make, make_due: Make, make_event: Make, kind: str, state: State
) -> None:
    event = make_event(kind=kind, state=state)
    for type_name in LINES:
        station = make_station(type_name)
        found = station.address(event, None)
        assert bool(found.address) is not bool(found.unsupported)
        if found.address:
            message = mail_of(station, make_due, event)
            letter = Letter((str(message["To"]),), str(message["Subject"]), text_of(message), 0)
            assert understood(type_name, letter, Assumed()).problems == ()
