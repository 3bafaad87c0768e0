"""Access units on a pipe: a head of fixed length, then the bytes. Pure."""

import struct
from typing import Literal

from msgspec import Struct

Codec = Literal["h264", "h265", "jpeg", "aac"]
CODECS: tuple[Codec, ...] = ("h264", "h265", "jpeg", "aac")
HEAD = struct.Struct(">qBBI")
"""Microseconds since 1970, codec, whether it is a key frame, length."""
LONGEST = 32 * 1024 * 1024


class FrameHead(Struct, frozen=True):
    at_us: int
    codec: Codec
    key: bool
    length: int


def record(at_us: int, codec: Codec, key: bool, data: bytes) -> bytes:
    return HEAD.pack(at_us, CODECS.index(codec), key, len(data)) + data


def head_of(data: bytes) -> FrameHead:
    """Raises ValueError."""
    at_us, codec, key, length = HEAD.unpack(data)
    if codec >= len(CODECS) or length > LONGEST:
        raise ValueError("a head of an access unit that is none")
    return FrameHead(at_us, CODECS[codec], bool(key), length)
