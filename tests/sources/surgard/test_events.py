"""What records become: accounts to areas, the receiver's own words, and nothing lost that cannot be read."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.model.event import Address, Code, Event
from tocsin.protocols.surgard.reading import read
from tocsin.sources.surgard.events import Sites, own_site, submissions
from tocsin.sources.surgard.settings import SurgardSourceSettings

NOW = datetime(2026, 3, 4, 8, 15, 30, tzinfo=UTC)
SETTINGS = SurgardSourceSettings.model_validate(
    {
        "name": "receiver",
        "type": "surgard",
        "hosts": ["192.0.2.5:1025"],
        "area": "Reception",
        "device": "receiver-1",
        "accounts": [
            {"account": "1234", "area": "North depot", "device": "panel-1"},
            {"account": "6f01", "area": "South depot", "time_zone": "Europe/Tallinn"},
            {"account": "6F01", "receiver": "02", "area": "By receiver"},
            {"account": "6F01", "receiver": "02", "line": "001", "area": "By receiver and line"},
        ],
    }
)


def events(raw: bytes) -> list[Event]:
    record = read(raw)
    sites = Sites(SETTINGS)
    return [each.event for each in submissions("receiver", record, sites.of(record), own_site(SETTINGS), NOW)]


@pytest.mark.parametrize(
    ("raw", "facts"),
    [
        (
            b"5011 181234E12101001",
            {
                "kind": "duress",
                "address": Address("1234", "01", None, "01", "1"),
                "user": "001",
                "device_id": "panel-1",
            },
        ),
        (
            b"5011 181234E13001004",
            {"kind": "burglary", "address": Address("1234", "01", "004", "01", "1"), "flags": ()},
        ),
        (b"5011 187037R30100000", {"kind": "aux_power_found", "flags": ("unknown_account",)}),
        (
            b"501001 186F01R13002017",
            {"kind": "burglary", "state": "restore", "code": Code(contact_id="3130", number="017")},
        ),
        (b"5011 181234P13001004", {"state": "still"}),
        (b"S011[#1234|Nri1BA01]", {"kind": "burglary", "address": Address("1234", "1", "01", "01", "1")}),
        (b"S01001[#6F01|Nri2/BA17^North gate^]", {"text": "North gate", "code": Code(sia="BA", number="17")}),
        (b"S01001[#004711|Nid7/ri2/OP7]", {"kind": "disarmed", "user": "7"}),
        (b"3011      1234BA0005", {"kind": "burglary", "address": Address("1234", None, "0005", "01", "1")}),
        (b"1011      0012 C1128", {"kind": "armed", "user": "128", "address": Address("0012", "1", None, "01", "1")}),
        (
            b"1011      1234 A  28",
            {"kind": "alarm", "address": Address("1234", None, "28", "01", "1"), "text": "event A 28"},
        ),
        (b"4011  12345551234567", {"kind": "info", "text": "call from 5551234567"}),
        (b"6011      1234BA0005", {"kind": "alarm", "flags": ("raw",), "raw": "6011      1234BA0005"}),
        (b"2011 anything", {"kind": "alarm", "flags": ("raw", "unknown_account"), "address": None}),
        (b"5011181234E13001004", {"kind": "burglary", "flags": ("loose",), "raw": "5011181234E13001004"}),
        (b"S011[#1234|Nti08:10/BA01]", {"occurred_at": NOW}),
        (b"S011[#6F01|Nti10:10/BA01]", {"occurred_at": NOW.replace(minute=10, second=0)}),
        (b"5011 181234E1300100408:10:00-04/03", {"occurred_at": NOW}),
    ],
)
def test_records(raw: bytes, facts: dict[str, Any]) -> None:
    (event,) = events(raw)
    assert {name: getattr(event, name) for name in facts} == facts


@pytest.mark.parametrize(
    ("raw", "area"),
    [
        (b"5011 181234E13001004", "North depot"),
        (b"5011 186F01E13001004", "South depot"),
        (b"5021 186F01E13001004", "By receiver"),
        (b"502001 186F01E13001004", "By receiver and line"),
        (b"5011 189999E13001004", ""),
    ],
)
def test_the_most_exact_account_gives_the_area(raw: bytes, area: str) -> None:
    (event,) = events(raw)
    assert event.place.area == area


@pytest.mark.parametrize(
    ("raw", "kind", "text"),
    [
        (b"0011[#0000|NYC011]", "connection_lost", "receiver 01 line 1: communication failed"),
        (b"S011[#0000|NYN011]", "trouble", "receiver 01 line 1: invalid report"),
        (b"0011[#0000|NZZ011]", "info", "receiver 01 line 1: #0000|NZZ011"),
        (b"0011[garbage]", "info", "receiver 01 line 1: garbage"),
    ],
)
def test_what_the_receiver_says_of_itself_is_no_sites(raw: bytes, kind: str, text: str) -> None:
    (event,) = events(raw)
    assert (event.kind, event.text, event.address) == (kind, text, None)
    assert (event.place.area, event.device_id) == ("Reception", "receiver-1")


def test_several_events_of_one_record_keep_their_order() -> None:
    found = events(b"S011[#1234|Nri1/BA01/BR01/TA02]")
    assert [(each.kind, each.state) for each in found] == [
        ("burglary", "new"),
        ("burglary", "restore"),
        ("tamper", "new"),
    ]


@given(st.binary(min_size=1, max_size=100) | st.from_regex(rb"[0-9A-Z]011 ?\[?#?[0-9A-F]{4}.{0,30}", fullmatch=True))
def test_whatever_comes_at_least_one_event_is_kept(raw: bytes) -> None:
    if read(raw).kind == "heartbeat":
        return
    found = events(raw)
    assert found
    assert all(each.source == "receiver" for each in found)
    assert all(each.text.isprintable() and each.raw.isprintable() for each in found)
