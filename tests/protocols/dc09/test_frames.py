"""Frames are found in any stream, however it is cut, and what is no frame is named and counted."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.dc09.vectors import E1, E2, E12, E15, VECTORS
from tocsin.protocols.dc09.errors import TooLong
from tocsin.protocols.dc09.frames import LONGEST_BODY, Dropped, FrameReader, RawFrame, read_datagram, wrap

GOOD = RawFrame(E1.frame[9:-1])
HTTP = b"GET / HTTP/1.0\r\nHost: panel.example.net\r\n\r\n"
TLS = bytes.fromhex("16030100f1010000ed03030a0d0a0a22") + bytes(range(1, 200))


def reasons(found: list[RawFrame | Dropped]) -> list[str]:
    return [each.reason if isinstance(each, Dropped) else "frame" for each in found]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (E1.frame + E2.frame, ["frame", "frame"]),
        (E1.frame + b"\0" + E2.frame, ["frame", "frame"]),
        (E1.frame + b"\0\0\r\n \n\n" + E2.frame, ["frame", "frame"]),
        (E1.frame + b"garbage between" + E2.frame, ["frame", "not_dc09", "frame"]),
        (E1.frame + b'garbage\n"between\n' + E2.frame, ["frame", "not_dc09", "frame"]),
        (E1.frame + HTTP + E2.frame, ["frame", "not_dc09", "frame"]),
        (b"junk" + E1.frame, ["not_dc09", "frame"]),
        (E15.frame + E1.frame + E15.frame, ["frame", "frame", "frame"]),
        (E1.frame.replace(b"FB0A", b"FB0B") + E1.frame, ["bad_crc", "frame"]),
        (E1.frame.replace(b"BA17", b"BA18") + E1.frame, ["bad_crc", "frame"]),
        (E1.frame.replace(b"0039", b"003A") + E1.frame, ["bad_length", "frame"]),
        (E1.frame.replace(b"0039", b"0FFF") + E1.frame, ["bad_length", "frame"]),
        (E1.frame.replace(b"0039", b"0003") + E1.frame, ["bad_length", "frame"]),
        (E1.frame.replace(b"0039", b"0000") + E1.frame, ["bad_length", "frame"]),
        (E1.frame.replace(b"0039", b"0038") + E1.frame, ["no_cr", "frame"]),
        (E1.frame[:-1] + b"?" + E1.frame, ["no_cr", "frame"]),
        (E1.frame[:30] + E1.frame, ["no_cr", "frame"]),
        (E1.frame[:30] + E2.frame, ["bad_length", "frame"]),
        (E1.frame.replace(b'"SIA', b"'SIA") + E1.frame, ["not_dc09"]),
        (E1.frame + E1.frame.replace(b'"SIA', b"'SIA") + E1.frame, ["frame", "not_dc09", "frame"]),
        (E1.frame[:-1] + b"?" + E1.frame + b"junk" + E1.frame, ["no_cr", "frame", "not_dc09", "frame"]),
        (E1.frame[:20], []),
        (HTTP, ["not_dc09"]),
        (TLS, ["not_dc09"]),
        (b"SSH-2.0-OpenSSH\r\n", ["not_dc09"]),
        (b"", []),
    ],
)
def test_streams(stream: bytes, expected: list[str]) -> None:
    reader = FrameReader()
    assert reasons(reader.feed(stream)) == expected
    one_by_one = FrameReader()
    assert reasons([each for byte in stream for each in one_by_one.feed(bytes([byte]))]) == expected
    assert one_by_one.broken is reader.broken is (expected == ["not_dc09"])


def test_a_frame_waits_for_its_rest() -> None:
    reader = FrameReader()
    assert reader.feed(E1.frame[:-1]) == []
    assert reader.pending
    assert reader.feed(E1.frame[-1:]) == [GOOD]
    assert not reader.pending


def test_a_length_that_is_too_large_does_not_hold_up_what_follows() -> None:
    reader = FrameReader()
    assert reasons(reader.feed(E1.frame.replace(b"0039", b"0FFF"))) == ["bad_length"]
    assert reader.feed(E1.frame) == [GOOD]


@pytest.mark.parametrize(
    "body",
    [b'"X"0001[]', b'"NULL"0000L0#6F01[]_08:15:30,03-04-2026'],
)
def test_both_forms_of_the_checksum(body: bytes) -> None:
    assert FrameReader().feed(wrap(body)) == [RawFrame(body)]
    assert FrameReader().feed(wrap(body, binary_crc=True)) == [RawFrame(body, binary_crc=True)]


BODIES_WITH_ODD_CHECKSUMS = {
    b"\n\r": b'"NULL"1317L0#102[]',
    b"\r\r": b'"NULL"1234L0#105[]',
    b"\x00\n": b'"NULL"2613L0#108[]',
    b"\n\n": b'"NULL"2683L0#11A[]',
    b"\r\n": b'"NULL"6393L0#11F[]',
}


@pytest.mark.parametrize("crc", BODIES_WITH_ODD_CHECKSUMS, ids=bytes.hex)
def test_a_binary_checksum_may_look_like_line_ends(crc: bytes) -> None:
    body = BODIES_WITH_ODD_CHECKSUMS[crc]
    frame = wrap(body, binary_crc=True)
    assert frame[1:3] == crc
    expected = [GOOD, RawFrame(body, binary_crc=True), GOOD]
    stream = E1.frame + b"\0" + frame + E1.frame
    assert FrameReader().feed(stream) == expected
    reader = FrameReader()
    assert [each for byte in stream for each in reader.feed(bytes([byte]))] == expected


def test_lower_case_digits_are_accepted() -> None:
    assert FrameReader().feed(E1.frame.replace(b"FB0A", b"fb0a")) == [GOOD]


def test_a_line_feed_in_the_text_costs_no_alarm() -> None:
    body = b'"SIA-DCS"0001L0#6F01[#6F01|Nri2/BA17][Itwo\nlines]'
    reader = FrameReader()
    assert reader.feed(wrap(body)) == [RawFrame(body)]
    assert not reader.pending
    assert reader.feed(E1.frame) == [GOOD]


def test_a_stream_without_frames_is_given_up() -> None:
    reader = FrameReader(limit=1000)
    assert reasons(reader.feed(E1.frame)) == ["frame"]
    assert reader.feed(b"x" * 1000) == []
    assert reasons(reader.feed(b"x")) == ["overflow"]
    assert reader.broken
    assert reader.feed(E1.frame) == []


def test_a_frame_larger_than_the_limit_is_given_up_at_once() -> None:
    reader = FrameReader(limit=100)
    assert reasons(reader.feed(b'\n00000FFF"')) == ["overflow"]
    assert reader.broken


def test_fill_bytes_alone_never_end_a_connection() -> None:
    reader = FrameReader()
    assert reader.feed(b"\0\r\n" * 5000) == []
    assert not reader.broken
    assert reader.feed(E1.frame) == [GOOD]


def test_the_longest_body() -> None:
    body = b'"SIA-DCS"0001L0#6F01[' + b"x" * (LONGEST_BODY - 22) + b"]"
    assert len(body) == LONGEST_BODY
    assert FrameReader().feed(wrap(body)) == [RawFrame(body)]
    with pytest.raises(TooLong):
        wrap(body + b"x")


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "not_dc09"),
        (b"hello", "not_dc09"),
        (HTTP, "not_dc09"),
        (E1.frame[:-1], "no_cr"),
        (E1.frame[:20], "no_cr"),
        (E1.frame.replace(b"BA", b"BB"), "bad_crc"),
        (E1.frame.replace(b"0039", b"0038"), "no_cr"),
        (E1.frame.replace(b"0039", b"0009"), "no_cr"),
        (E1.frame.replace(b"0039", b"0099"), "bad_length"),
    ],
)
def test_bad_datagrams(datagram: bytes, reason: str) -> None:
    found = read_datagram(datagram)
    assert isinstance(found, Dropped)
    assert found.reason == reason


PIECES = st.one_of(
    st.sampled_from([vector.frame for vector in VECTORS]),
    st.sampled_from([E1.frame[:25], E12.frame[5:], HTTP, TLS, b"\n", b"\r", b"\0", b'\n00000FFF"', b'\n..0010"']),
    st.binary(max_size=20),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(PIECES, max_size=8).map(b"".join), st.lists(st.integers(0, 600), max_size=12), st.sampled_from([90, 8192])
)
def test_how_a_stream_is_cut_makes_no_difference(stream: bytes, cuts: list[int], limit: int) -> None:
    whole, pieces = FrameReader(limit), FrameReader(limit)
    expected = whole.feed(stream)
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    found = [each for start, stop in pairwise(edges) for each in pieces.feed(stream[start:stop])]
    assert found == expected
    assert pieces.broken is whole.broken


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([vector.frame for vector in VECTORS]), min_size=1, max_size=6), st.binary(max_size=40))
def test_every_frame_of_a_speaking_peer_is_found(frames: list[bytes], garbage: bytes) -> None:
    clean = garbage.replace(b"\n", b"")
    found = FrameReader().feed(frames[0] + b"".join(clean + frame for frame in frames))
    assert sum(isinstance(each, RawFrame) for each in found) == len(frames) + 1


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_give_frames_or_drops(data: bytes) -> None:
    assert all(isinstance(each, RawFrame | Dropped) for each in FrameReader().feed(b"\n" + data))
    assert isinstance(read_datagram(data), RawFrame | Dropped)


SOUND = st.binary(max_size=30).map(lambda rest: b'"' + rest)


@given(SOUND, st.booleans(), st.sampled_from(["", "length", "checksum", "end", "more", "short"]), st.integers(10, 60))
@settings(max_examples=300)
def test_a_frame_that_comes_alone_is_read_as_in_pieces(body: bytes, binary: bool, damage: str, limit: int) -> None:
    frame = wrap(body, binary)
    frame = {
        "length": frame.replace(b"0", b"1", 1),
        "checksum": frame[:2] + b"0" + frame[3:],
        "end": frame[:-1] + b"\n",
        "more": frame + frame,
        "short": frame[:-1],
    }.get(damage, frame)
    whole, pieces = FrameReader(limit), FrameReader(limit)
    found = whole.feed(frame) + whole.feed(E1.frame)
    assert found == [each for at in range(len(frame)) for each in pieces.feed(frame[at : at + 1])] + pieces.feed(
        E1.frame
    )
    assert (whole.broken, whole.pending) == (pieces.broken, pieces.pending)
