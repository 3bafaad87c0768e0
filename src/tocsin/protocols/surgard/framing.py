"""Records in a byte stream: found by their end marks, stuck copies cut apart, other protocols recognised."""

import re
from typing import Literal

from msgspec import Struct

DC4 = b"\x14"
LONGEST = 512
_END_MARK = re.compile(rb"[\x14\r\n]")  # some senders use CR or LF (surgard.md 7.1)
_FILLER = b"\0"
_TLS_HELLO = 0x16
_HTTP = re.compile(rb"[A-Z]{3,8} \S+ HTTP/\d")
_SHOWN = 16
_HEADER = rb"[0-9A-F]{2}(?:[0-9A-Z]{3}|[0-9A-Z])"
_CLOCK = rb"(?:\d\d:\d\d:\d\d-\d\d/\d\d)?"
# The shapes of which the end can be told without an end mark.
_SHAPE = re.compile(
    rb"(?:5%(header)b (?:18|98|58)[0-9A-F]{4,16}?[ERP][0-9A-F]{3}[0-9A-F]{2}[0-9A-F]{3}"
    rb"|[S0]%(header)b\[[^\[\]]*\]"
    rb"|1%(header)b +@ {4}"
    rb"|1%(header)b {4}[ 0-9A-F]{6} [!-~][ 0-9A-F][ 0-9A-F]{3}"
    rb"|3%(header)b {4}[ 0-9A-F]{6}[A-Z]{2}[ 0-9A-F]{4})%(clock)b" % {b"header": _HEADER, b"clock": _CLOCK}
)

DropReason = Literal["http", "tls", "overflow"]


class Frame(Struct, frozen=True, gc=False):
    """What came before one end mark and is owed one answer: a record, or several stuck together, none empty."""

    records: tuple[bytes, ...]


class Dropped(Struct, frozen=True, gc=False):
    """The peer speaks something else; `detail` is for people."""

    reason: DropReason
    detail: str = ""


class RecordReader:
    """Cuts one connection's stream into frames. How the bytes are split over `feed` calls makes no difference."""

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False
        self._broken = False

    @property
    def broken(self) -> bool:
        """The peer does not speak Sur-Gard: close the connection. Nothing more comes out."""
        return self._broken

    @property
    def pending(self) -> bool:
        """A record has begun and is not complete."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[Frame | Dropped]:
        """The complete frames, in order; a record without its end mark waits for the next call."""
        found: list[Frame | Dropped] = []
        if self._broken or not data:
            return found
        if not self._begun and data[0] == _TLS_HELLO:
            return self._break("tls", "a TLS hello on a plain port", found)
        self._begun = True
        *whole, rest = _END_MARK.split(self._rest + data)
        for piece in whole:
            if len(piece) > LONGEST:
                return self._break("overflow", f"a record of more than {LONGEST} bytes", found)
            record = piece.strip(_FILLER)
            if _HTTP.match(record):
                return self._break("http", f"a web request: {record[:_SHOWN]!r}", found)
            if record:
                found.append(Frame(cut(record)))
        if len(rest) > LONGEST:
            return self._break("overflow", f"{LONGEST} bytes without an end mark", found)
        self._rest = rest
        return found

    def _break(self, reason: DropReason, detail: str, found: list[Frame | Dropped]) -> list[Frame | Dropped]:
        self._broken, self._rest = True, b""
        found.append(Dropped(reason, detail))
        return found


def cut(record: bytes) -> tuple[bytes, ...]:
    """Records that came without end marks between them, each alone; anything else as it is (surgard.md 2)."""
    pieces, position = [], 0
    while position < len(record):
        shape = _SHAPE.match(record, position)
        if shape is None:
            return (record,)
        pieces.append(shape[0])
        position = shape.end()
    return tuple(pieces)


def wrap(record: bytes) -> bytes:
    """The record with its end mark."""
    return record + DC4
