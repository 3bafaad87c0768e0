"""Framing and answers of Manitou's XML receiver."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.protocols.manitou import ANSWER_LIMIT, AnswerReader, Framing, PatternProblem, framed, one_line, pattern

FRAMES: list[tuple[Framing, bytes]] = [
    ("crlf", b"<Packet/>\r\n"),
    ("stx-etx", b"\x02<Packet/>\x03"),
    ("null", b"<Packet/>\0"),
    ("length4", b"\0\0\0\x09<Packet/>"),
    ("close", b"<Packet/>"),
]


@pytest.mark.parametrize(("framing", "frame"), FRAMES)
def test_frames_in_both_directions(framing: Framing, frame: bytes) -> None:
    assert framed(b"<Packet/>", framing) == frame
    assert AnswerReader(framing).feed(frame) == [b"<Packet/>"]


@pytest.mark.parametrize(("framing", "frame"), FRAMES[:4])
def test_byte_by_byte_and_with_bytes_behind(framing: Framing, frame: bytes) -> None:
    reader = AnswerReader(framing)
    found = [one for at in range(len(frame)) for one in reader.feed(frame[at : at + 1])]
    assert found == [b"<Packet/>"]
    assert not reader.pending
    assert reader.feed(frame + frame + frame[:3]) == [b"<Packet/>", b"<Packet/>"]
    assert reader.pending


@pytest.mark.parametrize("framing", [framing for framing, _ in FRAMES])
def test_an_answer_without_end_is_given_up(framing: Framing) -> None:
    reader = AnswerReader(framing)
    reader.feed(b"\x7f" * (ANSWER_LIMIT + 1))
    assert reader.broken


def test_what_stands_before_the_start_is_no_part_of_an_answer() -> None:
    assert AnswerReader("stx-etx").feed(b"noise\x02<a/>\x03\x03\x02<b/>\x03") == [b"<a/>", b"<b/>"]


@given(st.sampled_from([framing for framing, _ in FRAMES[:4]]), st.binary(max_size=400), st.integers(1, 40))
def test_any_bytes_however_split_give_the_same_answers(framing: Framing, data: bytes, step: int) -> None:
    whole, parts = AnswerReader(framing), AnswerReader(framing)
    found = [one for at in range(0, len(data), step) for one in parts.feed(data[at : at + step]) if not parts.broken]
    if not parts.broken:
        assert whole.feed(data) == found


@pytest.mark.parametrize(
    ("written", "answer", "fits"),
    [
        ('<Ack*ID="{seq}"', b'<Ack ID="4711"/>', True),
        ('<Ack*ID="{seq}"', b'<?xml version="1.0"?><Ack at="7" ID="4711" x="y"/>', True),
        ('<Ack*ID="{seq}"', b'<Ack ID="47110"/>', False),
        ('<Ack*ID="{seq}"', b'<Ack ID="14711"/>', False),
        ('<Ack*ID="{seq}"', b'<Ack/><Nak ID="4711"/>', False),
        ('<Ack*ID="{seq}"', b'<Ack/><Ack ID="4711"/>', True),
        ('<Ack*ID="{seq}"', b"<Ack>" + b'ID="4711"', False),
        ("*", b"anything", True),
        ("OK {seq}", b"+ OK 4711", True),
        ("OK {seq}", b"OK 4712", False),
        ("<A*b>*c", b"<A b>c", True),
        ("<A*b>*c", b"<A b> x>c", False),
        ("<Ack", b"\xff\xfe<Ack>", True),
    ],
)
def test_patterns(written: str, answer: bytes, fits: bool) -> None:
    assert pattern(written).matches(answer, 4711) is fits


@pytest.mark.parametrize("written", ["", "a" * 201, "a\nb", "a*b*c*d*e*f"])
def test_unusable_patterns_are_refused(written: str) -> None:
    with pytest.raises(PatternProblem):
        pattern(written)


@pytest.mark.timeout(5)
@pytest.mark.parametrize("written", ["<*<*<*<*x", 'a*a*a*a*ID="{seq}"', '<Ack*ID="{seq}"'])
def test_no_answer_makes_a_pattern_slow(written: str) -> None:
    for unit in (b"<", b"a", b"<Ack", b'<Ack ID="4711'):
        assert not pattern(written).matches(unit * ANSWER_LIMIT, 4711)


@given(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=12), st.binary(max_size=60))
def test_any_pattern_on_any_answer_says_yes_or_no(written: str, answer: bytes) -> None:
    try:
        found = pattern(written).matches(answer, 1)
    except PatternProblem:
        return
    assert found in (True, False)


def test_one_line_has_no_line() -> None:
    assert one_line("<a>\n  <b>x</b>\r\n</a>\n") == "<a><b>x</b></a>"
