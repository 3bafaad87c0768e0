"""A Stages signal element by element, and its address."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.destinations.stages.addressing import address
from tocsin.destinations.stages.format import envelope, heartbeat, signal, signal_code
from tocsin.destinations.stages.settings import StagesSettings
from tocsin.model.device import Device
from tocsin.model.event import Address, Code, Event, Location
from tocsin.protocols.addressing import listed
from tocsin.standins.stages import Demands, read_signal

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
EVENT = Event(id="e1", kind="motion", occurred_at=AT, accepted_at=AT, source="s", device_id="cam")


def settings(**changes: Any) -> StagesSettings:
    table = {"name": "arc", "type": "stages", "urls": ["https://arc.example.net/s/receiver.asmx"]}
    return StagesSettings.model_validate({**table, "line": "1", "account": "4711", **changes})


def test_the_message_as_published(make_event: Callable[..., Event]) -> None:
    """stations.md 7.2, byte for byte but for white space."""
    configured = settings(user="u", password="p", receiver="123456")
    event = make_event(zone="+03:00", actors=(), location=Location(59.437, 24.752))
    expected = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"><soap:Body>\n'
        ' <Signal xmlns="http://tempuri.org/">\n'
        "  <PollMessageFlag>false</PollMessageFlag>\n"
        "  <UserName>u</UserName>\n  <UserPassword>p</UserPassword>\n"
        "  <Receiver>123456</Receiver>\n  <Line>1</Line>\n  <Account>4711</Account>\n"
        "  <SignalFormat>CID</SignalFormat>\n  <SignalCode>E130</SignalCode>\n"
        "  <Date>2024-05-30 22:15:04</Date>\n"
        "  <Longitude>24.752</Longitude>\n  <Latitude>59.437</Latitude>\n"
        "  <TestSignalFlag>false</TestSignalFlag>\n"
        " </Signal>\n</soap:Body></soap:Envelope>\n"
    )
    values = signal(configured, event, Address("4711", receiver="123456", prefix="1"))
    assert envelope(configured, values).decode() == expected
    assert envelope(configured, values, shown=True).decode() == expected.replace(">p<", ">***<")


@pytest.mark.parametrize(
    ("event", "where", "changes", "code"),
    [
        ({}, Address("4711"), {}, "E130"),
        ({}, Address("4711", "02", "002"), {}, "E13002002"),
        ({}, Address("4711", "2", "2"), {}, "E13002002"),
        ({}, Address("4711", None, "5"), {}, "E13000005"),
        ({}, Address("4711", "1", "5"), {"code_style": "short"}, "E130"),
        ({}, Address("4711", "123", "12345"), {}, "E130"),
        ({"state": "restore"}, Address("4711"), {}, "R130"),
        ({"kind": "connection_lost"}, Address("4711"), {}, "E350"),
        ({"kind": "armed"}, Address("4711"), {}, "R401"),
        ({"kind": "tamper"}, Address("4711"), {"codes": {"tamper": "137"}}, "E137"),
        ({"kind": "panic", "code": Code(contact_id="1122")}, Address("4711"), {}, "E122"),
        (
            {"kind": "disarmed", "code": Code(contact_id="1401", number="7", user_number=True)},
            Address("1"),
            {},
            "E40100007",
        ),
    ],
)
def test_codes(event: dict[str, Any], where: Address, changes: dict[str, Any], code: str) -> None:
    assert signal_code(settings(**changes), _changed(event), where) == code


def _changed(changes: dict[str, Any]) -> Event:
    facts = {name: getattr(EVENT, name) for name in EVENT.__struct_fields__}
    return Event(**(facts | changes))


@pytest.mark.parametrize(
    ("changes", "own", "description", "printed", "part"),
    [
        ({}, None, "", "L1#4711", "default"),
        ({"area": "1", "point": "5", "receiver": "9"}, None, "", "R9L1#4711|1-5", "default"),
        ({}, None, "Stages:R1L2#123456|1-5", "R1L2#123456|1-5", "description"),
        ({}, None, "gate, stages:L2#123456-5", "L2#123456-5", "description"),
        ({}, Address("0042", "1", "7"), "Stages:L2#1", "L1#0042|1-7", "own"),
        ({}, Address("0042", "A", "7"), "", "L1#0042-7", "own"),
        ({"accounts": {"6f01": "601"}}, Address("6F01"), "", "L1#601", "own"),
    ],
)
def test_addresses(changes: dict[str, Any], own: Address | None, description: str, printed: str, part: str) -> None:
    found = address(settings(**changes), _changed({"address": own}), Device("cam", description=description))
    assert (found.address, found.problem) == (printed, "")
    assert part in found.origin
    assert str(listed(found.address)) == printed


@pytest.mark.parametrize(
    ("changes", "own", "description", "part"),
    [
        ({"line": None, "account": None}, None, "", "write it as Stages:R1L2#4711"),
        ({"line": None, "account": None}, Address("42"), "", "set line"),
        ({}, Address("6F01"), "", "rename it in accounts"),
        ({}, None, "Stages:L2#1|123", "two digits"),
        ({}, None, "Stages:L2#1-1234", "three digits"),
    ],
)
def test_no_address(changes: dict[str, Any], own: Address | None, description: str, part: str) -> None:
    found = address(settings(**changes), _changed({"address": own}), Device("cam", description=description))
    assert found.address == ""
    assert part in found.problem


def test_an_unusable_tag_is_told_and_the_default_taken() -> None:
    found = address(settings(), EVENT, Device("cam", description="Stages:#4711"))
    assert found.address == "L1#4711"
    assert "the line is missing" in found.warning


def test_elements_may_be_renamed_and_put_in_another_order() -> None:
    order = ["Account", "Line", "SignalCode", "Area:Partition", "Point", "Text"]
    configured = settings(fields=order, area_point_elements=True, code_style="short")
    values, _ = read_signal(envelope(configured, signal(configured, EVENT, Address("4711", "1", "5", prefix="1"))))
    assert list(values) == ["Account", "Line", "SignalCode", "Partition", "Point", "Text"]
    assert (values["SignalCode"], values["Partition"], values["Point"]) == ("E130", "1", "5")


def test_the_time_in_another_form_and_zone() -> None:
    configured = settings(time_format="%m/%d/%Y %H:%M:%S", time_zone="Europe/Tallinn")
    assert signal(configured, EVENT, Address("1", prefix="1"))["Date"] == "03/04/2026 07:06:07"


def test_the_first_day_of_the_calendar_is_no_obstacle() -> None:
    event = _changed({"occurred_at": datetime(1, 1, 1, tzinfo=UTC), "zone": "-10:00"})
    assert signal(settings(), event, Address("1", prefix="1"))["Date"].endswith("00:00:00")


def test_a_test_can_be_said_and_a_link_is_only_told_where_nobody_can_read_it() -> None:
    assert settings().says_test()
    assert not settings(fields=["Line", "Account", "SignalCode"]).says_test()
    assert settings().carries_links()
    assert not settings(urls=["https://a.example.net/", "http://b.example.net/"]).carries_links()


def test_heartbeats() -> None:
    for word, flags in (("poll", ("true", "false")), ("test-signal", ("false", "true"))):
        configured = settings(heartbeat=word)
        default = configured.default_address()
        assert default is not None
        values, problems = read_signal(envelope(configured, heartbeat(configured, default)))
        assert problems == []
        assert (values["PollMessageFlag"], values["TestSignalFlag"]) == flags
        assert (values["Line"], values["Account"], values["SignalCode"]) == ("1", "4711", "E602")


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_in_any_field_stays_in_its_element(text: str, password: str) -> None:
    order = [*settings().fields, "Text", "Url"]
    configured = settings(fields=order, user=text[:200] or "u", password=password)
    event = _changed({"text": text, "url": text})
    values, problems = read_signal(
        envelope(configured, signal(configured, event, Address("4711", prefix="1"))),
        Demands(order=tuple(order)),
    )
    assert [one for one in problems if not one.endswith("is empty")] == []
    assert set(values) <= set(order)


@pytest.mark.parametrize(
    ("table", "part"),
    [
        ({"urls": []}, "at least 1"),
        ({"urls": ["ftp://a.example/"]}, "no usable address"),
        ({"urls": ["http://u:p@a.example/"]}, "out of the URL"),
        ({"line": None}, "account needs line"),
        ({"account": "47A1"}, "pattern"),
        ({"user": "u"}, "belong together"),
        ({"heartbeat": "poll", "account": None}, "needs line and account"),
        ({"fields": ["Account", "Line", "Date"]}, "SignalCode cannot be left out"),
        ({"fields": ["Account", "Line", "SignalCode", "Colour"]}, "no element this gateway can fill"),
        ({"fields": ["Account", "Line", "SignalCode", "Area:A B"]}, "cannot be the name"),
        ({"fields": ["Account", "Line", "SignalCode", "Area:Line"]}, "named twice"),
        ({"namespace": 'a"b'}, "pattern"),
        ({"time_format": "%Y{0}"}, "time format"),
        ({"time_zone": "Mars/Base"}, "no time zone"),
        ({"codes": {"tamper": "BA"}}, "no code of this format"),
        ({"soap_action": "a\r\nb"}, "pattern"),
    ],
)
def test_unusable_settings_are_refused(table: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=part):
        settings(**table)
