"""Codes on the wire to kind, state and class."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysiaalarm.data.sia_codes import SIA_CODES
from siadc09 import dc05

from tocsin.model.event import Code
from tocsin.model.kinds import KINDS
from tocsin.protocols.codes import inbound_contact_id, inbound_sia, meaning_of


@pytest.mark.parametrize(
    ("code", "kind", "state", "name"),
    [
        ("BA", "burglary", "new", "intrusion.generic"),
        ("BR", "burglary", "restore", "intrusion.generic"),
        ("BH", "burglary", "restore", "intrusion.generic"),  # 2.5: xH and xR both end an alarm
        ("FH", "fire", "restore", "fire.generic"),
        ("KH", "fire", "restore", "fire.heat"),
        ("ZH", "alarm", "restore", "env.temp_low"),
        ("TA", "tamper", "new", "tamper.detector"),
        ("TS", "test", "new", "test.walk"),  # 2.5: the one exception
        ("TE", "test", "restore", "test.walk"),
        ("TP", "test", "new", "test.walk"),
        ("HA", "panic", "new", "panic.holdup_silent"),
        ("QA", "medical", "new", "medical.emergency"),
        ("NA", "medical", "new", "medical.no_activity"),
        ("NS", "medical", "restore", "medical.no_activity"),
        ("AT", "aux_power_lost", "new", "power.mains_lost"),
        ("AR", "aux_power_found", "new", "power.mains_lost"),
        ("XT", "battery_low", "new", "power.device_battery"),
        ("XR", "battery_restored", "new", "power.device_battery"),
        ("YM", "battery_removed", "new", "power.battery_missing"),
        ("YC", "connection_lost", "new", "comm.fail"),
        ("YK", "connection_restored", "new", "comm.path_trouble"),
        ("BZ", "connection_lost", "new", "comm.device_lost"),
        ("CL", "armed", "new", "arm.user"),
        ("OP", "disarmed", "new", "arm.user"),
        ("OA", "disarmed", "new", "arm.auto"),
        ("CI", "trouble", "new", "arm.failed"),
        ("BB", "bypass", "new", "bypass.zone"),
        ("BU", "bypass", "restore", "bypass.zone"),
        ("RP", "routine_check", "new", "test.periodic"),
        ("RX", "test", "new", "test.manual"),
        ("DF", "door_forced", "new", "access.forced"),
        ("DR", "door_forced", "restore", "access.forced"),
        ("DD", "access_denied", "new", "access.denied"),
    ],
)
def test_sia(code: str, kind: str, state: str, name: str) -> None:
    meaning = inbound_sia(code)
    assert (meaning.kind, meaning.state, meaning.event_class, meaning.known) == (kind, state, name, True)


@pytest.mark.parametrize(
    ("code", "kind", "state", "name", "text"),
    [
        ("GT", "trouble", "new", "other.trouble", "gas trouble"),
        ("HT", "trouble", "new", "other.trouble", "hold-up trouble"),
        ("WS", "trouble", "new", "other.trouble", "water supervisory"),
        ("KJ", "trouble", "restore", "other.trouble", "heat trouble restored"),
        ("QB", "bypass", "new", "bypass.zone", "emergency bypassed"),
        ("MU", "bypass", "restore", "bypass.zone", "medical bypass removed"),
    ],
)
def test_sia_built_of_two_letters(code: str, kind: str, state: str, name: str, text: str) -> None:
    meaning = inbound_sia(code)
    assert (meaning.kind, meaning.state, meaning.event_class, meaning.text) == (kind, state, name, text)


@pytest.mark.parametrize("code", ["PC", "ZZ", "", "B", "BAA", "b7", "\x00\x07"])
def test_an_unknown_sia_code_is_informational_and_shown(code: str) -> None:
    meaning = inbound_sia(code)
    assert (meaning.kind, meaning.state, meaning.event_class, meaning.known) == ("info", "new", "", False)
    assert meaning.text.isprintable()
    if code.isprintable():
        assert meaning.text == f"unknown SIA code {code}"


@pytest.mark.parametrize(
    ("code", "kind", "state", "name"),
    [
        ("1130", "burglary", "new", "intrusion.generic"),
        ("3130", "burglary", "restore", "intrusion.generic"),
        ("6130", "burglary", "still", "intrusion.generic"),
        ("1136", "burglary", "new", "intrusion.outdoor"),
        ("1121", "duress", "new", "panic.duress"),
        ("1144", "tamper", "new", "tamper.detector"),
        ("3145", "tamper", "restore", "tamper.device"),
        ("1342", "aux_power_lost", "new", "power.mains_lost"),
        ("3342", "aux_power_found", "new", "power.mains_lost"),
        ("6301", "aux_power_lost", "still", "power.mains_lost"),
        ("3401", "armed", "new", "arm.user"),
        ("1401", "disarmed", "new", "arm.user"),
        ("3444", "armed", "new", "arm.partial"),
        ("1408", "disarmed", "new", "arm.quick"),
        ("6401", "info", "still", "arm.user"),  # a repeat says neither armed nor disarmed
        ("1406", "info", "new", "intrusion.cancel"),
        ("3602", "routine_check", "restore", "test.periodic"),
        ("1570", "bypass", "new", "bypass.zone"),
        ("3575", "bypass", "restore", "bypass.swinger"),
        ("1627", "info", "new", "service.program"),
        ("1628", "info", "restore", "service.program"),
        ("1641", "medical", "new", "medical.no_activity"),
        ("1954", "destination_down", "new", "comm.cs_link"),
        ("3954", "destination_up", "new", "comm.cs_link"),
        ("E130", "burglary", "new", "intrusion.generic"),
        ("r130", "burglary", "restore", "intrusion.generic"),
        ("P130", "burglary", "still", "intrusion.generic"),
    ],
)
def test_contact_id(code: str, kind: str, state: str, name: str) -> None:
    meaning = inbound_contact_id(code[0], code[1:])
    assert (meaning.kind, meaning.state, meaning.event_class, meaning.known) == (kind, state, name, True)


@pytest.mark.parametrize(
    ("code", "kind", "state", "name"),
    [
        ("1112", "fire", "new", "fire.generic"),
        ("3118", "fire", "restore", "fire.generic"),
        ("1105", "medical", "new", "medical.generic"),
        ("1125", "panic", "new", "panic.generic"),
        ("1135", "alarm", "new", "other.alarm"),
        ("3150", "alarm", "restore", "other.alarm"),
        ("6150", "alarm", "still", "other.alarm"),
        ("1204", "trouble", "new", "other.trouble"),
        ("3321", "trouble", "restore", "other.trouble"),
        ("1400", "disarmed", "new", "arm.user"),
        ("3456", "armed", "new", "arm.user"),
        ("1424", "info", "new", ""),
        ("1501", "bypass", "new", "bypass.zone"),
        ("3574", "bypass", "restore", "bypass.zone"),
        ("1621", "info", "new", ""),
        ("1777", "info", "new", ""),
        ("1999", "info", "new", ""),
    ],
)
def test_contact_id_outside_the_table_goes_by_its_group(code: str, kind: str, state: str, name: str) -> None:
    meaning = inbound_contact_id(code[0], code[1:])
    assert (meaning.kind, meaning.state, meaning.event_class, meaning.known) == (kind, state, name, False)
    assert meaning.text == f"unknown Contact ID code {code[1:]}"


def test_an_odd_qualifier_counts_as_new() -> None:
    assert inbound_contact_id("2", "130").state == "new"
    assert inbound_contact_id("", "130").kind == "burglary"


def test_a_source_may_bring_either_code_or_none() -> None:
    assert meaning_of(None) is None
    assert meaning_of(Code(number="7")) is None
    assert meaning_of(Code(sia="FA")).kind == "fire"
    assert meaning_of(Code(contact_id="3110")).state == "restore"


@given(st.text(max_size=6), st.text(max_size=6))
@settings(max_examples=200)
def test_every_string_has_a_meaning(first: str, second: str) -> None:
    for meaning in (inbound_sia(first), inbound_contact_id(first, second)):
        assert meaning.kind in KINDS
        assert meaning.text.isprintable()


def test_every_code_of_the_standards_has_a_meaning_and_alarms_are_alarms() -> None:
    for code in SIA_CODES:
        assert inbound_sia(code).kind in KINDS
    for code in dc05.EVENT:
        meaning = inbound_contact_id("1", code)
        assert meaning.kind != "info" or code[0] not in "123" or code == "306"  # configuration changed
