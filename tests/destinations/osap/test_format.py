"""The OSAP message against the draft's example and schema; codes, correlation, settings."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin import __version__
from tocsin.destinations.files import File
from tocsin.destinations.osap.addressing import address
from tocsin.destinations.osap.codes import CODES, coded
from tocsin.destinations.osap.format import encoded, message, message_id, shown, where_of
from tocsin.destinations.osap.settings import OsapSettings
from tocsin.model.device import Device
from tocsin.model.event import Address, Code, Event, Place
from tocsin.model.kinds import Kind
from tocsin.standins.osap import read_message

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ACCEPTED = datetime(2026, 3, 4, 5, 6, 10, tzinfo=UTC)
EVENT = Event(
    id="e1", kind="motion", occurred_at=AT, accepted_at=ACCEPTED, source="s", device_id="01AD2DD41C0000C1",
    place=Place(name="North gate"),
)  # fmt: skip
JPEG = File("20260304_050607_3_01.jpg", "image/jpeg", b"\xff\xd8\xff\xe0\x00\x10JFIF")


def settings(**changes: Any) -> OsapSettings:
    table = {"name": "arc", "type": "osap", "urls": ["https://arc.example.net"], "api_key": "sesame"}
    return OsapSettings.model_validate(table | changes)


def changed(**changes: Any) -> Event:
    return Event(**({name: getattr(EVENT, name) for name in EVENT.__struct_fields__} | changes))


def body(event: Event = EVENT, where: Address | None = None, *files: File, attempts: int = 0, **changes: Any) -> Any:
    data = encoded(message(settings(**changes), event, where, "gw-1", attempts, files))
    assert read_message(data)[1] == []
    return json.loads(data)


def test_the_message_of_receivers_md() -> None:
    assert body(EVENT, Address("12345", "01", "3"), JPEG) == {
        "envelope": {
            "id": message_id("gw-1", EVENT),
            "ts": "2026-03-04T05:06:10Z",
            "producer": {"vendor": "tocsin", "product": "tocsin", "version": __version__, "instance_id": "gw-1"},
            "correlation": {"site_id": "12345", "area_id": "01", "device_id": "01AD2DD41C0000C1", "sensor_id": "3"},
        },
        "event": {
            "schema": "osap.v1.vds-style",
            "category": "intrusion",
            "code": "VDS-1100",
            "qualifier": "ALARM",
            "severity": 7,
            "status": "NEW",
            "text": "Movement detected, North gate",
            "occurrence_ts": "2026-03-04T05:06:07Z",
            "vendor_ext": {"tocsin": {"event_id": "e1", "kind": "motion", "state": "new", "device": "North gate"}},
        },
        "delivery": {"retry": {"attempts": 0}},
        "attachments": [
            {
                "id": "1", "kind": "image", "mime_type": "image/jpeg", "encoding": "base64", "data": "/9j/4AAQSkZJRg==",
                "captured_ts": "2026-03-04T05:06:07Z", "meta": {"name": JPEG.name, "camera": "3"},
            }
        ],
    }  # fmt: skip


def test_what_is_not_there_is_left_out(make_event: Callable[..., Event]) -> None:
    assert "attachments" not in body()
    assert body()["envelope"]["correlation"] == {"device_id": "01AD2DD41C0000C1"}
    extras = body(make_event(), None)["event"]["vendor_ext"]["tocsin"]
    assert (extras["battery"], extras["location"], extras["objects"]) == (
        87,
        {"lat": 59.437, "lon": 24.752},
        ["person"],
    )
    assert body(changed(battery=0))["event"]["vendor_ext"]["tocsin"]["battery"] == 0


def test_the_id_is_the_same_on_every_attempt_and_another_at_another_gateway() -> None:
    assert body(attempts=3)["envelope"] == body()["envelope"]
    assert body(attempts=3)["delivery"]["retry"]["attempts"] == 3
    assert message_id("gw-1", EVENT) != message_id("gw-2", EVENT)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"state": "restore"}, ("intrusion", "VDS-1100", "RESTORE", 2, "UPDATED")),
        ({"state": "still"}, ("intrusion", "VDS-1100", "ALARM", 7, "UPDATED")),
        ({"flags": ("test",)}, ("intrusion", "VDS-1100", "TEST", 0, "NEW")),
        ({"kind": "fire"}, ("fire", "X-FIRE", "ALARM", 10, "NEW")),
        ({"kind": "tamper"}, ("tamper", "VDS-1120", "ALARM", 9, "NEW")),
        ({"kind": "connection_lost"}, ("system", "X-CONNECTION-LOST", "SUPERVISORY", 5, "NEW")),
        ({"kind": "connection_restored"}, ("system", "X-CONNECTION-RESTORED", "RESTORE", 2, "UPDATED")),
        ({"kind": "routine_check"}, ("system", "X-ROUTINE-CHECK", "TEST", 0, "NEW")),
    ],
)
def test_codes(changes: dict[str, Any], expected: tuple[Any, ...]) -> None:
    said = body(changed(**changes), codes={"tamper": "VDS-1120"}, severities={"tamper": 9})["event"]
    assert (said["category"], said["code"], said["qualifier"], said["severity"], said["status"]) == expected


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_has_its_row_and_makes_a_message_of_the_draft(kind: Kind) -> None:
    assert CODES[kind].kind == kind
    assert 0 <= coded(changed(kind=kind)).severity <= 10
    for state in ("new", "restore", "still"):
        body(changed(kind=kind, state=state))


def test_the_number_may_stand_as_account() -> None:
    event = changed(place=Place(area="North depot"))
    correlation = body(event, Address("9280"), number_in="account_id")["envelope"]["correlation"]
    assert (correlation["account_id"], correlation["site_id"]) == ("9280", "North depot")


def test_the_trace_keeps_no_pictures() -> None:
    kept = shown(message(settings(), EVENT, None, "gw-1", 0, [JPEG]))
    assert b"/9j/" not in kept
    assert "[… 10 bytes in base64]".encode() in kept


@given(st.text(max_size=80))
def test_any_text_in_any_field_makes_a_message_of_the_draft(text: str) -> None:
    place = Place(name=text, area=text)
    event = changed(id=text or "e", text=text * 40, url=text, user=text, device_id=text, place=place,
                    code=Code(sia=text, contact_id=text, number=text))  # fmt: skip
    said = body(event, None, number_in="account_id")
    assert len(said["event"]["text"]) <= 2048


@pytest.mark.parametrize(
    ("own", "changes", "printed", "queue", "part"),
    [
        (None, {"site": "12345", "area": "01", "zone": "3"}, "#12345|01-3", "01AD2DD41C0000C1", "default"),
        (Address("6F01", "2", "17", "1", "2"), {}, "#6F01|2-17", "01AD2DD41C0000C1", "own"),
        (None, {}, "", "01AD2DD41C0000C1", "device's own id"),
    ],
)
def test_addresses(own: Address | None, changes: dict[str, Any], printed: str, queue: str, part: str) -> None:
    found = address(settings(**changes), changed(address=own), Device("01AD2DD41C0000C1"))
    assert (found.address, found.queue, found.problem) == (printed, queue, "")
    assert part in found.origin
    assert (where_of(printed) is None) == (printed == "")


def test_an_address_list_counts_and_what_cannot_be_sent_is_said() -> None:
    listed = Device("d", addresses={"arc": Address("777", None, "4")})
    assert address(settings(), EVENT, listed).address == "#777-4"
    broken = Device("d", addresses={"arc": Address("a/b")})
    assert "cannot be sent as site" in address(settings(), EVENT, broken).problem


@pytest.mark.parametrize(
    ("table", "part"),
    [
        ({"urls": ["https://a.example/v1/events"]}, "/v1/events is added"),
        ({"urls": ["https://a.example/?x=1"]}, "server's address only"),
        ({"api_key": None}, "say how to log in"),
        ({"oauth": {"token_url": "https://a.example/t", "client_id": "c", "client_secret": "s"}}, "not both"),
        ({"api_key": "a\nb"}, "plain ASCII"),
        ({"codes": {"colour": "X"}}, "no event kind"),
        ({"codes": {"tamper": "a b"}}, "pattern"),
        ({"severities": {"tamper": 11}}, "less than or equal to 10"),
        ({"health_every": "1s"}, '"10s" and "25h"'),
        ({"site": "a-b"}, "pattern"),
    ],
)
def test_unusable_settings_are_refused(table: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=part):
        settings(**table)
