"""What can be known of a JPEG without decoding it. Pure."""

import struct

from msgspec import Struct

_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, b"\xff\xd9"
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})


class JpegFacts(Struct, frozen=True):
    """`size` in bytes, `width` and `height` in pixels; `components` is 1 for grey, 3 for colour, 4 for print."""

    size: int
    width: int
    height: int
    progressive: bool = False
    components: int = 3


class NoJpeg(Struct, frozen=True):
    """Why these bytes are no complete JPEG, as a clause for people: "it ends in the middle"."""

    reason: str


def jpeg_facts(data: bytes) -> JpegFacts | NoJpeg:
    """Read the headers of a JPEG (ITU-T T.81 annex B). Bytes behind its end are tolerated: some cameras pad."""
    if not data:
        return NoJpeg("it is empty")
    if data[:3] != b"\xff\xd8\xff":
        return NoJpeg(f"it does not start like a JPEG but with {data[:4].hex(' ')}")
    frame: tuple[int, int, int, int] | None = None
    at = 2
    while (segment := _segment(data, at)) is not None:
        marker, start, end = segment
        if marker == _START_OF_SCAN:
            return _facts(data, frame, end)
        if marker in _FRAME_HEADERS:
            if end - start < 6:
                return NoJpeg("its frame header is too short")
            height, width, components = struct.unpack_from(">HHB", data, start + 1)
            frame = (marker, width, height, components)
        at = end
    return NoJpeg("its headers are broken or it ends within them")


def _segment(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Marker, start and end of the contents of the segment at `at`; None if there is none."""
    if at >= len(data) or data[at] != 0xFF:
        return None
    while at < len(data) and data[at] == 0xFF:
        at += 1
    if at >= len(data):
        return None
    marker, start = data[at], at + 1
    if marker in _STANDALONE:
        return marker, start, start
    if marker in (0x00, 0xD8, 0xD9) or start + 2 > len(data):
        return None
    length = int.from_bytes(data[start : start + 2], "big")
    end = start + length
    return (marker, start + 2, end) if length >= 2 and end <= len(data) else None


def _facts(data: bytes, frame: tuple[int, int, int, int] | None, scan: int) -> JpegFacts | NoJpeg:
    if frame is None:
        return NoJpeg("it has no frame header before its picture data")
    marker, width, height, components = frame
    if not (width and height):
        return NoJpeg(f"its size is given as {width}×{height} pixels")
    if data.rfind(_END_OF_IMAGE, scan) < 0:
        return NoJpeg("it ends in the middle of the picture")
    return JpegFacts(len(data), width, height, marker in _PROGRESSIVE, components)
