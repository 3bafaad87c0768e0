"""Kinds, and the codes panels brought, to the codes that go out."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.model.event import Code
from tocsin.model.kinds import KINDS
from tocsin.protocols.codes import check_override, inbound_contact_id, inbound_sia, outbound_contact_id, outbound_sia

# stations.md 3.1 and 3.2, the Bridge IO rows included; then the kinds of the gateway's own supervision.
DETECTOR = [
    ("motion", "BA", "1130"),
    ("routine_check", "RP", "1602"),
    ("tamper", "TA", "1383"),
    ("armed", "CL", "3401"),
    ("disarmed", "OP", "1401"),
    ("connection_lost", "YC", "1350"),
    ("connection_restored", "YK", "3350"),
    ("battery_low", "XT", "1384"),
    ("battery_restored", "XR", "3384"),
    ("critical_battery_shutdown", "YT", "1302"),
    ("lid_opened", "TA", "1137"),
    ("aux_power_lost", "AT", "1301"),
    ("aux_power_found", "AR", "3301"),
    ("battery_charging_fault", "YP", "1309"),
    ("battery_charging_normal", "YQ", "3309"),
    ("battery_removed", "YM", "1311"),
    ("snapshot", "RX", "1601"),
    ("system_started", "RR", "1305"),
    ("system_stopped", "", "1308"),
    ("destination_down", "YS", "1954"),
    ("destination_up", "YK", "3954"),
    ("supervision_lost", "UY", "1381"),
    ("supervision_restored", "UJ", "3381"),
]

# kind -> SIA -> kind, and kind -> Contact ID -> kind, where it is not the same kind again: the code says less, or
# more, than the kind.
FROM_SIA = {
    "motion": "burglary",
    "lid_opened": "tamper",
    "snapshot": "test",
    "info": "test",
    "critical_battery_shutdown": "battery_low",
    "battery_charging_fault": "trouble",
    "battery_charging_normal": "trouble",
    "destination_down": "connection_lost",
    "destination_up": "connection_restored",
    "supervision_lost": "connection_lost",
    "supervision_restored": "trouble",
    "duress": "panic",
    "video_loss": "trouble",
}
FROM_CONTACT_ID = {
    "motion": "burglary",
    "lid_opened": "tamper",
    "snapshot": "test",
    "info": "test",
    "critical_battery_shutdown": "battery_low",
    "supervision_lost": "connection_lost",
    "supervision_restored": "connection_restored",
    "system_stopped": "critical_battery_shutdown",
    "video_loss": "trouble",
}


@pytest.mark.parametrize(("kind", "sia", "contact_id"), DETECTOR)
def test_kinds_of_detectors_and_of_the_gateway(kind, sia, contact_id) -> None:
    assert outbound_sia(kind, "new") == sia
    assert "".join(outbound_contact_id(kind, "new")) == contact_id


@pytest.mark.parametrize("kind", sorted(KINDS - {"system_stopped"}))
def test_kind_to_sia_and_back(kind) -> None:
    assert inbound_sia(outbound_sia(kind, "new")).kind == FROM_SIA.get(kind, kind)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_kind_to_contact_id_and_back(kind) -> None:
    assert inbound_contact_id(*outbound_contact_id(kind, "new")).kind == FROM_CONTACT_ID.get(kind, kind)


@pytest.mark.parametrize("kind", sorted(KINDS - {"system_stopped"}))
@pytest.mark.parametrize("state", ["restore", "still"])
def test_a_restore_never_goes_out_as_an_alarm(kind, state) -> None:
    ended_sia = inbound_sia(outbound_sia(kind, state))
    ended = inbound_contact_id(*outbound_contact_id(kind, state))
    if state == "restore":
        lasting = {"test", "routine_check", "info", "system_started", "access_granted", "access_denied"}
        assert ended_sia.ends or ended_sia.kind in lasting
        assert ended.ends or ended.kind in lasting
    elif not ended.kind.endswith(("ed", "found", "up", "normal")):
        assert ended.state == "still"


PASSED = ["BA", "BR", "BH", "BG", "TA", "PC", "EA", "OR", "ZZ", "CF"]


@pytest.mark.parametrize("code", PASSED)
def test_a_sources_own_sia_code_passes_unchanged(code) -> None:
    meaning = inbound_sia(code)
    assert outbound_sia(meaning.kind, meaning.state, Code(sia=code)) == code


@pytest.mark.parametrize("code", ["1130", "3130", "6130", "1135", "3401", "1401", "6401", "1628", "3602", "1777"])
def test_a_sources_own_contact_id_code_passes_unchanged(code) -> None:
    meaning = inbound_contact_id(code[0], code[1:])
    assert outbound_contact_id(meaning.kind, meaning.state, Code(contact_id=code)) == (code[0], code[1:])


@pytest.mark.parametrize(
    ("contact_id", "sia"),
    [
        ("1136", "BA"),
        ("3136", "BR"),
        ("6136", "BA"),  # SIA has no "still present"
        ("1114", "KA"),
        ("3113", "SR"),
        ("1381", "UY"),
        ("3381", "UJ"),
        ("3403", "CA"),
        ("1403", "OA"),
        ("3441", "NL"),
        ("1443", "OP"),  # CF has no end of its own: the kind decides
        ("1117", "FA"),
        ("1112", "FA"),
        ("1135", "UA"),
        ("1609", "RX"),  # no code in SIA
        ("1628", "LX"),
        ("1777", "RX"),
    ],
)
def test_contact_id_to_sia(contact_id, sia) -> None:
    meaning = inbound_contact_id(contact_id[0], contact_id[1:])
    assert outbound_sia(meaning.kind, meaning.state, Code(contact_id=contact_id)) == sia


@pytest.mark.parametrize(
    ("sia", "contact_id"),
    [
        ("BA", "1130"),
        ("BH", "3130"),
        ("BV", "1139"),
        ("BG", "1138"),
        ("KA", "1114"),
        ("UY", "1381"),
        ("BZ", "1381"),
        ("CL", "3401"),
        ("OP", "1401"),
        ("CQ", "3407"),
        ("NL", "3441"),
        ("LX", "1628"),
        ("TP", "1607"),
        ("GT", "1300"),
        ("QB", "1573"),
        ("RR", "1305"),
        ("YS", "1350"),
        ("PC", "1601"),
    ],
)
def test_sia_to_contact_id(sia, contact_id) -> None:
    meaning = inbound_sia(sia)
    assert "".join(outbound_contact_id(meaning.kind, meaning.state, Code(sia=sia))) == contact_id


def test_a_code_that_contradicts_the_state_is_corrected() -> None:
    assert outbound_sia("burglary", "restore", Code(sia="BA")) == "BR"
    assert outbound_sia("burglary", "new", Code(sia="BR")) == "BA"
    assert outbound_contact_id("burglary", "restore", Code(contact_id="1131")) == ("3", "131")
    assert outbound_contact_id("burglary", "still", Code(contact_id="1131")) == ("6", "131")
    assert outbound_contact_id("burglary", "restore", Code(sia="BA")) == ("3", "130")
    assert outbound_sia("burglary", "still", Code(sia="BV")) == "BV"
    assert outbound_sia("burglary", "restore", Code(contact_id="1138")) == "BR"


@pytest.mark.parametrize("code", [Code(sia="ba"), Code(sia="BAR"), Code(contact_id="130"), Code(contact_id="2130")])
def test_what_is_no_code_does_not_go_out(code) -> None:
    assert outbound_sia("fire", "new", code if code.sia else None) == "FA"
    assert outbound_contact_id("fire", "new", code if code.contact_id else None) == ("1", "110")


def test_overrides() -> None:
    assert outbound_sia("motion", "new", None, {"motion": "BV"}) == "BV"
    assert outbound_sia("motion", "restore", None, {"motion": "BV"}) == "BR"
    assert outbound_sia("motion", "restore", None, {"motion": "ZY"}) == "BR"
    assert outbound_sia("motion", "restore", None, {"motion": "BV", "motion.restore": "BH"}) == "BH"
    for written in ("137", "E137", "e137", "1137"):
        assert outbound_contact_id("tamper", "new", None, {"tamper": written}) == ("1", "137")
        assert outbound_contact_id("tamper", "restore", None, {"tamper": written}) == ("3", "137")
        assert outbound_contact_id("tamper", "still", None, {"tamper": written}) == ("6", "137")
    assert outbound_contact_id("connection_restored", "new", None, {"connection_restored": "R381"}) == ("3", "381")
    assert outbound_contact_id("armed", "new", None, {"armed": "441"}) == ("3", "441")
    assert outbound_sia("system_stopped", "new", None, {"system_stopped": "RR"}) == "RR"


def test_arming_is_the_other_way_round_in_contact_id() -> None:
    partly = {"arm.user": "R441"}
    assert outbound_contact_id("armed", "new", Code(sia="CL"), partly) == ("3", "441")
    assert outbound_contact_id("disarmed", "new", Code(sia="OP"), partly) == ("1", "441")
    assert outbound_contact_id("armed", "restore") == ("1", "401")
    assert outbound_contact_id("armed", "still") == ("3", "401")


def test_an_override_of_the_very_code_wins_over_passing_it_on() -> None:
    assert outbound_sia("burglary", "new", Code(sia="BG"), {"BG": "BA", "burglary": "BV"}) == "BA"
    assert outbound_sia("burglary", "new", Code(sia="BA"), {"burglary": "BV"}) == "BA"
    assert outbound_contact_id("burglary", "new", Code(contact_id="1138"), {"1138": "130"}) == ("1", "130")


def test_an_override_of_a_class_concerns_translated_codes() -> None:
    overrides = {"intrusion.outdoor": "BV"}
    assert outbound_sia("burglary", "new", Code(contact_id="1136"), overrides) == "BV"
    assert outbound_sia("burglary", "new", Code(contact_id="1131"), overrides) == "BA"


@pytest.mark.parametrize(
    ("wire", "name", "value", "wrong"),
    [
        ("sia", "motion", "BV", ""),
        ("sia", "tamper.armed.restore", "TR", ""),
        ("sia", "BG", "BA", ""),
        ("contact_id", "tamper", "E137", ""),
        ("contact_id", "1138", "130", ""),
        ("sia", "movement", "BA", "neither"),
        ("sia", "motion", "B", "capital letters"),
        ("contact_id", "motion", "BA", "E130"),
        ("contact_id", "BG", "130", "neither"),
    ],
)
def test_overrides_are_checked_when_they_are_configured(wire, name, value, wrong) -> None:
    problem = check_override(wire, name, value)
    assert (wrong in problem) if wrong else problem == ""


CODES = st.builds(
    Code,
    sia=st.none() | st.from_regex(r"[A-Z]{2}\Z") | st.text(max_size=3),
    contact_id=st.none() | st.from_regex(r"[136][0-9A-F]{3}\Z") | st.text(max_size=4),
)


@given(
    st.sampled_from(sorted(KINDS - {"system_stopped"})),
    st.sampled_from(["new", "restore", "still"]),
    st.none() | CODES,
    st.dictionaries(st.sampled_from(sorted(KINDS)), st.text(max_size=4), max_size=2),
)
@settings(max_examples=300)
def test_there_is_always_a_code(kind, state, code, overrides) -> None:
    assert re.fullmatch(r"[A-Z]{2}", outbound_sia(kind, state, code, overrides))
    qualifier, digits = outbound_contact_id(kind, state, code, overrides)
    assert re.fullmatch(r"[136][0-9A-F]{3}", qualifier + digits)
