"""GenericByteData, in which recording servers send what they recorded (connectors.md 4.9). Pure."""

import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tocsin.engine.systems import Codec, Frame, NotSupported, ProtocolFault
from tocsin.systems.milestone.image_server import LATEST_MS, Picture

HEADER = struct.Struct(">HIHHHQQI")
"""Type, length with header, codec, number, flags, time of the key frame and of this one in ms, reserved."""
WRAPPER, WRAPPER_SIZE = 0xFEF0, 16
VIDEO, AUDIO, METADATA = 0x0010, 0x0020, 0x0030
OLDER_BLOCKS = range(0x0001, 0x0010)
KEY_FLAG = 0x0001
_CODECS: dict[int, Codec] = {0x0001: "jpeg", 0x000A: "h264", 0x000E: "h265"}
_OTHERS = {0x0004: "MPEG-4", 0x0005: "MPEG-4", 0x0006: "MPEG-4", 0x000B: "MPEG-4", 0x000F: "AV1"}
_ADTS_HEAD = 7
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def frames_of(picture: Picture) -> list[Frame]:
    """What one answer contains, in decoding order. Raises NotSupported for video of another kind, ProtocolFault for
    what is none.
    """
    found: list[Frame] = []
    for part in (picture.body, *picture.more):
        if part.startswith(b"\xff\xd8"):
            found.append(Frame(_moment(picture.at_ms), "jpeg", True, part))
        else:
            found += _frames(part)
    return found


def _frames(data: bytes) -> Iterator[Frame]:
    at = 0
    while at < len(data):
        if len(data) - at < 6:
            raise ProtocolFault("what the recording server sent ends within a header")
        kind, length = struct.unpack_from(">HI", data, at)
        if kind == WRAPPER:
            at += WRAPPER_SIZE
            continue
        if kind in OLDER_BLOCKS:
            raise NotSupported("the recording is in the older video block format, which is not read")
        if length < 6 or length > len(data) - at:
            raise ProtocolFault(f"what the recording server sent is said to have {length} bytes, which it has not")
        frame = _frame(kind, data[at : at + length])
        if frame is not None:
            yield frame
        at += length


def _frame(kind: int, packet: bytes) -> Frame | None:
    """None for what is left out: metadata, audio that is not AAC, and packets without content."""
    if kind == METADATA:
        return None
    if kind not in (VIDEO, AUDIO):
        raise ProtocolFault(f"the recording server sent data of the unknown type {kind:#06x}")
    if len(packet) < HEADER.size:
        raise ProtocolFault("what the recording server sent ends within its header")
    codec, flags, at_ms = _picked(packet)
    content = packet[HEADER.size :]
    if kind == AUDIO:
        return Frame(_moment(at_ms), "aac", True, content) if _is_adts(content) else None
    if not content:
        return None
    name = _CODECS.get(codec)
    if name is None:
        raise NotSupported(f"the recording is {_OTHERS.get(codec, f'of codec {codec:#06x}')}, which is not exported")
    if name != "jpeg" and not _begins_with_start_code(content):
        raise ProtocolFault(f"a picture of the recording is said to be {name} and does not begin with a start code")
    return Frame(_moment(at_ms), name, name == "jpeg" or bool(flags & KEY_FLAG), content)


def _picked(packet: bytes) -> tuple[int, int, int]:
    _, _, codec, _, flags, _, at_ms, _ = HEADER.unpack_from(packet)
    return codec, flags, at_ms


def _moment(at_ms: int) -> datetime:
    if at_ms > LATEST_MS:
        raise ProtocolFault(f"the recording server says {at_ms} as the time of a picture")
    return _EPOCH + timedelta(milliseconds=at_ms)


def _begins_with_start_code(content: bytes) -> bool:
    zeros = len(content) - len(content.lstrip(b"\0"))
    return zeros >= 2 and content[zeros : zeros + 1] == b"\x01"


def _is_adts(content: bytes) -> bool:
    """AAC that says so by itself. Audio's codec numbers and the length of its header are not published: what fits
    exactly is taken.
    """
    if len(content) <= _ADTS_HEAD or content[0] != 0xFF or content[1] & 0xF6 != 0xF0:
        return False
    return (content[3] & 0x03) << 11 | content[4] << 3 | content[5] >> 5 == len(content)
