"""Normal forms, ids, hashes, cron, and the documents clouds get: against the brief's examples and its JSON Schemas."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some
from tests.inventory.conftest import RULES, camera

from tocsin.engine.inventory.cron import Cron, jittered
from tocsin.engine.inventory.health import event_id
from tocsin.engine.inventory.normal import clean, host_of, hostname, instant_text, ip, mac, moment, place_on_network
from tocsin.engine.inventory.reading import content_hash, device_id, snapshot
from tocsin.engine.inventory.telling import (
    Customers,
    Inventory,
    customers_of,
    health_body,
    inventory_body,
    inventory_of,
)
from tocsin.model.canonical import DeviceRecord, Health, KeptDevice, Removal, Run
from tocsin.model.event import Event, HealthNotice
from tocsin.model.inventory import FoundDevice

SCHEMAS = Path(__file__).parent / "schemas"


def strict(name: str) -> dict[str, Any]:
    """As the profile brief restricts a schema: online and offline, and no key besides (connectors.md 1.11)."""
    found = json.loads((SCHEMAS / f"{name}.json").read_text())
    device = found["$defs"]["device"] if name == "inventory" else found
    for closed in (found, device):
        closed["additionalProperties"] = False
    if name == "inventory":
        del found["properties"]["removed"], found["properties"]["sync"]
    else:
        found["properties"] = {key: found["properties"][key] for key in HEALTH_KEYS}
    device["properties"]["status"] = {"enum": ["online", "offline"]}
    return found


HEALTH_KEYS = ("device_id", "status", "timestamp", "customer_id")
INVENTORY = jsonschema_rs.validator_for((SCHEMAS / "inventory.json").read_text(), validate_formats=True)
HEALTH = jsonschema_rs.validator_for((SCHEMAS / "health-event.json").read_text(), validate_formats=True)
BRIEF_INVENTORY = jsonschema_rs.validator_for(strict("inventory"), validate_formats=True)
BRIEF_HEALTH = jsonschema_rs.validator_for(strict("health-event"), validate_formats=True)
AT = datetime(2025, 3, 8, 6, 11, 40, 512000, tzinfo=UTC)
MACS = [
    ("3cef8c0a517e", "3C:EF:8C:0A:51:7E"),
    ("3C-EF-8C-0A-51-7E", "3C:EF:8C:0A:51:7E"),
    ("3c:ef:8c:0a:51:7e", "3C:EF:8C:0A:51:7E"),
    ("3cef.8c0a.517e", "3C:EF:8C:0A:51:7E"),
    (" 3C EF 8C 0A 51 7E ", "3C:EF:8C:0A:51:7E"),
    ("5792c4:5792c5:5792c6:5792c7:5792c8:5792c9", ""),
    ("", ""),
    ("00:00:00:00:00:00", ""),
    ("FF:FF:FF:FF:FF:FF", ""),
    ("01:00:5e:00:00:01", ""),
    ("3cef8c0a517", ""),
    ("3cef8c0a517g", ""),
]
ADDRESSES = [
    ("http://10.31.4.22/", "10.31.4.22", ""),
    ("https://10.31.4.22:443/", "10.31.4.22", ""),
    ("http://10.31.4.22:443/", "10.31.4.22", ""),
    ("10.31.4.22", "10.31.4.22", ""),
    ("10.31.4.22:8080", "10.31.4.22", ""),
    ("http://[2001:DB8::0001]:80/", "2001:db8::1", ""),
    ("2001:db8:0:0::7", "2001:db8::7", ""),
    ("http://Dock-N-Cam.corp.example./", "", "dock-n-cam.corp.example"),
    ("0.0.0.0", "", ""),
    ("::", "", ""),
    ("127.0.0.1", "", ""),
    ("localhost", "", ""),
    ("300.1.1.1", "", ""),
    ("http://[broken", "", ""),
    ("-bad-", "", ""),
    ("", "", ""),
]
TIMES = [
    ("2025-03-08T06:14:02.0371234Z", "2025-03-08T06:14:02.037Z", False),
    ("2025-03-08T06:14:02Z", "2025-03-08T06:14:02.000Z", False),
    ("2025-03-08T08:14:02.5+02:00", "2025-03-08T06:14:02.500Z", False),
    ("2025-03-08T06:14:02.123456789", "2025-03-08T04:14:02.123Z", True),
]


@pytest.mark.parametrize(("text", "found"), MACS)
def test_mac_addresses(text: str, found: str) -> None:
    assert mac(text) == found


@pytest.mark.parametrize(("text", "address", "name"), ADDRESSES)
def test_addresses(text: str, address: str, name: str) -> None:
    assert place_on_network(text) == (address, name)


@pytest.mark.parametrize(("text", "found", "assumed"), TIMES)
def test_times(text: str, found: str, assumed: bool) -> None:
    read = moment(text, ZoneInfo("Europe/Tallinn"))
    assert read is not None
    assert (instant_text(read[0]), read[1]) == (found, assumed)


@pytest.mark.parametrize("text", ["", "yesterday", "2025-13-01T00:00:00Z", "2025-03-08", "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time(text: str) -> None:
    assert moment(text) is None


def test_texts_are_trimmed_composed_and_cut() -> None:
    assert clean("  a\u0000b\r\n\u0085c ", 200) == "abc"
    assert clean("e\u0301" * 300, 200) == "é" * 200
    assert clean("  gate north  ", 5) == "gate"


@given(some.text(max_size=60))
def test_any_text_is_read_or_left_out(text: str) -> None:
    for reader in (mac, ip, hostname, place_on_network, moment):
        reader(text)  # type: ignore[operator]
    clean(text, 10).encode()


def test_ids_and_what_an_id_cannot_hold() -> None:
    assert device_id("xp-hq", ("camera", "98ec38b9-66b3")) == "xp-hq:camera:98ec38b9-66b3"
    spaced = device_id("xp", ("camera", "key with spaces"))
    assert spaced != device_id("xp", ("camera", "key-with-spaces"))
    assert " " not in spaced


@given(some.lists(some.tuples(some.text(max_size=300), some.text(max_size=300)), unique=True, max_size=5))
def test_two_keys_never_share_an_id(keys: list[tuple[str, str]]) -> None:
    ids = [device_id("xp", key) for key in keys]
    assert all(len(one) <= 200 for one in ids)
    assert len(set(ids)) == len(ids)


def test_an_id_once_given_stays() -> None:
    read = snapshot(RULES, [camera(1)], {("camera", "1"): "xp:old-rule:1"})
    assert list(read.records) == ["xp:old-rule:1"]


def test_an_empty_name_becomes_type_and_key_and_says_so() -> None:
    (record,) = snapshot(RULES, [camera(7, name=" \r\n")], {}).records.values()
    assert (record.name, record.attributes) == ("camera 7", {"name_missing": True})


def test_the_hash_is_of_what_the_device_is_not_of_when_it_was_seen() -> None:
    (one,) = snapshot(RULES, [camera(1, last_seen=AT)], {}).records.values()
    (other,) = snapshot(RULES, [camera(1, last_seen=AT + timedelta(hours=1))], {}).records.values()
    (renamed,) = snapshot(RULES, [camera(1, name="Other")], {}).records.values()
    assert content_hash(one) == content_hash(other) != content_hash(renamed)


CAMERA = DeviceRecord(
    id="xp-hq:camera:98ec38b9-66b3-48a5-b477-79aeb9e3331c",
    name="Loading dock north",
    type="camera",
    system="xp-hq",
    kind="camera",
    native_key="98ec38b9-66b3-48a5-b477-79aeb9e3331c",
    customer_id="acct-4410",
    subtype="fixed",
    mac_address="3C:EF:8C:0A:51:7E",
    ip="10.31.4.22",
    hostname="dock-n-cam",
    location="HQ / Dock",
    last_seen=AT,
    site_id="hq",
    parent_id="xp-hq:hardware:b4d7cd44",
    channel=0,
    attributes={"vendor": "Axis", "enabled": True},
)
READER = DeviceRecord("og-main:reader:3-4", "Server room IN", "access_control", "og-main", "reader", "3-4", "acct-4410")
ONLINE = Health("online", AT, "event", AT - timedelta(hours=8), "communication_started")
KEPT = [
    KeptDevice(CAMERA, "h", AT, AT, ONLINE),
    KeptDevice(READER, "h", AT, AT, Health("offline", AT, "poll")),
]
RUN = Run("01J", "xp-hq", "schedule", "succeeded", AT, AT + timedelta(seconds=59))


def test_brief_is_byte_for_byte_the_example_of_the_brief() -> None:
    example = {
        "devices": [
            {
                "id": "og-main:reader:3-4",
                "name": "Server room IN",
                "type": "access_control",
                "customer_id": "acct-4410",
                "status": "offline",
            },
            {
                "id": "xp-hq:camera:98ec38b9-66b3-48a5-b477-79aeb9e3331c",
                "name": "Loading dock north",
                "type": "camera",
                "customer_id": "acct-4410",
                "status": "online",
                "mac_address": "3C:EF:8C:0A:51:7E",
                "ip": "10.31.4.22",
                "hostname": "dock-n-cam",
                "location": "HQ / Dock",
                "last_seen": "2025-03-08T06:11:40.512Z",
            },
        ]
    }
    body = inventory_body(inventory_of("xp-hq", "milestone", "acct-4410", KEPT), "brief")
    assert body == json.dumps(example, separators=(",", ":")).encode()
    for schema in (INVENTORY, BRIEF_INVENTORY):
        schema.validate(json.loads(body))


def test_extended_has_the_same_keys_and_more() -> None:
    gone = KeptDevice(
        msgspec.structs.replace(CAMERA, id="xp-hq:camera:40de"),
        "h",
        AT,
        AT,
        removal=Removal("xp-hq:camera:40de", "acct-4410", AT, "absent_from_source"),
    )
    found = inventory_of("xp-hq", "milestone", "acct-4410", [*KEPT, gone], RUN)
    extended = json.loads(inventory_body(found, "extended"))
    INVENTORY.validate(extended)
    brief = json.loads(inventory_body(found, "brief"))
    assert [
        {key: one[key] for key in other} for one, other in zip(extended["devices"], brief["devices"], strict=True)
    ] == (brief["devices"])
    device = extended["devices"][1]
    assert device["source"] == {
        "system_id": "xp-hq",
        "system_type": "milestone",
        "native_id": "98ec38b9-66b3-48a5-b477-79aeb9e3331c",
        "parent_id": "xp-hq:hardware:b4d7cd44",
        "channel": 0,
    }
    assert device["health"]["state"] == "online"
    assert extended["removed"] == [
        {
            "id": "xp-hq:camera:40de",
            "customer_id": "acct-4410",
            "removed_at": "2025-03-08T06:11:40.512Z",
            "reason": "absent_from_source",
        }
    ]
    assert (extended["sync"]["complete"], extended["sync"]["total"], extended["sync"]["parts"]) == (True, 2, 1)


def test_who_has_nothing_is_told_so_and_losers_come_first() -> None:
    assert inventory_body(Inventory("xp", "milestone", "acct-1", ()), "brief") == b'{"devices":[]}'
    moved = KeptDevice(CAMERA, "h", AT, AT, left=(Removal(CAMERA.id, "zz-old", AT, "customer_changed"),))
    assert customers_of([moved]) == Customers({"acct-4410": 1}, ("zz-old", "acct-4410"))


def test_the_health_event_of_the_brief() -> None:
    at = datetime(2025, 3, 8, 6, 14, 2, 37000, tzinfo=UTC)
    id_ = event_id("xp-hq", CAMERA.id, "offline", at)
    notice = HealthNotice("xp-hq", "acct-4410", "offline", id_, "online", "communication_lost")
    event = Event(id_, "connection_lost", at, at, "xp-hq", device_id=CAMERA.id, notice=notice)
    brief = health_body(event, "brief")
    assert brief == (
        b'{"device_id":"xp-hq:camera:98ec38b9-66b3-48a5-b477-79aeb9e3331c","status":"offline",'
        b'"timestamp":"2025-03-08T06:14:02.037Z","customer_id":"acct-4410"}'
    )
    BRIEF_HEALTH.validate(json.loads(brief))
    without = json.loads(health_body(event, "brief", customer_in_events=False))
    BRIEF_HEALTH.validate(without)
    assert tuple(without) == HEALTH_KEYS[:3], "the three keys of the brief, and no other"
    assert tuple(json.loads(brief)) == HEALTH_KEYS
    for body in (brief, health_body(event, "extended")):
        HEALTH.validate(json.loads(body))
    assert json.loads(health_body(event, "extended"))["previous"] == "online"
    assert event_id("xp-hq", CAMERA.id, "offline", at) == id_, "identical when told again"


@given(some.lists(some.builds(FoundDevice, kind=some.text(max_size=5), native_key=some.text(max_size=5), name=some.text(), type=some.sampled_from(["camera", "door"]), macs=some.tuples(some.text(max_size=20)), address=some.text(max_size=30), location=some.text(max_size=300), attributes=some.dictionaries(some.text(max_size=5), some.text(max_size=300), max_size=40)), max_size=4))  # fmt: skip  # noqa: E501
def test_whatever_a_system_says_the_document_is_valid(found: list[FoundDevice]) -> None:
    read = snapshot(RULES, found, {})
    kept = [KeptDevice(record, content_hash(record), AT, AT) for record in read.records.values()]
    states = [Health(what, AT, "poll") for what in ("online", "offline", "degraded", "disabled", "unknown")]
    kept = [msgspec.structs.replace(one, health=[*states, None][n % 6]) for n, one in enumerate(kept)]
    for profile in ("brief", "extended"):
        INVENTORY.validate(json.loads(inventory_body(inventory_of("xp", "x", "acct-4410", kept), profile)))
    BRIEF_INVENTORY.validate(json.loads(inventory_body(inventory_of("xp", "x", "acct-4410", kept), "brief")))


@given(
    some.builds(
        HealthNotice,
        system=some.just("xp"),
        customer_id=some.text(min_size=1, max_size=128),
        status=some.sampled_from(["online", "offline", "degraded"]),
        event_id=some.uuids().map(str),
        previous=some.sampled_from(["", "online", "unknown"]),
        flaps=some.integers(0, 100),
        skew_s=some.floats(-1e6, 1e6),
    ),
    some.datetimes(timezones=some.just(UTC), min_value=datetime(1970, 1, 1)),
    some.booleans(),
)
def test_whatever_happens_to_a_device_its_event_is_valid(notice: HealthNotice, at: datetime, whose: bool) -> None:
    event = Event(notice.event_id, "info", at, at, "xp", device_id=CAMERA.id, notice=notice)
    found = json.loads(health_body(event, "brief", whose))
    BRIEF_HEALTH.validate(found)
    assert tuple(found) == HEALTH_KEYS[: 4 if whose else 3]
    HEALTH.validate(json.loads(health_body(event, "extended", whose)))


CRON = [
    ("0 3 * * *", "2025-03-08T06:00:00+00:00", "2025-03-09T01:00:00+00:00"),
    ("*/15 * * * *", "2025-03-08T06:00:00+00:00", "2025-03-08T06:15:00+00:00"),
    ("30 1,13 * * 1-5", "2025-03-08T06:00:00+00:00", "2025-03-09T23:30:00+00:00"),
    ("0 0 1 1 *", "2025-03-08T06:00:00+00:00", "2025-12-31T22:00:00+00:00"),
    ("30 3 30 3 *", "2025-03-08T06:00:00+00:00", "2026-03-30T00:30:00+00:00"),  # 3:30 did not exist in 2025
    ("0 12 * * 7", "2025-03-08T06:00:00+00:00", "2025-03-09T10:00:00+00:00"),
]


@pytest.mark.parametrize(("text", "after", "found"), CRON)
def test_cron_in_a_time_zone(text: str, after: str, found: str) -> None:
    assert Cron.parse(text).after(datetime.fromisoformat(after), ZoneInfo("Europe/Tallinn")).isoformat() == found


@pytest.mark.parametrize(
    "text", ["", "0 3 * *", "60 3 * * *", "0 3 * * 8", "0 3 * * mon", "5-1 * * * *", "*/0 * * * *"]
)
def test_what_is_no_cron(text: str) -> None:
    with pytest.raises(ValueError, match=r"fields|within|number"):
        Cron.parse(text)


def test_the_interval_is_a_tenth_early_or_late() -> None:
    assert (jittered(100.0, 0.0), jittered(100.0, 0.5), jittered(100.0, 1.0)) == (90.0, 100.0, pytest.approx(110.0))


@given(some.text(alphabet="0123456789.:/htps[]-a ", max_size=30))
def test_the_short_way_reads_an_address_as_the_parser_does(text: str) -> None:
    """What needs no parser is read the same by one that is asked all the same."""
    short, long = host_of(text), host_of(f" {text}")
    assert ip(short) == ip(long)
    assert ip(text) == ip(f" {text}")
