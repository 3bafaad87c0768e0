"""The one-step reading of plain blocks against the general reader."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.protocols.sia import read
from tocsin.protocols.sia.reading import _general, _plain


@pytest.mark.parametrize(
    "block",
    [
        "#6F01|Nri2/BA17",
        "#6F01|Nti08:15/ri2/BA17",
        "#6F01|Nri1/BA503^Front door^",
        "#000110|Nri1BA503^Volum.Taverna   Appartam.Giorno ^",
        "#6F01|Nid7/ri2/CL7",
        "#6F01|NRP",
        "#6F01|NBA1^door 1/2, \x07Gehäuse^",
    ],
)
def test_plain_blocks_are_read_in_one_step(block: str) -> None:
    assert _plain(block) is not None
    assert _plain(block) == _general(block)


@pytest.mark.parametrize(
    "block", ["", "NRP", "|NRP", "#6F01|ORP", "#6F01|NBA1/BV1", "#6F01|NBA1F", "#6F01|NBA1^x", "#6F01|NBA1|AText"]
)
def test_all_others_are_left_to_the_general_reader(block: str) -> None:
    assert _plain(block) is None
    assert read(block) == _general(block)


MODIFIERS = st.lists(
    st.sampled_from(["ti8:15/", "ti08:15:30/", "ti8:150/", "id7/", "ri02/", "ri2", "ri/", "da03-01-26/", "zz1/", "/"]),
    max_size=3,
).map("".join)
NEARLY_PLAIN = st.builds(
    "#{}|{}{}{}{}{}{}".format,
    st.sampled_from(["6F01", "6f01", "", "1 2", "Ä", "#"]),
    st.sampled_from("NNNO"),
    MODIFIERS,
    st.sampled_from(["BA", "AT", "AA", "NA", "OP", "CL", "ZZ", "ri", "B"]),
    st.sampled_from(["", "17", "007", "1F", "2-7", "٣"]),
    st.sampled_from(["", "^x^", "^^", "^ a/b ^", "^a|b^", "^x", "^x^y", "^ä\x07\u2028^", "^a\nb^", "*21C^x^"]),
    st.sampled_from(["", "", "", "\n", "/", "|", "|AText", "/BV1", " "]),
)


@given(NEARLY_PLAIN | st.text(max_size=40) | st.binary(max_size=60).map(lambda data: data.decode("latin-1")))
@settings(max_examples=500)
def test_the_plain_way_gives_what_the_general_one_gives(block: str) -> None:
    found = _plain(block)
    assert found is None or found == _general(block)
    assert read(block.encode("utf-8")) == _general(block)
