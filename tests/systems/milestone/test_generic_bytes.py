"""GenericByteData and answers in several parts, byte by byte (connectors.md 4.9)."""

import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.systems.milestone.conftest import answers_in

from tocsin.engine.systems import Frame, NotSupported, ProtocolFault
from tocsin.systems.milestone.generic_bytes import frames_of
from tocsin.systems.milestone.image_server import Picture, Said

AT_MS = 1_741_410_000_000
AT = datetime(2025, 3, 8, 5, 0, tzinfo=UTC)
NAL = b"\0\0\0\1\x65abc"
ADTS = b"\xff\xf1\x50\x80\x01\x7f\xfc" + b"aac!"
GENERIC = "application/x-genericbytedata-octet-stream"


def packet(kind: int, codec: int, flags: int, at_ms: int, content: bytes) -> bytes:
    """The published header of 32 bytes, big-endian."""
    return struct.pack(">HIHHHQQI", kind, 32 + len(content), codec, 7, flags, AT_MS, at_ms, 0) + content


KEY = packet(0x0010, 0x000A, 1, AT_MS, NAL)
NEXT = packet(0x0010, 0x000A, 0, AT_MS + 40, NAL)
WRAPPER = b"\xfe\xf0" + bytes(14)
KEY_FRAME = Frame(AT, "h264", True, NAL)
NEXT_FRAME = Frame(AT + timedelta(milliseconds=40), "h264", False, NAL)


@pytest.mark.parametrize(
    ("body", "frames"),
    [
        (b"", []),
        (KEY, [KEY_FRAME]),
        (KEY + NEXT, [KEY_FRAME, NEXT_FRAME]),
        (WRAPPER + KEY + WRAPPER + NEXT, [KEY_FRAME, NEXT_FRAME]),
        (packet(0x0010, 0x000E, 1, AT_MS, b"\0\0\1\x40"), [Frame(AT, "h265", True, b"\0\0\1\x40")]),
        (packet(0x0010, 0x0001, 0, AT_MS, b"\xff\xd8jpeg"), [Frame(AT, "jpeg", True, b"\xff\xd8jpeg")]),
        (b"\xff\xd8\xff a JPEG alone", [Frame(AT, "jpeg", True, b"\xff\xd8\xff a JPEG alone")]),
        (WRAPPER + KEY + packet(0x0020, 0, 0, AT_MS, ADTS), [KEY_FRAME, Frame(AT, "aac", True, ADTS)]),
        (packet(0x0020, 0, 0, AT_MS, b"G.711 or whatever") + KEY, [KEY_FRAME]),
        (packet(0x0030, 0, 0, AT_MS, b"<metadata/>") + KEY, [KEY_FRAME]),
        (packet(0x0010, 0x000A, 0, AT_MS, b"") + KEY, [KEY_FRAME]),
    ],
)
def test_what_a_body_contains(body: bytes, frames: list[Frame]) -> None:
    assert frames_of(Picture(AT_MS, GENERIC, body)) == frames


def test_the_header_is_the_published_one() -> None:
    assert len(KEY) - len(NAL) == 32
    assert KEY[:12].hex(" ") == "00 10 00 00 00 28 00 0a 00 07 00 01"
    assert KEY[12:28].hex() == f"{AT_MS:016x}" * 2


@pytest.mark.parametrize(
    ("body", "fault", "words"),
    [
        (KEY[:31], ProtocolFault, "which it has not"),
        (KEY[:5], ProtocolFault, "within a header"),
        (KEY + b"\0", ProtocolFault, "within a header"),
        (packet(0x0010, 0x000A, 0, AT_MS, b"")[:2] + b"\0\0\0\x06", ProtocolFault, "within its header"),
        (KEY[:2] + b"\0\0\0\0" + KEY[6:], ProtocolFault, "0 bytes"),
        (packet(0x0099, 1, 0, AT_MS, b"x"), ProtocolFault, "unknown type 0x0099"),
        (packet(0x0010, 0x000A, 1, 2**63, NAL), ProtocolFault, "as the time"),
        (packet(0x0010, 0x000A, 1, AT_MS, b"\0\0\0\x04abcd"), ProtocolFault, "no.* start code|start code"),
        (packet(0x0010, 0x0004, 1, AT_MS, b"x"), NotSupported, "MPEG-4"),
        (packet(0x0010, 0x000F, 1, AT_MS, b"x"), NotSupported, "AV1"),
        (packet(0x0010, 0x0080, 1, AT_MS, b"x"), NotSupported, "codec 0x0080"),
        (b"\0\x0a" + bytes(40), NotSupported, "older video block"),
    ],
)
def test_what_is_not_read(body: bytes, fault: type[Exception], words: str) -> None:
    with pytest.raises(fault, match=words):
        frames_of(Picture(AT_MS, GENERIC, body))


PARTS = (
    f"ImageResponse\r\nRequestId: 2\r\nPrev: 0\r\nCurrent: {AT_MS}\r\nNext: 0\r\n"
    'Content-type: multipart/related; boundary=b0; type="x"\r\n\r\n'
).encode()
FIRST = f"--b0\r\nContent-length: {len(KEY)}\r\nContent-type: {GENERIC}\r\n\r\n".encode() + KEY
SECOND = f"--b0\r\nContent-length: {len(NEXT)}\r\n\r\n".encode() + NEXT
WHOLE = PARTS + FIRST + b"\r\n" + SECOND + b"\r\n--b0--\r\n\r\n"
BEHIND = b"<methodresponse><methodname>connectupdate</methodname></methodresponse>\r\n\r\n"
MEANT: list[Any] = [Picture(AT_MS, GENERIC, KEY, (NEXT,)), Said("connectupdate")]


def test_several_parts_whole_and_byte_by_byte_with_bytes_behind() -> None:
    stream = WHOLE + BEHIND + WHOLE[:-9]
    assert answers_in(stream) == MEANT
    assert answers_in(*(stream[at : at + 1] for at in range(len(stream)))) == MEANT
    assert frames_of(MEANT[0]) == [KEY_FRAME, NEXT_FRAME]


@pytest.mark.parametrize(
    "stream",
    [
        PARTS.replace(b"boundary=b0;", b""),
        WHOLE.replace(b"--b0\r\nContent-length", b"--b1\r\nContent-length"),
        WHOLE.replace(f"Content-length: {len(KEY)}".encode(), b"Content-length: 1"),
        WHOLE.replace(f"Content-length: {len(KEY)}".encode(), b"Content-length: 99999999"),
        PARTS + b"--b0\r\n" + b"x" * 70_000,
        PARTS + b"--b0\r\n\r\n" * 5000,
    ],
)
def test_parts_that_are_none(stream: bytes) -> None:
    with pytest.raises(ProtocolFault):
        answers_in(stream)


@given(st.lists(st.binary(max_size=60) | st.sampled_from([KEY, NEXT, WRAPPER, KEY[:20], b"\xff\xd8"])))
def test_any_body_is_frames_or_a_fault(parts: list[bytes]) -> None:
    try:
        frames = frames_of(Picture(AT_MS, GENERIC, b"".join(parts)))
    except (ProtocolFault, NotSupported):
        return
    assert all(frame.data for frame in frames)


@given(st.lists(st.binary(max_size=60) | st.sampled_from([PARTS, FIRST, SECOND, b"\r\n--b0--\r\n\r\n", b"--b0\r\n"])))
def test_any_bytes_are_answers_or_a_fault(parts: list[bytes]) -> None:
    try:
        whole = answers_in(b"".join(parts))
    except ProtocolFault:
        with pytest.raises(ProtocolFault):
            answers_in(*parts)
        return
    assert answers_in(*parts) == whole
