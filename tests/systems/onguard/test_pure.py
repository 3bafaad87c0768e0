"""Addresses, status words, listings, answers, events: tables of what comes and what it means."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine.systems import LicenceRefused, LoginRefused, NotSupported, ProtocolFault, SystemFault, Unreachable
from tocsin.model.inventory import HealthState, Reason
from tocsin.standins.onguard_site import packed
from tocsin.systems.onguard.addresses import address_text, byte_order
from tocsin.systems.onguard.answers import BadRequest, Denied, SessionEnded, fault_of, login_fault, members
from tocsin.systems.onguard.events import (
    LoggedEvent,
    device_of,
    meaning_of,
    meanings,
    points_at,
    read_event,
    submission,
)
from tocsin.systems.onguard.listing import Listing, all_pages, key_of
from tocsin.systems.onguard.lockout import Lockout
from tocsin.systems.onguard.session import seconds_left
from tocsin.systems.onguard.status import Health, by_flag, health, inherited, is_frozen
from tocsin.systems.onguard.watching import in_batches
from tocsin.transports.http import HttpAnswer

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


@pytest.mark.parametrize(
    ("value", "little", "big"),
    [
        (673059850, "10.20.30.40", "40.30.20.10"),  # connectors.md 5.6
        (-937552886, "10.20.30.200", "200.30.20.10"),
        (169090600, "40.30.20.10", "10.20.30.40"),
        (0, "", ""),
        ("673059850", "10.20.30.40", "40.30.20.10"),
        ("10.20.30.40", "10.20.30.40", "10.20.30.40"),
        (" nvr-1 ", "nvr-1", "nvr-1"),
        (None, "", ""),
        (True, "", ""),
        (-1, "255.255.255.255", "255.255.255.255"),
    ],
)
def test_scenario_22_integer_addresses_negative_and_in_both_byte_orders(value: Any, little: str, big: str) -> None:
    assert (address_text(value, "little"), address_text(value, "big")) == (little, big)


@pytest.mark.parametrize("order", ["little", "big"])
def test_scenario_22_the_byte_order_is_that_of_more_private_addresses(order: Any) -> None:
    values = [packed(one, order) for one in ("10.20.30.40", "10.20.30.200", "192.168.7.9", "8.8.4.4")]
    assert byte_order([*values, 0, None, "nvr-1"]) == (order, 3, 4)


def test_without_addresses_the_usual_order_is_taken() -> None:
    assert byte_order([]) == ("little", 0, 0)


@given(ANY)
def test_any_value_is_an_address_or_a_short_text(value: Any) -> None:
    assert len(address_text(value, "little")) <= 253


@pytest.mark.parametrize(
    ("kind", "word", "state", "reason", "detail"),
    [
        ("reader", 0x21, "online", "bit_online", "door forced open"),
        ("reader", 0x0, "offline", "bit_offline", ""),
        ("reader", 0x2000001, "degraded", "readhead_offline", "read-head offline"),
        ("reader", 0x1, "online", "bit_online", ""),
        ("reader", 0x2000000, "offline", "bit_offline", ""),
        ("reader", 0x41, "online", "bit_online", "door held open"),
        ("reader", 0x5, "degraded", "tamper", "controller tamper"),
        ("reader", 0x11, "degraded", "tamper", "tamper"),
        ("reader", 0x9, "degraded", "power_fail", "power failure"),
        ("reader", 0x800001, "degraded", "low_battery", "low battery"),
        ("reader", 0x1000001, "degraded", "hardware_error", "motor stalled"),
        ("reader", 0x4001, "degraded", "hardware_error", "door contact fault"),
        ("reader", 0x80001, "degraded", "hardware_error", "request-to-exit fault"),
        ("reader", 0x8000021, "degraded", "hardware_error", "door contact offline, door forced open"),
        ("reader", 0x100581, "online", "bit_online", ""),
        ("panel", 0x1, "online", "bit_online", ""),
        ("panel", 0x11, "degraded", "firmware_download", "downloading firmware"),
        ("panel", 0x5, "degraded", "tamper", "cabinet tamper"),
        ("panel", 0x3, "degraded", "options_mismatch", "options mismatch"),
        ("alarm_panel", 0x9, "degraded", "power_fail", "power failure"),
        ("alarm_panel", 0xE, "offline", "bit_offline", ""),
    ],
)
def test_scenario_23_status_words(kind: str, word: int, state: HealthState, reason: Reason, detail: str) -> None:
    assert health(kind, word) == Health(state, reason, detail)


@given(st.sampled_from(["panel", "alarm_panel", "reader"]), st.integers(0, 0xFFFFFFFF))
def test_offline_is_exactly_the_online_bit_clear(kind: str, word: int) -> None:
    assert (health(kind, word).state == "offline") == (not word & 1)


@pytest.mark.parametrize(
    ("parent", "cascade", "child"),
    [
        (Health("online"), True, ("online", "bit_online")),
        (Health("degraded"), True, ("online", "bit_online")),
        (Health("offline"), True, ("offline", "panel_offline")),
        (Health("offline"), False, ("unknown", "parent_unknown")),
        (Health("unknown"), True, ("unknown", "parent_unknown")),
    ],
)
def test_what_a_child_inherits(parent: Health, cascade: bool, child: tuple[str, str]) -> None:
    found = inherited(parent, cascade)
    assert (found.state, found.reason) == child


def test_flags_and_frozen_panels() -> None:
    assert [by_flag(value).state for value in (True, False, 1, 0, None, "yes")] == [
        "online", "offline", "online", "offline", "unknown", "unknown",
    ]  # fmt: skip
    assert is_frozen(True, [False, False])
    assert not is_frozen(True, [False, True])
    assert not is_frozen(False, [False]), "an offline panel is believed"
    assert not is_frozen(True, [])


@pytest.mark.parametrize(
    ("status", "body", "header", "fault", "part"),
    [
        (401, b"", "", SessionEnded, "401"),
        # as public clients have seen it: a licence refused with the status of a login, told in a header
        (401, b"", '{"code": "openaccess.general.invalidapplicationid", "message": "You are not licensed"}',
         LicenceRefused, "application_id"),
        (401, b'{"error": {"code": "openaccess.general.invalidapplicationid"}}', "", LicenceRefused, ""),
        (403, b'{"error": {"message": "The licence has expired."}}', "", LicenceRefused, "expired"),
        (403, b'{"error": {"message": "No permission."}}', "", Denied, "No permission."),
        (404, b"", "", NotSupported, "404"),
        (400, b'{"error": {"code": "c", "message": "bad\\r\\nfilter"}}', "", BadRequest, "c: bad filter"),
        (500, b"<html>", "", ProtocolFault, "500"),
        (503, b"", "", Unreachable, "LS OpenAccess"),
        (429, b"", "", Unreachable, ""),
        (302, b"", "", SystemFault, "check url"),
        (202, b"{}", "", ProtocolFault, "202"),
    ],
)  # fmt: skip
def test_errors_are_told_apart(status: int, body: bytes, header: str, fault: type[SystemFault], part: str) -> None:
    found = fault_of(HttpAnswer(status, "", (("error", header),), body), "instances")
    assert type(found) is fault or fault is SystemFault
    assert part in str(found)


@pytest.mark.parametrize(
    ("status", "fault"),
    [(400, LoginRefused), (401, LoginRefused), (403, LoginRefused), (404, NotSupported), (500, ProtocolFault)],
)
def test_a_refused_login_names_what_locks_accounts(status: int, fault: type[SystemFault]) -> None:
    found = login_fault(HttpAnswer(status, "", (), b""))
    assert isinstance(found, fault)
    assert ("locks" in str(found)) is (fault is LoginRefused)


def test_what_onguard_says_of_a_login_stands_in_our_sentence_without_its_full_stop() -> None:
    found = login_fault(HttpAnswer(401, "", (), b'{"error":{"code":"openaccess.login","message":"Invalid login."}}'))
    assert "openaccess.login: Invalid login. OnGuard locks" in str(found)


@given(st.integers(100, 599), st.binary(max_size=200), st.text(max_size=20))
def test_any_answer_is_an_object_or_a_fault(status: int, body: bytes, header: str) -> None:
    try:
        assert isinstance(members(HttpAnswer(status, "", (("error", header),), body), "x"), dict)
    except SystemFault as fault:
        assert "\n" not in str(fault)


def test_three_refused_logins_in_the_first_hour_then_one_an_hour() -> None:
    lockout, now, tries = Lockout(), 1000.0, []
    for _ in range(6):
        now += lockout.wait_s(now)
        tries.append(now - 1000.0)
        lockout = lockout.refused(now, "no")
    assert tries == [0, 60, 960, 4560, 8160, 11760]
    assert all(sum(first <= other < first + 3600 for other in tries) <= 3 for first in tries)


@pytest.mark.parametrize(
    ("written", "left_s"),
    [
        ("2026-03-04T06:06:07Z", 3540.0),
        ("2026-03-04T08:06:07", 3540.0),
        ("2026-03-04T05:06:00Z", float("inf")),
        ("soon", float("inf")),
        ("", float("inf")),
    ],
)
def test_when_a_session_is_renewed(written: str, left_s: float) -> None:
    assert seconds_left(written, AT, ZoneInfo("Europe/Tallinn")) == left_s


@pytest.mark.parametrize(
    ("row", "keys", "key"),
    [
        ({"PanelID": 3, "ReaderID": 4}, ["PanelID", "ReaderID"], "3-4"),
        ({"PanelID": "3", "ReaderID": 4}, ["PanelID", "ReaderID"], "3-4"),
        ({"PanelID": 3}, ["PanelID", "ReaderID"], ""),
        ({"PanelID": 3, "ReaderID": None}, ["PanelID", "ReaderID"], ""),
        ({"PanelID": True}, ["PanelID"], ""),
        ({"PanelID": "x y"}, ["PanelID"], ""),
        ({"PanelID": 3}, [], ""),
    ],
)
def test_native_keys(row: dict[str, Any], keys: list[str], key: str) -> None:
    assert key_of(row, keys) == key


def listing_of(*pages: Any, total: int | None = None, said: int | None = None) -> Listing:
    """What is read when these pages come; a fault in place of a page is raised."""

    async def page(n: int, size: int) -> dict[str, Any]:
        given = pages[min(n, len(pages)) - 1]
        if isinstance(given, SystemFault):
            raise given
        rows = [{"property_value_map": {"ID": one} if isinstance(one, int) else one} for one in given]
        return {"item_list": rows, "total_items": total, "total_pages": said or len(pages)}

    return asyncio.run(all_pages("Lnl_Panel", ["ID"], page))


def test_a_listing_is_complete_only_if_the_count_is_right() -> None:
    assert listing_of([1, 2], [3], total=3) == Listing(({"ID": 1}, {"ID": 2}, {"ID": 3}))
    assert "2 rows came of the 3" in listing_of([1], [2], total=3).problem
    assert listing_of([1], [2]).problem == "", "without a count there is nothing to compare"


def test_a_server_that_ignores_pages_gives_the_same_result_without_end() -> None:
    assert [row["ID"] for row in listing_of([1, 2, 3], total=3, said=9).rows] == [1, 2, 3]


def test_a_page_that_fails_for_good_makes_the_listing_partial() -> None:
    found = listing_of([1, 2], ProtocolFault("broken"), total=4)
    assert len(found.rows) == 2
    assert "page 2" in found.problem
    with pytest.raises(ProtocolFault):
        listing_of(ProtocolFault("broken"))


def test_two_objects_under_one_key_are_both_left_out() -> None:
    found = listing_of([1, {"ID": 2, "Name": "a"}, {"ID": 2, "Name": "b"}], total=3)
    assert found.rows == ({"ID": 1},)
    assert "came twice" in found.problem
    assert "no usable ID" in listing_of([1, {"Name": "x"}], total=2).problem


@given(st.lists(st.lists(ANY, max_size=3), min_size=1, max_size=3))
def test_any_listing_is_read_or_refused(pages: list[list[Any]]) -> None:
    async def page(n: int, size: int) -> dict[str, Any]:
        return {"item_list": pages[min(n, len(pages)) - 1], "total_pages": len(pages)}

    try:
        asyncio.run(all_pages("x", ["ID"], page))
    except ProtocolFault as fault:
        assert "item_list" in str(fault)


ROW = {
    "serial_number": 1001, "timestamp": "2026-03-04T05:06:00Z", "description": "Door Forced Open", "controller_id": 3,
    "device_id": 4, "subdevice_id": 0, "segment_id": 1, "event_type": 4, "event_text": "", "controller_name": "Main",
    "device_name": "Server room IN", "subdevice_name": "", "alarm_priority": 200, "cardholder_last_name": "Lake",
}  # fmt: skip


def read(**changes: Any) -> LoggedEvent:
    event = read_event({**ROW, **changes}, UTC)
    assert event is not None
    return event


def known(kind: str, key: str) -> bool:
    return (kind, key) in {("reader", "3-4"), ("input", "3-1-2"), ("alarm_panel", "3-1")}


def test_a_logged_event_becomes_an_alarm_of_its_device() -> None:
    event = read()
    means = meaning_of(event, meanings({}), ["door_forced"])
    assert means is not None
    made = submission("og-main", "HQ", event, means, device_of(event, known), AT)
    assert (made.event.kind, made.event.state, made.event.device_id) == ("door_forced", "new", "og-main:reader:3-4")
    assert made.event.occurred_at == AT - timedelta(seconds=7)
    assert made.event.text == "Server room IN: Door Forced Open"
    assert "Lake" not in repr(made), "people's names stay where they are"
    again = submission("og-main", "HQ", read(), means, device_of(event, known), AT + timedelta(hours=2))
    assert (again.event.id, again.digest) == (made.event.id, made.digest)


@pytest.mark.parametrize(
    ("changes", "kinds", "kind", "state"),
    [
        ({}, ["door_held"], None, None),
        ({"description": "Door Forced Open Restored"}, ["door_forced"], "door_forced", "restore"),
        ({"description": "", "event_text": "DOOR HELD OPEN"}, ["door_held"], "door_held", "new"),
        ({"description": "Communications Lost"}, ["connection_lost"], None, None),  # the device's health tells it
        ({"description": "Access Denied: Duress"}, ["duress"], "duress", "new"),
        ({"description": "Access Granted"}, ["door_forced"], None, None),
        ({"description": "Something"}, ["info"], None, None),
    ],
)
def test_which_texts_become_alarms(changes: Any, kinds: list[str], kind: str | None, state: str | None) -> None:
    found = meaning_of(read(**changes), meanings({}), kinds)
    assert (found and found.kind, found and found.state) == (kind, state)


def test_the_sites_own_texts_come_first() -> None:
    assert meaning_of(read(), meanings({"forced open": "burglary"}), ["burglary"]) is not None


@pytest.mark.parametrize(
    ("changes", "device"),
    [
        ({}, ("reader", "3-4")),
        ({"device_id": 1, "subdevice_id": 2}, ("input", "3-1-2")),
        ({"device_id": 1}, ("alarm_panel", "3-1")),
        ({"device_id": 7}, ("panel", "3")),
        ({"device_id": 0}, ("panel", "3")),
    ],
)
def test_whose_event_it_is(changes: Any, device: tuple[str, str]) -> None:
    assert device_of(read(**changes), known) == device


def test_what_a_hint_points_to() -> None:
    assert points_at(read(description="Communications Lost"), ["communications lost"])
    assert not points_at(read(), ["communications lost"])
    assert not points_at(read(description="offline", controller_id=0), ["offline"])


def test_times_without_a_zone_and_absurd_ones() -> None:
    zone = ZoneInfo("Europe/Tallinn")
    local = read_event({**ROW, "timestamp": "2026-03-04T07:06:00"}, zone)
    assert local is not None
    assert local.at == AT - timedelta(seconds=7)
    means = meanings({})[0]
    old = submission("og", "", read(timestamp="1999-01-01T00:00:00Z"), means, ("panel", "3"), AT).event
    assert (old.occurred_at, old.flags) == (AT, ("time_absurd",))
    assert read(timestamp="now").at is None


def test_names_of_fields_may_differ_on_the_bus() -> None:
    names = {"serial_number": "SerialNumber", "event_text": "Text"}
    event = read_event({"SerialNumber": 7, "Text": "Door Held Open"}, UTC, names)
    assert event is not None
    assert (event.serial_number, event.event_text) == (7, "Door Held Open")


@given(st.dictionaries(st.sampled_from(sorted(ROW)), ANY))
def test_any_row_is_an_event_or_none(row: dict[str, Any]) -> None:
    event = read_event(row, UTC)
    if event is not None:
        made = submission("og", "", event, meanings({})[0], device_of(event, known), AT).event
        assert made.text.isprintable()
        assert len(made.id) < 150


def test_batches_fill_the_cycle() -> None:
    panels: list[Any] = list(range(50))
    assert [len(batch) for batch in in_batches(panels, 120.0, 8.0)] == [4] * 12 + [2]
    assert in_batches(panels[:3], 120.0, 8.0) == [[0, 1], [2]]
    assert in_batches([], 120.0, 8.0) == []
