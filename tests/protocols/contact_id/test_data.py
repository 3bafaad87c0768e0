"""DC-05 data blocks (event-codes.md section 3)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from siadc09 import admcid

from tocsin.protocols.contact_id import CidEvent, ContactIdError, Unreadable, fits, read, write


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (b"#6F01|1130 02 017", CidEvent("6F01", "1", "130", "02", "017")),
        (b"#B12345|1602 00 000", CidEvent("B12345", "1", "602", "00", "000")),
        (b"#000110|3401 02 007", CidEvent("000110", "3", "401", "02", "007")),
        (b"|6130 02 017", CidEvent(None, "6", "130", "02", "017")),
        (b"1130 02 017", CidEvent(None, "1", "130", "02", "017")),
        (b"#foc7688|1130 00 001", CidEvent("foc7688", "1", "130", "00", "001")),
        (b"#6F01|113002017", CidEvent("6F01", "1", "130", "02", "017")),
        (b"#6F01|1130 02 017|", CidEvent("6F01", "1", "130", "02", "017")),
        (b"#6F01|R1ab fE 0bC ", CidEvent("6F01", "3", "1AB", "FE", "0BC")),
    ],
)
def test_read(data: bytes, event: CidEvent) -> None:
    assert read(data) == event
    assert read(data.decode()) == event


@pytest.mark.parametrize(
    ("data", "account", "raw"),
    [
        (b"", None, ""),
        (b"#6F01|", "6F01", "#6F01|"),
        (b"#6F01|2130 02 017", "6F01", "#6F01|2130 02 017"),
        (b"#6F01|1130 02 0170", "6F01", "#6F01|1130 02 0170"),
        (b"#6F01|1130 02 017|1130 02 018", "6F01", "#6F01|1130 02 017|1130 02 018"),
        (b"#6F\x0001|NBA1", "6F 01", "#6F 01|NBA1"),
        (b"#1234|1130 02 \xd9\xa1\xd9\xa2\xd9\xa3", "1234", "#1234|1130 02 ١٢٣"),
    ],
)
def test_what_is_no_contact_id_is_kept_as_it_was(data: bytes, account: str | None, raw: str) -> None:
    assert read(data) == Unreadable(account, raw)


@pytest.mark.parametrize(
    ("arguments", "block"),
    [
        (("6F01", "1", "130", "2", "17"), "#6F01|1130 02 017"),
        (("6F01", "3", "130", "02", "017"), "#6F01|3130 02 017"),
        (("6F01", "6", "130", None, None), "#6F01|6130 00 000"),
        (("000110", "1", "1ab", "", "bf"), "#000110|11AB 00 0BF"),
        (("6F01", "1", "130", "99", "999"), "#6F01|1130 99 999"),
        (("6F01", "1", "130", "0002", "0017"), "#6F01|1130 02 017"),
    ],
)
def test_write(arguments: tuple[str, ...], block: str) -> None:
    assert write(*arguments) == block


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("6F01", "1", "130", "00", "1000"), "1000"),
        (("6F01", "1", "130", "100", "000"), "100"),
        (("6F01", "1", "130", "00", "1-7"), "1-7"),
        (("6F01", "1", "130", "00", "٣"), "٣"),
        (("6F01", "2", "130", "00", "000"), "qualifier"),
        (("6F01", "1", "13", "00", "000"), "'13'"),
        (("6F01", "1", "13G", "00", "000"), "'13G'"),
    ],
)
def test_what_does_not_fit_is_refused_never_cut(arguments: tuple[str, ...], named: str) -> None:
    with pytest.raises(ContactIdError, match=named):
        write(*arguments)


def test_fits() -> None:
    assert fits(None, 3)
    assert fits("999", 3)
    assert fits("0999", 3)
    assert not fits("1000", 3)
    assert not fits("1 7", 3)


@given(st.binary(max_size=40) | st.text(max_size=40))
@settings(max_examples=200)
def test_any_bytes_have_a_meaning(data: bytes | str) -> None:
    found = read(data)
    assert isinstance(found, CidEvent | Unreadable)
    assert "\x00" not in str(found)


@given(st.sampled_from("136"), st.text("0123456789BCDEF", min_size=3, max_size=3), st.data())
@settings(max_examples=100)
def test_what_is_written_can_be_read_also_by_an_independent_reader(qualifier, code, data) -> None:
    group = data.draw(st.text("0123456789", min_size=1, max_size=2))
    zone = data.draw(st.text("0123456789", min_size=1, max_size=3))
    block = write("6F01", qualifier, code, group, zone)
    assert read(block) == CidEvent("6F01", qualifier, code, group.rjust(2, "0"), zone.rjust(3, "0"))
    theirs = admcid.parse_admcid(block.encode()).event
    assert (theirs.qualifier, theirs.code) == (qualifier, code)
    assert (theirs.group, theirs.addr) == (int(group, 16), int(zone, 16))
