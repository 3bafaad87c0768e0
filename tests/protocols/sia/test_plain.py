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


ODD = {
    "account": ["6f01", "", "1 2", " 1", "\x07", "Ä", "#"],
    "letter": ["O"],
    "modifiers": ["ti8:150/", "ti8/", "ri/", "ri٣/", "da03-01-26/", "zz1/", "/", "ri1/id2/", "ri1/ri2/"],
    "code": ["ri", "B", "b", "A", "É"],
    "number": ["1F", "1f", "2-7", "٣", "12345678901"],
    "text": ["^a|b^", "^x", "^x^y", "^x^y^", "*21C^x^", '*"x"', "x"],
    "end": ["\n", "/", "|", "|AText", "/BV1", " ", "^", "\x00"],
}
PLAIN = {
    "account": ["6F01"],
    "letter": ["N"],
    "modifiers": ["", "ti8:15/", "ti08:15:30/", "ti08:15/id7/ri02/", "ri2"],
    "code": ["BA", "AT", "NA", "OP", "ZZ"],
    "number": ["", "17", "007"],
    "text": ["", "^x^", "^^", "^ a/b ^", "^ä\x07\u2028^", "^a\nb^"],
    "end": [""],
}


@st.composite
def nearly_plain(draw: st.DrawFn) -> str:
    """A plain block in which at most two parts are odd."""
    odd = draw(st.lists(st.sampled_from(sorted(ODD)), max_size=2))
    parts = {part: draw(st.sampled_from(ODD[part] if part in odd else PLAIN[part])) for part in PLAIN}
    return "#{account}|{letter}{modifiers}{code}{number}{text}{end}".format(**parts)


ARBITRARY = st.text(max_size=40) | st.binary(max_size=60).map(lambda data: data.decode("latin-1"))


@given(nearly_plain())
@settings(max_examples=600)
def test_the_plain_way_gives_what_the_general_one_gives(block: str) -> None:
    found = _plain(block)
    assert found is None or found == _general(block)


@given(nearly_plain() | ARBITRARY)
@settings(max_examples=150)
def test_what_is_read_is_what_the_general_reader_reads(block: str) -> None:
    assert read(block.encode("utf-8")) == _general(block)
