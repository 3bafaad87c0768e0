"""What goes over the wire, against the agreed examples and schemas (connectors.md 1.2, 1.11)."""

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.destinations.cloud.conftest import CAMERA, LOST, data

from tocsin.config.fields import Secret
from tocsin.destinations.cloud.addressing import address_of
from tocsin.destinations.cloud.answers import judged
from tocsin.destinations.cloud.format import event_key, health_body, inventory_key, inventory_parts, packed
from tocsin.destinations.cloud.settings import CloudSettings
from tocsin.engine.contracts import Rejected
from tocsin.model.delivery import DeliveryKey, Due
from tocsin.model.event import Place
from tocsin.model.kinds import KINDS, Lane
from tocsin.standins.cloud import Invalid, Profile, read_health, read_inventory
from tocsin.transports.http import HttpAnswer

NOW = datetime(2025, 3, 8, tzinfo=UTC)


def schema(name: str, strict: bool = False) -> jsonschema_rs.Draft202012Validator:
    """`strict`: as the profile brief restricts it."""
    found = data(f"{name}.schema.json")
    if strict:
        for one in (found, *found.get("$defs", {}).values()):
            one.update({"additionalProperties": False} if one["type"] == "object" else {})
    return jsonschema_rs.Draft202012Validator(found, validate_formats=True)


def settings(**changes: Any) -> CloudSettings:
    urls = {"inventory_url": "https://cloud.example.net/inventory", "events_url": "https://cloud.example.net/health"}
    return CloudSettings.model_validate({"name": "cloud", **urls, **changes})


def due(**changes: Any) -> Due:
    event = msgspec.structs.replace(LOST, **changes)
    return Due(DeliveryKey(7, "cloud"), Lane.STATUS, CAMERA, CAMERA, 0, event)


def body(given_due: Due, **changes: Any) -> bytes:
    return health_body(settings(**changes), given_due, "north-depot")


def test_a_brief_health_event_is_the_agreed_one_byte_for_byte() -> None:
    agreed = data("brief-health.json")
    assert body(due()) == json.dumps(agreed, separators=(",", ":")).encode()
    del agreed["customer_id"]
    assert body(due(), customer_in_events=False) == json.dumps(agreed, separators=(",", ":")).encode()


def test_an_extended_health_event_is_the_brief_one_and_more() -> None:
    brief, extended = json.loads(body(due())), json.loads(body(due(), profile="extended"))
    assert list(extended)[: len(brief)] == list(brief)
    assert {key: extended[key] for key in brief} == brief
    assert {key: extended[key] for key in extended if key not in (*brief, "event_id")} == {
        "received_at": "2025-03-08T06:14:02.091Z",
        "reason": "communication_lost",
        "previous": "online",
        "system_id": "xp-hq",
        "seq": 7,
    }


@pytest.mark.parametrize("profile", ["brief", "extended"])
@pytest.mark.parametrize(
    ("kind", "state", "status"),
    [
        ("connection_lost", "new", "offline"),
        ("connection_lost", "restore", "online"),
        ("connection_restored", "new", "online"),
    ],
)
def test_health_events_are_valid(profile: Profile, kind: str, state: str, status: str) -> None:
    made = body(due(kind=kind, state=state), profile=profile)
    schema("health-event", strict=profile == "brief").validate(json.loads(made))
    assert read_health(made, profile).status == status


@pytest.mark.parametrize("kind", sorted(KINDS - {"connection_lost", "connection_restored"}))
def test_every_other_kind_is_filtered_with_its_reason(kind: str) -> None:
    other = due(kind=kind)
    assert f"not of {kind}" in address_of(settings(), other.event).unsupported
    with pytest.raises(Rejected, match=f"not of {kind}"):
        body(other)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"device_id": ""}, "without a device"),
        ({"state": "still"}, "is no change"),
        ({"kind": "connection_restored", "state": "restore"}, "is no change"),
    ],
)
def test_what_is_no_change_of_a_device_is_filtered(changes: dict[str, Any], said: str) -> None:
    assert said in address_of(settings(), due(**changes).event).unsupported


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"device_id": "cam 1"}, "cannot be told"),
        ({"device_id": "cam\r\nX: y"}, "cannot be told"),
        ({"device_id": "c" * 201}, "cannot be told"),
        ({"place": Place()}, "customer_in_events = false"),
        ({"place": Place(customer_id="c" * 129)}, "no customer_id"),
    ],
)
def test_what_cannot_be_told_is_set_aside_with_its_remedy(changes: dict[str, Any], said: str) -> None:
    assert said in address_of(settings(), due(**changes).event).problem
    with pytest.raises(Rejected, match=said):
        body(due(**changes))


def test_a_device_is_its_own_line_and_needs_no_customer_where_none_is_told() -> None:
    found = address_of(settings(customer_in_events=False), due(place=Place()).event)
    assert (found.address, found.queue, found.problem, found.unsupported) == (CAMERA, CAMERA, "", "")


def test_a_test_never_becomes_a_real_state() -> None:
    with pytest.raises(Rejected, match="real state"):
        body(due(flags=("test",)))


@given(st.text(), st.text(), st.text())
def test_whatever_stands_in_an_event_it_is_valid_or_set_aside(device: str, customer: str, source: str) -> None:
    told = due(device_id=device, place=Place(customer_id=customer), source=source)
    addressed = address_of(settings(profile="extended"), told.event)
    if addressed.address:
        schema("health-event").validate(json.loads(body(told, profile="extended")))
    else:
        assert addressed.problem or addressed.unsupported


def test_the_agreed_inventories_are_valid_for_schema_and_stand_in() -> None:
    brief, extended = data("brief-inventory.json"), data("extended-inventory.json")
    schema("inventory", strict=True).validate(brief)
    schema("inventory").validate(extended)
    assert len(read_inventory(json.dumps(brief).encode(), "brief").devices) == 2
    assert len(read_inventory(json.dumps(extended).encode(), "extended").devices) == 1
    with pytest.raises(Invalid, match="unknown field"):
        read_inventory(json.dumps(extended).encode(), "brief")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": None}, "status"),
        ({"id": "a b"}, "id"),
        ({"mac_address": "3c:ef:8c:0a:51:7e"}, "mac_address"),
        ({"ip": "dock-n-cam"}, "ip of"),
        ({"last_seen": "2025-13-08T06:11:40Z"}, "no instant"),
        ({"type": "reader"}, "type"),
        ({"colour": "red"}, "unknown field"),
    ],
)
def test_the_stand_in_refuses_what_the_schema_refuses(change: dict[str, Any], said: str) -> None:
    wrong = data("brief-inventory.json")
    wrong["devices"][0] |= change
    assert not schema("inventory", strict=True).is_valid(wrong)
    with pytest.raises(Invalid, match=said):
        read_inventory(json.dumps(wrong).encode(), "brief")


@given(st.binary())
def test_the_stand_in_reads_anything(noise: bytes) -> None:
    for profile in ("brief", "extended"):
        for read in (read_inventory, read_health):
            with pytest.raises(Invalid):
                read(noise, profile)


def test_a_brief_inventory_stays_whole_and_an_extended_one_comes_in_parts() -> None:
    brief, extended = data("brief-inventory.json"), data("extended-inventory.json")
    whole = msgspec.json.encode(brief)
    assert inventory_parts(whole, 1) == [whole]
    extended["devices"] = [{**extended["devices"][0], "id": f"xp-hq:camera:{n}"} for n in range(5)]
    assert inventory_parts(msgspec.json.encode(extended), 5) == [msgspec.json.encode(extended)]
    parts = [json.loads(part) for part in inventory_parts(msgspec.json.encode(extended), 2)]
    assert [(one["sync"]["part"], one["sync"]["parts"], len(one["devices"])) for one in parts] == [
        (1, 3, 2), (2, 3, 2), (3, 3, 1),
    ]  # fmt: skip
    assert [len(one["removed"]) for one in parts] == [0, 0, 1]
    assert [device for one in parts for device in one["devices"]] == extended["devices"]
    for part in parts:
        schema("inventory").validate(part)


def test_keys_and_packing_are_the_same_on_every_attempt() -> None:
    assert (event_key(LOST), inventory_key("R", 2)) == ("evt:01J8ZQ5C7Q0000000000000001", "inv:R:2")
    assert packed(b"x" * 20_000) == packed(b"x" * 20_000)
    assert gzip.decompress(packed(b"x" * 20_000)) == b"x" * 20_000


@pytest.mark.parametrize(
    ("statuses", "word"),
    [
        ((200, 202, 299), "delivered"),
        ((302, 408, 425, 429, 500, 503), "retry"),
        ((400, 404, 409, 413, 422), "refused"),
        ((401, 403), "unreachable"),
    ],
)
def test_what_an_answer_means(statuses: tuple[int, ...], word: str) -> None:
    answers = [HttpAnswer(status, "", (), b"") for status in statuses]
    assert {judged(answer, "cloud.example.net", NOW).word for answer in answers} == {word}


def test_patience_is_asked_for() -> None:
    answer = HttpAnswer(429, "Too Many Requests", (("Retry-After", "7"),), b"")
    assert judged(answer, "cloud.example.net", NOW).after_s == 7.0


def test_retry_times_are_a_clouds_also_where_one_is_set() -> None:
    assert (settings().retry.longest, settings().retry.expire) == (300.0, 604_800.0)
    changed = settings(retry={"first": "2s"}).retry
    assert (changed.first, changed.longest, changed.expire) == (2.0, 300.0, 604_800.0)
    with pytest.raises(ValueError, match="lnogest"):
        settings(retry={"lnogest": "2s"})


def test_a_token_on_two_lines_is_refused() -> None:
    with pytest.raises(ValueError, match="plain ASCII"):
        settings(token=Secret("a\r\nX: b"))
