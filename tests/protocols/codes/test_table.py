"""The data files against the published table, in both directions, and against two independent code tables."""

import csv
from pathlib import Path

import pytest
from pysiaalarm.data.sia_codes import SIA_CODES
from siadc09 import dc03, dc05

from tocsin.model.kinds import KINDS
from tocsin.protocols.codes import inbound_contact_id, inbound_sia
from tocsin.protocols.codes.tables import CLASSES, KIND_CODES, EventClass

PUBLISHED = list(csv.DictReader((Path(__file__).parent / "section4.csv").read_text(encoding="utf-8").splitlines()))
NEVER_ENDS = {"406", "601", "602", "305", "306", "454", "624"}  # event-codes.md 3.2

# What a code means inbound where several classes share it.
SHARED = {
    "BA": "intrusion.generic",
    "BR": "intrusion.generic",
    "TA": "tamper.detector",
    "TR": "tamper.detector",
    "HA": "panic.holdup_silent",
    "HR": "panic.holdup_silent",
    "MA": "medical.generic",
    "MR": "medical.generic",
    "FA": "fire.generic",
    "FR": "fire.generic",
    "KA": "fire.heat",
    "KR": "fire.heat",
    "GA": "env.gas",
    "GR": "env.gas",
    "UA": "other.alarm",
    "UR": "other.alarm",
    "YT": "power.system_battery",
    "YR": "power.system_battery",
    "YP": "power.supply",
    "YQ": "power.supply",
    "YS": "comm.path_trouble",
    "YK": "comm.path_trouble",
    "UT": "other.trouble",
    "UJ": "other.trouble",
    "CL": "arm.user",
    "OP": "arm.user",
    "1139": "intrusion.verified",
    "3139": "intrusion.verified",
    "1383": "tamper.detector",
    "3383": "tamper.detector",
    "1350": "comm.path_trouble",
    "3350": "comm.path_trouble",
    "1380": "service.fault",
    "3380": "service.fault",
}


def _meaning(code: str):
    return inbound_contact_id(code[0], code[1:]) if code[0].isdigit() else inbound_sia(code)


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: row["class"])
def test_every_published_row_is_in_the_table(row: dict[str, str]) -> None:
    ours = CLASSES[row["class"]]
    assert (ours.sia_on, ours.sia_off) == (row["sia_on"], row["sia_off"])
    assert ours.counts == row["address"].split()[0]
    began = "3" if ours.kind == "armed" else "1"
    assert ours.cid_on == began + row["cid"]


def test_the_table_has_no_row_of_its_own() -> None:
    assert set(CLASSES) == {row["class"] for row in PUBLISHED}
    assert len(PUBLISHED) == 89


@pytest.mark.parametrize("row", CLASSES.values(), ids=lambda row: row.name)
def test_the_end_in_contact_id_is_the_other_qualifier_of_the_same_code(row: EventClass) -> None:
    if row.cid_on[1:] in NEVER_ENDS:
        assert row.cid_off == ""
    elif row.cid_off and row.name != "service.program":  # 628 is a code of its own
        assert row.cid_off == {"1": "3", "3": "1"}[row.cid_on[0]] + row.cid_on[1:]


@pytest.mark.parametrize("row", CLASSES.values(), ids=lambda row: row.name)
def test_every_code_of_a_row_means_that_row_or_the_one_it_is_shared_with(row: EventClass) -> None:
    for codes, ends in ((row.beginnings(), False), (row.ends(), True)):
        for code in codes:
            meaning = _meaning(code)
            assert meaning.known, code
            assert meaning.event_class == SHARED.get(code, row.name), code
            assert meaning.ends is ends, code


def test_the_list_of_shared_codes_is_complete() -> None:
    users: dict[str, set[str]] = {}
    for row in CLASSES.values():
        for code in row.beginnings() + row.ends():
            users.setdefault(code, set()).add(row.name)
    assert {code for code, names in users.items() if len(names) > 1} == set(SHARED)


def test_every_code_exists_in_the_independent_tables() -> None:
    codes = {code for row in CLASSES.values() for code in row.beginnings() + row.ends()}
    codes |= {
        code for row in KIND_CODES.values() for code in (row.sia_on, row.sia_off, row.cid_on, row.cid_off) if code
    }
    sia = {code for code in codes if code.isalpha()}
    contact_id = {code[1:] for code in codes if code.isdigit()}
    assert len(sia) > 90
    assert len(contact_id) > 90
    assert sia <= set(SIA_CODES)
    assert sia <= set(dc03.EVENT)
    assert contact_id <= set(dc05.EVENT)


def test_every_kind_has_its_codes() -> None:
    assert set(KIND_CODES) == KINDS
    assert {row.name for row in KIND_CODES.values()} <= set(CLASSES)
    empty = [row.kind for row in KIND_CODES.values() if not (row.sia_on and row.sia_off and row.cid_on and row.cid_off)]
    assert empty == ["system_stopped"]
