"""Where a document ends on the wire: five ways, for what goes out and what comes in."""

from typing import Literal

Framing = Literal["crlf", "stx-etx", "null", "length4", "close"]
ANSWER_LIMIT = 16_384
_STX, _ETX = b"\x02", b"\x03"


def one_line(document: str) -> str:
    """Without line ends and indents: a line end would end the document where `crlf` frames it."""
    return "".join(line.strip() for line in document.splitlines())


def framed(document: bytes, framing: Framing) -> bytes:
    """The document as it goes out. Documents are XML on one line, so none of the marks stands in them."""
    match framing:
        case "crlf":
            return document + b"\r\n"
        case "stx-etx":
            return _STX + document + _ETX
        case "null":
            return document + b"\0"
        case "length4":
            return len(document).to_bytes(4, "big") + document
        case "close":
            return document


class AnswerReader:
    """Cuts what comes in into answers, however it is split. `broken` when an answer has no end within 16 KiB.

    With `close` an answer has no end but the connection's: each feed gives all that has come so far.
    """

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._buffer = b""
        self.broken = False

    @property
    def pending(self) -> bool:
        """The beginning of an answer is there, its end is not."""
        return bool(self._buffer) and self._framing != "close"

    def feed(self, data: bytes) -> list[bytes]:
        self._buffer += data
        found = self._cut()
        if any(len(answer) > ANSWER_LIMIT for answer in (*found, self._buffer)):
            self.broken, self._buffer = True, b""
        return [answer for answer in found if len(answer) <= ANSWER_LIMIT]

    def _cut(self) -> list[bytes]:
        match self._framing:
            case "crlf":
                return self._ended_by(b"\n")
            case "null":
                return self._ended_by(b"\0")
            case "stx-etx":
                return [part.rpartition(_STX)[2] for part in self._ended_by(_ETX) if _STX in part]
            case "length4":
                return self._counted()
            case "close":
                return [self._buffer] if self._buffer else []

    def _ended_by(self, end: bytes) -> list[bytes]:
        *whole, self._buffer = self._buffer.split(end)
        return [part.strip(b"\r") for part in whole if part.strip(b"\r")]

    def _counted(self) -> list[bytes]:
        found = []
        while len(self._buffer) >= 4:
            end = 4 + int.from_bytes(self._buffer[:4], "big")
            if end > ANSWER_LIMIT:
                self.broken, self._buffer = True, b""
            elif len(self._buffer) < end:
                break
            else:
                found.append(self._buffer[4:end])
                self._buffer = self._buffer[end:]
        return found
