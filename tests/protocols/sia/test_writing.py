"""What we write as DC-03, read back by ourselves and by an independent library."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from siadc09 import siadcs

from tocsin.protocols.sia import read, write


@pytest.mark.parametrize(
    ("arguments", "block"),
    [
        (("6F01", "2", None, "BA", "17"), "#6F01|Nri2/BA17"),
        (("6F01", "2", "7", "CL", "7"), "#6F01|Nid7/ri2/CL7"),
        (("6F01", None, None, "AT"), "#6F01|NAT"),
        (("6F01", "", "", "PA", "3"), "#6F01|NPA3"),
        (("000110", "02", None, "BA", "017", "North gate"), "#000110|Nri02/BA017^North gate^"),
        (("6F01", None, None, "BA", "1", "a[b]c^d|e/f\ng"), "#6F01|NBA1^a(b)c d e f g^"),
    ],
)
def test_write(arguments: tuple[str, ...], block: str) -> None:
    assert write(*arguments) == block


NUMBERS = st.text("0123456789", min_size=1, max_size=5)


@given(
    NUMBERS,
    NUMBERS | st.none(),
    NUMBERS | st.none(),
    st.sampled_from(["BA", "CL", "AT", "NA", "OP"]),
    st.text(max_size=20),
)
@settings(max_examples=150)
def test_what_is_written_can_be_read(account, area, user, code, text) -> None:
    data = read(write(account, area, user, code, "17", text))
    (event,) = data.events
    assert data.account == account
    assert (event.area, event.user, event.code, event.number) == (area or "", user or "", code, "17")
    assert event.text.split() == [] or event.text.isprintable()
    assert data.raw == ()


@pytest.mark.parametrize("code", ["BA", "CL", "AT", "RP"])
def test_an_independent_reader_agrees(code: str) -> None:
    block = siadcs.parse_siadcs(write("6F01", "2", "7", code, "17", "North gate").encode()).blocks[1]
    (event,) = block.events
    assert (event.code, event.addr) == (code, 0x17)  # it reads addresses as hexadecimal
    assert {name: modifier.value for name, modifier in event.modifiers.items()} == {"id": 7, "ri": 2}
    assert event.descr == "North gate"
