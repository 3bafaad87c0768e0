"""Under which number an event goes out: the first of own, description, list, default (stations.md 2)."""

from typing import Any

import pytest

from tocsin.destinations.dc09.addressing import read_printed
from tocsin.engine.contracts import ORIGIN_DEFAULT, ORIGIN_DEVICE, ORIGIN_OWN, ORIGIN_TAG
from tocsin.model.device import Device
from tocsin.model.event import Address

LISTED = {"arc": Address("5555", zone="5"), "other": Address("6666")}


def addressed(bench: Any, own: Address | None, device: Device | None, **changes: Any) -> Any:
    return bench.destination(1, **changes).address(bench.event(address=own, device_id="cam"), device)


def test_the_events_own_number_comes_first_with_this_stations_receiver_and_prefix(bench: Any) -> None:
    device = Device("cam", description="SIA:#9380")
    found = addressed(bench, Address("6f01", "2", "17", "9", "9"), device, receiver="1", prefix="234")
    assert (found.address, found.origin) == ("R1L234#6f01|2-17", ORIGIN_OWN)
    assert (found.queue, found.counter) == ("6F01", "R1L234#6F01")


def test_accounts_are_renamed_whatever_their_case(bench: Any) -> None:
    found = addressed(bench, Address("foc7688", "2", "17"), None, accounts={"FOC7688": "9280"})
    assert found.address == "#9280|2-17"


def test_an_account_that_cannot_go_out_is_a_problem_with_its_remedy(bench: Any) -> None:
    found = addressed(bench, Address("foc7688"), None)
    assert found.address == ""
    assert "'foc7688' cannot go into a DC-09 message" in found.problem
    assert "accounts of arc" in found.problem


@pytest.mark.parametrize(
    ("description", "address"),
    [
        ("SIA:R1L234#567890|00-001", "R1L234#567890|00-001"),
        ("Gate cam, Json:#9999; sia:#1234-002", "#1234-002"),
        ("SIA:#9380", "#9380"),
        ("SIA:#12 SIA:#9380", "#9380"),
    ],
)
def test_the_description_wins_over_list_and_default(bench: Any, description: str, address: str) -> None:
    found = addressed(bench, None, Device("cam", description=description, addresses=LISTED), receiver="7")
    assert (found.address, found.origin) == (address, ORIGIN_TAG)


def test_a_description_that_cannot_be_read_is_warned_of_and_the_next_is_used(bench: Any) -> None:
    found = addressed(bench, None, Device("cam", description="SIA:#12"))
    assert (found.address, found.origin) == ("#9280", ORIGIN_DEFAULT)
    assert "SIA:#12" in found.warning
    assert "cam" in found.warning


def test_the_devices_list_then_the_default(bench: Any) -> None:
    found = addressed(bench, None, Device("cam", addresses=LISTED))
    assert (found.address, found.origin) == ("#5555-5", ORIGIN_DEVICE)
    found = addressed(bench, None, Device("cam"), receiver="1", prefix="20", area="00", zone="001")
    assert (found.address, found.origin) == ("R1L20#9280|00-001", ORIGIN_DEFAULT)
    assert addressed(bench, None, None).address == "#9280"


def test_without_any_number_the_problem_says_where_to_write_one(bench: Any) -> None:
    found = addressed(bench, None, Device("cam"), account=None)
    assert (found.address, found.queue) == ("", "")
    assert "SIA:R1L234#567890|00-001" in found.problem
    assert "set account in [[destinations]] arc" in found.problem
    assert "description of cam" in found.problem


def test_contact_id_never_cuts_digits(bench: Any) -> None:
    strict = {"format": "ADM-CID", "oversized_numbers": "refuse"}
    assert "zone 1234" in addressed(bench, Address("6F01", "2", "1234"), None, **strict).problem
    assert "area 123" in addressed(bench, Address("6F01", "123", "1"), None, **strict).problem
    tagged = Device("cam", addresses={"arc": Address("6F01", "2", "1234")})
    assert "zone 1234" in addressed(bench, None, tagged, format="ADM-CID").problem, "can be corrected here"
    assert not addressed(bench, Address("6F01", "002", "0017"), None, format="ADM-CID").problem
    assert not addressed(bench, Address("6F01", "2", "1234"), None).problem


async def test_a_panels_number_that_does_not_fit_goes_out_in_the_text(bench: Any) -> None:
    destination = bench.destination(1, format="ADM-CID")
    own = Address("6F01", "2", "1234")
    event = bench.event(address=own)
    found = destination.address(event, None)
    good = bench.due(destination)
    due = type(good)(good.key, good.lane, found.address, found.queue, 1, event)
    (rendered,) = destination.render(due, ())
    assert b"[#6F01|1130 02 000]" in rendered.data
    assert b"1234" in rendered.data.partition(b"[I")[2]


@pytest.mark.parametrize("text", ["#6F01", "R1L234#567890|00-001", "L0#ABC-17", "R1#1234|2"])
def test_printed_addresses_are_read_back(text: str) -> None:
    found = read_printed(text)
    assert str(found) == text


@pytest.mark.parametrize("text", ["", "6F01", "#12", "#6F01|", "R#1234", "#6F01|2-17 "])
def test_what_is_no_address_is_none(text: str) -> None:
    assert read_printed(text) is None
