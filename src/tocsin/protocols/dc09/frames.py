"""Frames in a byte stream or a datagram: found, checked and taken apart from the garbage around them."""

import re
from typing import Literal

from msgspec import Struct

from tocsin.protocols.dc09.crc import crc16_arc
from tocsin.protocols.dc09.errors import TooLong

LONGEST_BODY = 0x0FFF
_SHORTEST_BODY = len('"X"0001[]')
_CR = 0x0D
_HEAD_LENGTH = len('\nCCCC0LLL"')
_START_JUNK = 8
_SHOWN_JUNK = 8
_FILLER = b"\0\r\n "

# The checksum stands in four characters or, with some panels, in two bytes (dc09.md 16); the quotation mark tells.
_HEAD = re.compile(rb'\n(?:([0-9A-Fa-f]{4})|(..))0([0-9A-Fa-f]{3})"', re.DOTALL)

DropReason = Literal["not_dc09", "bad_length", "bad_crc", "no_cr", "overflow"]


class RawFrame(Struct, frozen=True, gc=False):
    """A frame whose length and checksum are right. `body` runs from the first quotation mark to before the CR."""

    body: bytes
    binary_crc: bool = False


class Dropped(Struct, frozen=True, gc=False):
    """Bytes that are no frame; `detail` is for people."""

    reason: DropReason
    detail: str = ""


class FrameReader:
    """Cuts one TCP stream into frames. How the bytes are split over `feed` calls makes no difference.

    `limit` is the most bytes that may pass or be kept without a frame among them (dc09.md 14).
    """

    def __init__(self, limit: int = 8192) -> None:
        self._limit = limit
        self._rest = b""
        self._junk = 0
        self._junk_start = b""
        self._junk_named = False
        self._speaks = False
        self._broken = False

    @property
    def broken(self) -> bool:
        """The peer does not speak DC-09 (dc09.md 12, rule 1): close the connection. Nothing more comes out."""
        return self._broken

    @property
    def pending(self) -> bool:
        """A frame has begun and is not complete."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[RawFrame | Dropped]:
        """What the stream holds so far; a frame that is not complete waits for the next call."""
        if not (self._rest or self._junk or self._broken):
            whole = _whole(data, self._limit)
            if whole is not None:
                self._speaks, self._junk_named, self._junk_start = True, False, b""
                return [whole]
        found: list[RawFrame | Dropped] = []
        buffer = self._rest + data if self._rest else data
        position = 0
        while not self._broken:
            head = _HEAD.search(buffer, position)
            if head is None:
                keep = _possible_head(buffer, position)
                self._skip(buffer[position:keep], found)
                position = keep
                break
            if not self._skip(buffer[position : head.start()], found):
                break
            position = head.start()
            end = self._take(buffer, head, found)
            if end == position:
                break
            position = end
        self._rest = b"" if self._broken else buffer[position:]
        return found

    def _take(self, buffer: bytes, head: re.Match[bytes], found: list[RawFrame | Dropped]) -> int:
        """Where to go on; the frame's own start while it is not complete."""
        start, quote = head.start(), head.end() - 1
        length = int(head[3], 16)
        end = quote + length
        if _HEAD_LENGTH + length > self._limit:
            return self._break("overflow", f"a frame of {length} bytes passes the limit of {self._limit}", found)
        self._end_junk(found)
        # No CR may stand in a body: the frame's own CR unmasks a length that is too large without waiting for more.
        inner = buffer.find(b"\r", quote, end)
        if inner >= 0 or length < _SHORTEST_BODY:
            stop = quote if length < _SHORTEST_BODY else inner + 1
            return self._drop("bad_length", f"the length {head[3].decode()} does not fit", buffer, start, stop, found)
        if len(buffer) <= end:
            return start
        if buffer[end] != _CR:
            return self._drop("no_cr", f"no CR after {length} bytes", buffer, start, end, found)
        body = buffer[quote:end]
        said = int(head[1], 16) if head[1] else int.from_bytes(head[2], "big")
        if crc16_arc(body) != said:
            return self._drop("bad_crc", f"the checksum {said:04X} is wrong", buffer, start, end + 1, found)
        found.append(RawFrame(body, head[1] is None))
        self._speaks, self._junk_named = True, False
        return end + 1

    def _drop(
        self, reason: DropReason, detail: str, buffer: bytes, start: int, stop: int, found: list[RawFrame | Dropped]
    ) -> int:
        """Name a damaged frame and go on at the next LF in it, or after it."""
        found.append(Dropped(reason, detail))
        self._speaks = self._junk_named = True
        line = buffer.find(b"\n", start + 1, stop)
        return line if line >= 0 else stop

    def _skip(self, junk: bytes, found: list[RawFrame | Dropped]) -> bool:
        """Count bytes between frames; False ends the stream. Fill bytes are free; a peer that has sent no frame yet
        gets little patience.
        """
        if not junk:
            return True
        self._junk_start = (self._junk_start + junk[:_SHOWN_JUNK])[:_SHOWN_JUNK]
        self._junk += len(junk.translate(None, _FILLER))
        if not self._speaks and self._junk > _START_JUNK:
            self._break("not_dc09", f"starts with {self._junk_start!r}", found)
        elif self._junk > self._limit:
            self._break("overflow", f"{self._limit} bytes without a frame", found)
        return not self._broken

    def _end_junk(self, found: list[RawFrame | Dropped]) -> None:
        if self._junk and not self._junk_named:
            found.append(Dropped("not_dc09", f"between frames: {self._junk_start!r}"))
        self._junk, self._junk_start = 0, b""

    def _break(self, reason: DropReason, detail: str, found: list[RawFrame | Dropped]) -> int:
        found.append(Dropped(reason, detail))
        self._broken = True
        return 0


def _whole(data: bytes, limit: int) -> RawFrame | None:
    """The frame where `data` is one sound frame with a checksum in characters and nothing else, as nearly always."""
    head = _HEAD.match(data)
    if head is None or head[1] is None or len(data) > limit:
        return None
    quote, end = head.end() - 1, len(data) - 1
    length = int(head[3], 16)
    if end - quote != length or length < _SHORTEST_BODY or data.find(b"\r") != end:
        return None
    body = data[quote:end]
    return RawFrame(body) if crc16_arc(body) == int(head[1], 16) else None


def _possible_head(buffer: bytes, position: int) -> int:
    """Where a head could still begin, given that none is complete."""
    line = buffer.find(b"\n", max(position, len(buffer) - _HEAD_LENGTH + 1))
    return line if line >= 0 else len(buffer)


def read_datagram(data: bytes) -> RawFrame | Dropped:
    """The one frame of a UDP datagram (dc09.md 2)."""
    reader = FrameReader()
    found = reader.feed(data)
    frames = [each for each in found if isinstance(each, RawFrame)]
    if frames:
        return frames[0]
    if found:
        return found[0]
    return Dropped("no_cr", "cut off") if reader.pending else Dropped("not_dc09", f"starts with {data[:_SHOWN_JUNK]!r}")


def wrap(body: bytes, binary_crc: bool = False) -> bytes:
    """The complete frame around a body. Raises TooLong."""
    if len(body) > LONGEST_BODY:
        raise TooLong(f"the message has {len(body)} bytes; DC-09 carries {LONGEST_BODY} at most")
    crc = crc16_arc(body)
    if binary_crc:
        return b"\n%b%04X%b\r" % (crc.to_bytes(2, "big"), len(body), body)
    return b"\n%04X%04X%b\r" % (crc, len(body), body)
