"""Records in a stream: whatever ends them, however they are split, however they stick together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.protocols.surgard.framing import LONGEST, Dropped, Frame, RecordReader, cut

G1, G7 = b"5011 181234E12101001", b"S011[#1234|Nri1BA01]"
HEARTBEAT = b"1011           @    "
HTTP = b"GET /status HTTP/1.1\r\nHost: gw.example.net\r\n\r\n"
TLS = bytes.fromhex("16030100f1010000ed0303") + bytes(range(1, 100))


def named(found: list[Frame | Dropped]) -> list[object]:
    return [each.records if isinstance(each, Frame) else each.reason for each in found]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (G1 + b"\x14" + G7 + b"\x14", [(G1,), (G7,)]),
        (G1 + b"\r\n" + G7 + b"\n", [(G1,), (G7,)]),
        (G1 + b"\x14\r\n\0" + HEARTBEAT + b"\x14", [(G1,), (HEARTBEAT,)]),
        (G1 * 6 + b"\x14", [(G1,) * 6]),
        (G1 + HEARTBEAT + G7 + b"\x14", [(G1, HEARTBEAT, G7)]),
        (G1 + b"?" + G1 + b"\x14", [(G1 + b"?" + G1,)]),
        (b"?" * LONGEST + b"\x14", [(b"?" * LONGEST,)]),
        (b"?" * (LONGEST + 1), ["overflow"]),
        (b"?" * (LONGEST + 1) + b"\x14" + G1 + b"\x14", ["overflow"]),
        (HTTP, ["http"]),
        (TLS, ["tls"]),
        (G1 + b"\x14" + HTTP + G1 + b"\x14", [(G1,), "http"]),
        (G1, []),
        (b"\x14\x14\r\n\0\x14", []),
    ],
)
def test_streams(stream: bytes, expected: list[object]) -> None:
    whole = RecordReader()
    assert named(whole.feed(stream)) == expected
    one_by_one = RecordReader()
    assert named([each for byte in stream for each in one_by_one.feed(bytes([byte]))]) == expected
    assert one_by_one.broken is whole.broken is any(isinstance(each, str) for each in expected)
    if whole.broken:
        assert whole.feed(G1 + b"\x14") == []


def test_an_unfinished_record_is_told() -> None:
    reader = RecordReader()
    reader.feed(G1)
    assert reader.pending
    reader.feed(b"\x14")
    assert not reader.pending


@given(st.binary(max_size=700), st.lists(st.integers(1, 50), max_size=30))
def test_any_bytes_and_any_cuts_give_the_same(stream: bytes, steps: list[int]) -> None:
    whole = named(RecordReader().feed(stream))
    reader, found, rest = RecordReader(), [], stream
    for step in steps:
        found += reader.feed(rest[:step])
        rest = rest[step:]
    assert named([*found, *reader.feed(rest)]) == whole


@given(st.lists(st.sampled_from([G1, G7, HEARTBEAT, b"3011      1234BA0005", G1 + b"08:15:30-04/03"]), min_size=1))
def test_stuck_records_are_cut_where_they_were_joined(records: list[bytes]) -> None:
    assert cut(b"".join(records)) == tuple(records)
