from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.destinations.photos import chosen
from tocsin.destinations.webhook.addressing import address_of, parse_printed
from tocsin.destinations.webhook.format import event_guid, json_body, message_id
from tocsin.destinations.webhook.settings import WebhookSettings
from tocsin.destinations.webhook.signing import body_signature, check_key, signature_headers, standard_signature
from tocsin.model.device import Device
from tocsin.model.event import Actor, Address, Event, Photo, Place

DEVICE = (
    '"device_info":{"guid":"01AD2DD41C0000C1","name":"Detector: 2DAD","type":"detector_hdr_xrl","area":"North depot",'
    '"description":"Json:#9999-1","battery_percentage":87,"signal_strength_asu":19,"signal_strength_dbm":-75,'
    '"location":{"lat":59.437,"lon":24.752}}'
)


def test_the_published_example_byte_for_byte(
    make_event: Callable[..., Event], make_photo: Callable[..., Photo]
) -> None:
    photo = Photo(1, b"\xff\xd8\xff\xd9", "")
    event = make_event()
    guid = event_guid("north-depot", event)
    assert (
        json_body(event, "#9999-1", "north-depot", [photo])
        == (
            f'{{"schema":1,"event_guid":"{guid}","event_type":"BA","event_name":"PersonDetected",'
            '"site":"9999","area":null,"zone":"1","timestamp":"2024-05-30T22:15:04+03:00",'
            f'"url":"https://gw.example.net/e/7Q2M",{DEVICE},'
            '"detections":[{"type":"person","probability":0.93}],'
            '"binary":[{"type":"image","format":"jpg","data":"/9j/2Q=="}]}'
        ).encode()
    )


def test_an_event_with_nothing_has_every_member(make_event: Callable[..., Event]) -> None:
    bare = make_event(
        kind="system_started", device_id="", place=Place(), actors=(), url="", battery=None, signal_asu=None,
        location=None, zone="",
    )  # fmt: skip
    guid = event_guid("north-depot", bare)
    assert (
        json_body(bare, "", "north-depot", [])
        == (
            f'{{"schema":1,"event_guid":"{guid}","event_type":"","event_name":"SystemStarted",'
            '"site":null,"area":null,"zone":null,"timestamp":"2024-05-30T19:15:04+00:00","url":"",'
            '"device_info":{"guid":"","name":"","type":"","area":"","description":"","battery_percentage":null,'
            '"signal_strength_asu":null,"signal_strength_dbm":null,"location":null},"detections":[],"binary":[]}'
        ).encode()
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kind": "tamper"}, {"event_type": "TA", "event_name": "Tamper"}),
        ({"kind": "tamper", "state": "restore"}, {"event_type": "TR", "event_name": "TamperRestored"}),
        ({"kind": "tamper", "state": "restore"}, {"state": "restore"}),
        ({"kind": "routine_check"}, {"event_type": "RP", "event_name": "RoutineCheck"}),
        ({"kind": "armed"}, {"event_type": "CL", "event_name": "Armed"}),
        ({"kind": "disarmed"}, {"event_type": "OP", "event_name": "Disarmed"}),
        ({"kind": "connection_lost"}, {"event_type": "YC", "event_name": "ConnectionLost"}),
        ({"kind": "connection_restored"}, {"event_type": "YK", "event_name": "DeviceConnected"}),
        ({"kind": "battery_low"}, {"event_type": "XT", "event_name": "BatteryLow"}),
        ({"kind": "battery_restored"}, {"event_type": "XR", "event_name": "BatteryRestored"}),
        ({"kind": "critical_battery_shutdown"}, {"event_type": "YT", "event_name": "CriticalBatteryShutdown"}),
        ({"kind": "system_stopped"}, {"event_type": "", "event_name": "SystemStopped"}),
        ({"actors": (Actor("truck", 0.5),)}, {"event_type": "BA", "event_name": "VehicleDetected"}),
        ({"actors": ()}, {"event_type": "BA", "event_name": "MovementDetected", "detections": []}),
        ({"flags": ("test",)}, {"test": True}),
        ({"text": "north gate", "user": "12"}, {"text": "north gate", "user": "12"}),
    ],
)  # fmt: skip
def test_members(make_event: Callable[..., Event], changes: dict[str, Any], expected: dict[str, Any]) -> None:
    body = msgspec.json.decode(json_body(make_event(**changes), "#9999", "gw", []))
    assert {name: body.get(name) for name in expected} == expected


@pytest.mark.parametrize(("asu", "dbm"), [(0, -113), (31, -51), (99, None), (None, None)])
def test_signal_strength_in_both_units(make_event: Callable[..., Event], asu: int | None, dbm: int | None) -> None:
    device = msgspec.json.decode(json_body(make_event(signal_asu=asu), "", "gw", []))["device_info"]
    assert (device["signal_strength_asu"], device["signal_strength_dbm"]) == (asu, dbm)


@settings(max_examples=80)
@given(text=st.text(st.characters()), name=st.text(st.characters(exclude_categories=())), number=st.integers(0, 10**6))
def test_any_text_survives_the_json(text: str, name: str, number: int) -> None:
    at = datetime.fromtimestamp(number, UTC)
    event = Event("x", "motion", at, at, "s", text=text, place=Place(name=name, description=text))
    body = msgspec.json.decode(json_body(event, "", "gw", []))
    assert body.get("text", "") == text.encode("utf-8", "replace").decode()
    assert body["device_info"]["name"] == name.encode("utf-8", "replace").decode()


def test_the_guid_is_the_same_on_every_try_and_differs_between_gateways(make_event: Callable[..., Event]) -> None:
    event = make_event()
    assert event_guid("a", event) == event_guid("a", make_event(text="classified later"))
    assert event_guid("a", event) != event_guid("b", event)


@pytest.mark.parametrize(
    ("event_id", "plain"), [("01J8ZQ5C7Q0000000000000001", True), ("a.b", False), ("a:b@c", False)]
)
def test_message_ids_have_no_full_stop(make_event: Callable[..., Event], event_id: str, plain: bool) -> None:
    event = make_event(id=event_id)
    assert message_id("gw", event) == (event_id if plain else event_guid("gw", event))


def test_photos_are_chosen_within_the_limits() -> None:
    photos = [Photo(n, b"x" * size, "") for n, size in enumerate((40, 100, 30, 20, 5), 1)]
    assert [photo.n for photo in chosen(photos, 3, 90)] == [1, 3, 4]
    assert [photo.n for photo in chosen(photos, 20, 1)] == []


VECTOR_BODY = (
    b'{"type":"alarm.person","timestamp":"2026-03-04T05:06:07.000Z","data":{"event_id":"01J8ZQ5C7Q0000000000000001"}}'
)
VECTOR_KEY = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
OTHER_KEY = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="


def test_the_published_signature() -> None:
    signature = standard_signature(VECTOR_KEY, "evt_01J8ZQ5C7Q0000000000000001", 1772600770, VECTOR_BODY)
    assert signature == "v1,zGkz+P+fr9zFbNHHTzlaF5ht3hXDuadiDv9f2/yNFVw="


def test_both_keys_sign_while_one_is_being_changed() -> None:
    headers = dict(signature_headers("standard-webhooks", [VECTOR_KEY, OTHER_KEY], "id", 1, b"{}"))
    assert headers == {
        "webhook-timestamp": "1",
        "webhook-signature": " ".join(standard_signature(key, "id", 1, b"{}") for key in (VECTOR_KEY, OTHER_KEY)),
    }


def test_the_body_signature() -> None:
    # RFC 4231, test case 2
    expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert body_signature("Jefe", b"what do ya want for nothing?") == expected
    assert signature_headers("hmac-sha256", ["Jefe"], "id", 1, b"what do ya want for nothing?") == [
        ("X-Signature-256", expected)
    ]


@pytest.mark.parametrize(
    ("signing", "key", "part"),
    [
        ("standard-webhooks", "MDEyMzQ1", "starts with whsec_"),
        ("standard-webhooks", "whsec_!!", "no base64"),
        ("standard-webhooks", "whsec_MDEyMzQ1", "24 to 64 bytes"),
        ("hmac-sha256", "short", "at least 16"),
    ],
)
def test_unusable_keys_are_refused_without_showing_them(signing: str, key: str, part: str) -> None:
    with pytest.raises(ValueError, match=part) as caught:
        check_key(signing, key)
    assert key.removeprefix("whsec_") not in str(caught.value)


DEFAULT = Address("1", "2", "3")


def hook(default: Address | None) -> WebhookSettings:
    given = {} if default is None else {"site": default.account, "area": default.area, "zone": default.zone}
    return WebhookSettings(name="hook", type="webhook", url="https://hook.example.net/", **given)


@pytest.mark.parametrize(
    ("event_address", "description", "listed", "default", "address", "origin"),
    [
        (Address("9280", "00", "001", "1", "234"), "Json:#7", Address("5"), DEFAULT, "#9280|00-001", "own"),
        (None, "Gate cam, Json:#7-2", Address("5"), DEFAULT, "#7-2", "description"),
        (None, "json:#9999-1", None, DEFAULT, "#9999-1", "description"),
        (None, "SIA:#9280", Address("5"), DEFAULT, "#5", "list"),
        (None, "", None, DEFAULT, "#1|2-3", "default"),
        (None, "", None, None, "", "none"),
    ],
)
def test_address_order(
    make_event: Callable[..., Event], event_address: Address | None, description: str, listed: Address | None,
    default: Address | None, address: str, origin: str,
) -> None:  # fmt: skip
    device = Device("01AD2DD41C0000C1", description=description, addresses={"hook": listed} if listed else {})
    found = address_of(hook(default), make_event(address=event_address), device)
    assert (found.address, found.queue, found.problem) == (address, "01AD2DD41C0000C1", "")
    assert origin in found.origin
    parsed = parse_printed(address)
    assert (str(parsed) if parsed else "") == address


def test_an_invalid_tag_is_passed_over_with_a_warning(make_event: Callable[..., Event]) -> None:
    device = Device("01AD2DD41C0000C1", description="Json:#9999|1234")
    found = address_of(hook(DEFAULT), make_event(), device)
    assert found.address == "#1|2-3"
    assert "Json:#9999|1234" in found.warning


def test_an_address_that_json_cannot_say_is_a_problem(make_event: Callable[..., Event]) -> None:
    found = address_of(hook(DEFAULT), make_event(address=Address("92-80")), None)
    assert found.address == ""
    assert "'92-80'" in found.problem


def test_without_a_device_the_account_keeps_the_order(make_event: Callable[..., Event]) -> None:
    panel = make_event(device_id="", address=Address("0042"), place=Place())
    assert address_of(hook(None), panel, None).queue == "0042"
