"""The messages of Patriot's JSON service, SureView Ops and Sentinel's XML Event Processor, and their addresses."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.destinations.patriot.api import PatriotApi, PatriotApiSettings
from tocsin.destinations.sentinel.xml import SentinelXml, SentinelXmlSettings
from tocsin.destinations.sureview.http import SureViewHttp, SureViewHttpSettings
from tocsin.engine.contracts import no_area_address
from tocsin.model.delivery import DeliveryKey, Due
from tocsin.model.device import Device
from tocsin.model.event import Actor, Address, Event, Location, Place
from tocsin.model.kinds import Lane
from tocsin.standins.posted import READERS

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
EVENT = Event(
    id="e1", kind="motion", occurred_at=AT, accepted_at=AT, source="s", device_id="cam", actors=(Actor("person", 0.9),),
    place=Place(name="North gate"), url="https://portal.example/e/01J8ZQ5C7Q", location=Location(59.437, 24.7536),
)  # fmt: skip


def changed(**changes: Any) -> Event:
    return Event(**({name: getattr(EVENT, name) for name in EVENT.__struct_fields__} | changes))


def due(address: str, event: Event = EVENT) -> Due:
    return Due(DeliveryKey(7, "arc"), Lane.ALARM, address, address, 0, event)


def patriot(**changes: Any) -> PatriotApi:
    table = {"name": "arc", "urls": ["https://ica.example.net/api/log"], "user": "gw", "password": "sesame"}
    return PatriotApi(PatriotApiSettings.model_validate(table | changes))


def sureview(**changes: Any) -> SureViewHttp:
    return SureViewHttp(
        SureViewHttpSettings.model_validate({"name": "arc", "api_key": "EXAMPLE-API-KEY-0001"} | changes)
    )


def sentinel(**changes: Any) -> SentinelXml:
    table = {"name": "arc", "urls": ["https://sentinel.example.net/xml"]}
    return SentinelXml(SentinelXmlSettings.model_validate(table | changes))


def test_patriots_message() -> None:
    """receivers.md 4.2."""
    assert json.loads(patriot().body(due("#0011|01-3"))) == {
        "clientNo": "0011-01",
        "typeNo": 130,
        "zoneUser": 3,
        "rawData": "Person detected, North gate",
        "media": "url:https://portal.example/e/01J8ZQ5C7Q",
    }
    assert json.loads(patriot().body(due("#0011", changed(url="", state="restore")))) == {
        "clientNo": "0011",
        "rawData": "Person detected: restored, North gate",
    }
    assert patriot().login == [("Authorization", "Basic Z3c6c2VzYW1l")]


def test_sureviews_message() -> None:
    """receivers.md 5.2, published."""
    made = sureview(region="eu", event_codes={"motion": "M1"})
    assert json.loads(made.body(due("a1b2c3d4e5"))) == {
        "systemIdentifier": "a1b2c3d4e5",
        "text": "Person detected, North gate https://portal.example/e/01J8ZQ5C7Q",
        "location": "59.437000,24.753600",
        "eventCode": "M1",
    }
    assert made.login == [("Authorization", "RVhBTVBMRS1BUEktS0VZLTAwMDE=")]
    assert made._settings.urls == ["https://eu.sureviewops.com/receiver"]
    assert sureview(api_key="RVhB", key_is_base64=True).login == [("Authorization", "RVhB")]


def test_sentinels_document() -> None:
    """receivers.md 3.2."""
    assert sentinel().body(due("#12345|1-3")).decode() == (
        '<?xml version="1.0" encoding="utf-8"?>\n<Event>\n  <DeviceID>12345</DeviceID>\n  <Code>E130</Code>\n'
        "  <Area>1</Area>\n  <Zone>3</Zone>\n  <DateTime>2026-03-04T05:06:07Z</DateTime>\n"
        "  <Text>Person detected, North gate</Text>\n  <URL>https://portal.example/e/01J8ZQ5C7Q</URL>\n</Event>\n"
    )


@pytest.mark.parametrize(
    ("changes", "codes", "number"),
    [
        ({}, {}, 130),
        ({"kind": "tamper"}, {"tamper": 7}, 7),
        ({"kind": "tamper", "state": "restore"}, {"tamper": 7}, None),
        ({"kind": "tamper", "state": "restore"}, {"tamper.restore": 8}, 8),
    ],
)
def test_patriots_type_numbers(changes: dict[str, Any], codes: dict[str, int], number: int | None) -> None:
    assert json.loads(patriot(codes=codes).body(due("#1", changed(**changes)))).get("typeNo") == number


@given(st.text(max_size=60))
def test_any_text_makes_a_message_that_is_taken(text: str) -> None:
    event = changed(text=text, url=text, place=Place(name=text, area=text), device_id=text or "d")
    for form, kind, where in ((patriot(), "patriot-api", "#1"), (sureview(), "sureview-http", "x1"),
                              (sentinel(), "sentinel-xml", "#1-2")):  # fmt: skip
        assert READERS[kind](form.body(due(where, event)))[2] == [], kind  # type: ignore[index]


@pytest.mark.parametrize(
    ("form", "own", "description", "printed"),
    [
        (patriot(), None, "Patriot:0011-01", "#0011|01"),
        (patriot(), Address("6F01", "2", "17"), "", "#6F01|2-17"),
        (patriot(), Address("6F01", "2", "70000"), "", "#6F01|2"),
        (patriot(account="0099", zone="5"), None, "", "#0099-5"),
        (sentinel(), None, "Sentinel:12345", "#12345"),
        (sentinel(account="7", zone="1"), None, "", "#7-1"),
        (sureview(account="a1b2"), Address("6F01"), "", "a1b2"),
    ],
)
def test_addresses(form: Any, own: Address | None, description: str, printed: str) -> None:
    found = form.address(changed(address=own), Device("cam", description=description), no_area_address)
    assert (found.address, found.problem) == (printed, "")


def test_no_address_is_a_problem_that_is_seen() -> None:
    for form in (patriot(), sureview(), sentinel()):
        assert "there is no address for arc" in form.address(EVENT, Device("cam"), no_area_address).problem
    broken = Device("cam", addresses={"arc": Address("a/b")})
    for form in (patriot(), sureview(), sentinel()):
        assert "a/b" in form.address(EVENT, broken, no_area_address).problem


@pytest.mark.parametrize(
    ("make", "table", "part"),
    [
        (patriot, {"user": "a:b"}, "pattern"),
        (patriot, {"zone": "65001"}, "0 to 65000"),
        (patriot, {"codes": {"colour": 1}}, "no event kind"),
        (patriot, {"codes": {"tamper": 65001}}, "65000"),
        (sureview, {"region": "mars"}, "'us' or 'eu'"),
        (sureview, {"api_key": ""}, "empty"),
        (sureview, {"api_key": "a b", "key_is_base64": True}, "no base64"),
        (sureview, {"event_codes": {"colour": "x"}}, "no event kind"),
        (sentinel, {"codes": {"tamper": "BA"}}, "no code"),
        (sentinel, {"urls": ["tcp://a.example:1"]}, "no usable address"),
        (sentinel, {"template_file": "/none.xml"}, "cannot be read"),
    ],
)
def test_unusable_settings_are_refused(make: Any, table: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=part):
        make(**table)
