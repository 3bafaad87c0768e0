"""A recording server's answer in several parts, taken out of the bytes as they come (connectors.md 4.9). Pure."""

import re
from collections.abc import Mapping

from msgspec import Struct

from tocsin.engine.systems import ProtocolFault

END = b"\r\n\r\n"
HEAD_LIMIT = 65536
BODY_LIMIT = 32 * 1024 * 1024
MOST_PARTS = 4096
_BOUNDARY = re.compile(r'boundary="?([^";\s]{1,200})')


class Parts(Struct, frozen=True):
    """What the parts contain, and of which type the first one is."""

    bodies: tuple[bytes, ...]
    content_type: str


class Multipart:
    """One answer. Each part has a head with its length."""

    def __init__(self, content_type: str) -> None:
        """Raises ProtocolFault where no boundary is named."""
        found = _BOUNDARY.search(content_type)
        if found is None:
            raise ProtocolFault("the recording server's answer has several parts and no boundary between them")
        self._mark = b"--" + found[1].encode("latin-1", "replace")
        self._bodies: list[bytes] = []
        self._size = 0
        self._content_type = ""

    def take(self, buffer: bytearray) -> Parts | None:
        """All parts once the last has come; they are gone from the buffer then. None: more bytes are needed. Raises
        ProtocolFault.
        """
        while True:
            while buffer.startswith((b"\r", b"\n")):
                del buffer[0]
            if len(buffer) < len(self._mark) + 2:
                return None
            if buffer.startswith(self._mark + b"--"):
                del buffer[: len(self._mark) + 2]
                return Parts(tuple(self._bodies), self._content_type)
            if not buffer.startswith(self._mark + b"\r\n"):
                raise ProtocolFault("the recording server's answer has no boundary where one of its parts ends")
            if not self._take_part(buffer):
                return None

    def _take_part(self, buffer: bytearray) -> bool:
        end = buffer.find(END, 0, HEAD_LIMIT)
        if end < 0:
            if len(buffer) >= HEAD_LIMIT:
                raise ProtocolFault("the head of a part of the recording server's answer has no end")
            return False
        fields = fields_of(bytes(buffer[:end]))
        start = end + len(END)
        length = number(fields, "content-length", BODY_LIMIT - self._size)
        if len(buffer) < start + length:
            return False
        if len(self._bodies) == MOST_PARTS:
            raise ProtocolFault(f"the recording server's answer has more than {MOST_PARTS} parts")
        self._bodies.append(bytes(buffer[start : start + length]))
        self._content_type = self._content_type or fields.get("content-type", "")
        self._size += length
        del buffer[: start + length]
        return True


def fields_of(head: bytes) -> dict[str, str]:
    """The fields below the first line."""
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def number(fields: Mapping[str, str], name: str, most: int) -> int:
    """Zero where the field is missing. Raises ProtocolFault."""
    text = fields.get(name, "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 20) or int(text) > most:
        raise ProtocolFault(f"the recording server's answer says {name}: {text[:40]!r}")
    return int(text)
