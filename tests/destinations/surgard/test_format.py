"""What goes out: records by surgard.md 5 and stations.md 6, and nothing of a name that could structure one."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.destinations.surgard.conftest import Bench

from tocsin.engine.contracts import ORIGIN_DEFAULT, ORIGIN_OWN, ORIGIN_TAG, Rejected
from tocsin.model.device import Device
from tocsin.model.event import Address, Code, Place
from tocsin.protocols.surgard.reading import read

BY_SEVEN = Code(number="7", user_number=True)
NINE = {"address": None, "kind": "motion"}


@pytest.mark.parametrize(
    ("event", "settings", "record"),
    [
        # event-codes.md 6
        ({"code": Code(contact_id="1136")}, {}, b"5011 186F01E13602017"),
        ({"code": Code(contact_id="3136"), "state": "restore"}, {}, b"5011 186F01R13602017"),
        ({"kind": "tamper"}, {}, b"5011 186F01E38302017"),
        ({"kind": "battery_low"}, {}, b"5011 186F01E38402017"),
        ({"kind": "aux_power_lost", "address": Address("6F01")}, {}, b"5011 186F01E30100000"),
        (
            {"kind": "armed", "address": Address("6F01", "2"), "user": "7", "code": replace(BY_SEVEN, sia="CL")},
            {},
            b"5011 186F01R40102007",
        ),
        ({"kind": "test", "address": Address("6F01"), "code": Code(sia="RP")}, {}, b"5011 186F01E60200000"),
        ({"state": "still"}, {}, b"5011 186F01P13002017"),
        # stations.md 6
        (NINE, {"zone": "1"}, b"5011 189280E13000001"),
        (NINE, {"format": "sia2", "line_digits": 3, "zone": "001"}, b"S01001[#9280|NBA001]"),
        # surgard.md 8
        ({}, {"line_digits": 3}, b"501001 186F01E13002017"),
        ({}, {"format": "sia2", "line_digits": 3, "zone_names": True}, b"S01001[#6F01|Nri2/BA17^North gate^]"),
        (
            {"kind": "disarmed", "address": Address("004711", "2"), "user": "7", "code": replace(BY_SEVEN, sia="OP")},
            {"format": "sia2", "line_digits": 3},
            b"S01001[#004711|Nid7/ri2/OP7]",
        ),
        ({}, {"clock": True}, b"5011 186F01E1300201708:15:30-04/03"),
        # accounts of another width, another receiver
        ({"address": Address("12")}, {}, b"5011 180012E13000000"),
        ({"address": Address("12")}, {"account_width": 6, "account_fill": " "}, b"5011 18    12E13000000"),
        ({"address": Address("0012")}, {"receiver": "A7", "line": "C"}, b"5A7C 180012E13000000"),
        ({"address": Address("12")}, {"format": "sia2"}, b"S011[#12|NBA]"),
        ({}, {"accounts": {"6f01": "9999"}}, b"5011 189999E13002017"),
        ({}, {"codes": {"burglary": "136"}}, b"5011 186F01E13602017"),
        ({"url": "https://gw.example.net/e/7Q2M"}, {"format": "sia2", "link": True}, b"S011[#6F01|Nri2/BA17|Ahttps://gw.example.net/e/7Q2M]"),
        ({"url": "https://gw.example.net/[x]"}, {"format": "sia2", "link": True}, b"S011[#6F01|Nri2/BA17]"),
        ({"url": "https://gw.example.net/" + "x" * 90}, {"format": "sia2", "link": True}, b"S011[#6F01|Nri2/BA17]"),
        # a panel's numbers that do not fit: better without than not at all
        ({"address": Address("6F01", "123", "1234")}, {}, b"5011 186F01E13000000"),
    ],
)  # fmt: skip
def test_records(bench: Bench, event: dict[str, Any], settings: dict[str, Any], record: bytes) -> None:
    assert bench.record(bench.destination(1, **settings), bench.event(**event)) == record + b"\x14"


@given(st.text(max_size=60), st.booleans())
def test_no_name_structures_a_record(name: str, link: bool) -> None:
    bench = Bench()
    destination = bench.destination(1, format="sia2", zone_names=True, link=link)
    event = bench.event(place=Place(name=name, area=name), text=name, url=name, user=name)
    record = bench.record(destination, event)
    assert re.fullmatch(rb"S011\[#6F01\|N(id\d+/)?ri2/BA17(\^[^\^\[\]|/]*\^)?(\|A[!-~]+)?\]\x14", record)
    assert len(record) <= 101
    assert not read(record[:-1]).loose


def test_long_names_are_shortened(bench: Bench) -> None:
    destination = bench.destination(1, format="sia2", zone_names=True, longest=40)
    record = bench.record(destination, bench.event(place=Place(name="Põhjavärav, the one by the river")))
    assert record == b"S011[#6F01|Nri2/BA17^Pohjavarav, the o^]\x14"


@pytest.mark.parametrize(
    ("own", "description", "address", "origin"),
    [
        (Address("6f01", "2", "17", "9", "9"), "Surgard:#9380", "#6f01|2-17", ORIGIN_OWN),
        (None, "Gate cam, Surgard:R2L3#9380|01-004", "R2L3#9380|01-004", ORIGIN_TAG),
        (None, "surgard:#9380", "#9380", ORIGIN_TAG),
        (None, "SIA:#1234", "#9280", ORIGIN_DEFAULT),
        (None, "Surgard:#12", "#9280", ORIGIN_DEFAULT),
    ],
)
def test_addresses(bench: Bench, own: Address | None, description: str, address: str, origin: str) -> None:
    found = bench.destination(1).address(
        bench.event(address=own, device_id="cam"), Device("cam", description=description)
    )
    assert (found.address, found.origin) == (address, origin)
    assert found.queue == found.address.partition("#")[2].partition("|")[0].upper()
    assert bool(found.warning) == (description == "Surgard:#12")


@pytest.mark.parametrize(
    ("own", "settings", "because"),
    [
        (Address("12345"), {}, "cannot go into a Contact ID record of 4 digits"),
        (Address("12A4"), {}, "0 to 9, B to F"),
        (Address("foc7688"), {}, "rename it in accounts of arc"),
        (Address("6F01", "123"), {"oversized_numbers": "refuse"}, "area 123"),
        (Address("6F01", "1", "1234"), {"oversized_numbers": "refuse"}, "zone 1234"),
        (Address("1\x142"), {"format": "sia2"}, "digits and letters"),
        (None, {"account": None}, "Surgard:R1L1#1234"),
    ],
)
def test_accounts_that_do_not_fit_are_refused_with_their_remedy(
    bench: Bench, own: Address | None, settings: dict[str, Any], because: str
) -> None:
    found = bench.destination(1, **settings).address(bench.event(address=own), None)
    assert found.address == ""
    assert because in found.problem


def test_what_sia_cannot_say_is_filtered(bench: Bench) -> None:
    event = bench.event(kind="system_stopped")
    assert "no code" in bench.destination(1, format="sia2").address(event, None).unsupported
    assert not bench.destination(1).address(event, None).unsupported


async def test_an_address_in_the_outbox_that_cannot_go_out_is_set_aside(bench: Bench) -> None:
    destination = bench.destination(1)
    due = bench.due(destination)
    for address, because in (("elsewhere", "no Sur-Gard address"), ("#12345", "more than 4"), ("L77#1234", "line")):
        with pytest.raises(Rejected, match=because):
            await destination.deliver(type(due)(due.key, due.lane, address, "", 1, due.event), bench.attempt())
