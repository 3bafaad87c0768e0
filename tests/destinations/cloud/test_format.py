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
from tests.destinations.cloud.conftest import CAMERA, LOST, NOTICE, SCHEMAS, data

from tocsin.config.fields import Secret
from tocsin.destinations.cloud.addressing import address_of
from tocsin.destinations.cloud.answers import judged
from tocsin.destinations.cloud.format import event_key, inventory_key, inventory_parts, packed
from tocsin.destinations.cloud.settings import CloudSettings
from tocsin.engine.inventory.telling import health_body
from tocsin.model.event import Event, HealthNotice, InventoryNotice
from tocsin.model.inventory import HealthState
from tocsin.standins.cloud import Invalid, Profile, read_health, read_inventory
from tocsin.transports.http import HttpAnswer

NOW = datetime(2025, 3, 8, tzinfo=UTC)


def schema(name: str, strict: bool = False) -> jsonschema_rs.Draft202012Validator:
    """`strict`: as the profile brief restricts it."""
    found = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    if strict:
        for one in (found, *found.get("$defs", {}).values()):
            one.update({"additionalProperties": False} if one["type"] == "object" else {})
    return jsonschema_rs.Draft202012Validator(found, validate_formats=True)


def settings(**changes: Any) -> CloudSettings:
    urls = {"inventory_url": "https://cloud.example.net/inventory", "events_url": "https://cloud.example.net/health"}
    return CloudSettings.model_validate({"name": "cloud", **urls, **changes})


def told(notice: HealthNotice | InventoryNotice | None, **changes: Any) -> Event:
    return msgspec.structs.replace(LOST, notice=notice, **changes)


def test_a_brief_health_event_is_the_agreed_one_byte_for_byte() -> None:
    agreed = data("brief-health.json")
    assert health_body(LOST, "brief") == json.dumps(agreed, separators=(",", ":")).encode()
    del agreed["customer_id"]
    assert health_body(LOST, "brief", customer_in_events=False) == json.dumps(agreed, separators=(",", ":")).encode()


@pytest.mark.parametrize("profile", ["brief", "extended"])
@pytest.mark.parametrize("status", ["online", "offline", "degraded"])
def test_health_events_are_valid_for_schema_and_stand_in(profile: Profile, status: HealthState) -> None:
    made = health_body(told(msgspec.structs.replace(NOTICE, status=status)), profile)
    schema("health-event", strict=profile == "brief").validate(json.loads(made))
    assert read_health(made, profile).status == ("online" if (profile, status) == ("brief", "degraded") else status)


def test_what_a_cloud_is_told_of_and_in_which_line() -> None:
    inventory = told(InventoryNotice("xp-hq", "acct-4410", "R1"), device_id="")
    assert (address_of(LOST).queue, address_of(inventory).queue) == (CAMERA, "xp-hq acct-4410")
    assert "of nothing else" in address_of(told(None)).unsupported
    assert "no customer's" in address_of(told(msgspec.structs.replace(NOTICE, customer_id=""))).unsupported


def test_a_state_is_told_while_on_test_unless_it_is_to_be_held() -> None:
    assert (settings().says_test(), settings(on_test="hold").says_test(), settings().is_cloud()) == (True, False, True)


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
    assert event_key("E") == "evt:E"
    assert inventory_key("R", 2, b"x") == inventory_key("R", 2, b"x")
    assert inventory_key("R", 2, b"x").startswith("inv:R:2:")
    assert inventory_key("R", 2, b"x") != inventory_key("R", 2, b"y"), "states may have changed since the run"
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
