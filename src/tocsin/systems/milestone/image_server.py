"""The ImageServer protocol of recording servers: XML calls, answers with pictures (connectors.md 4.9). Pure."""

import struct
from typing import Literal

from msgspec import Struct

from tocsin.engine.systems import NotSupported, ProtocolFault
from tocsin.media.jpeg import NoJpeg, jpeg_facts
from tocsin.protocols.xml import NotXml, content, first, read, text_of

END = b"\r\n\r\n"
HEAD_LIMIT = 65536
BODY_LIMIT = 32 * 1024 * 1024
LATEST_MS = 250_000_000_000_000
GENERIC = "application/x-genericbytedata-octet-stream"
_GENERIC_HEADER = struct.Struct(">HIHHHQQI")
_JPEG = 0x0001
_CODECS = {0x000A: "H.264", 0x000E: "H.265", 0x000F: "AV1"}


class Picture(Struct, frozen=True):
    """`at_ms` is the recorder's clock, milliseconds since 1970 UTC; an empty `body` says that there is none."""

    at_ms: int
    content_type: str
    body: bytes


class Said(Struct, frozen=True):
    """An XML answer: its method, and for `connect` whether it was granted and why not."""

    method: str
    connected: bool = False
    reason: str = ""


def connect_call(camera: str, token: str) -> bytes:
    """User and password must be there and mean nothing; a recorder that can sends JPEG whatever it has."""
    inside = (
        "<username>a</username><password>a</password>"
        f"<cameraid>{content(camera)}</cameraid><alwaysstdjpeg>yes</alwaysstdjpeg>"
        f"<connectparam>{content(f'id={camera}&connectiontoken={token}')}</connectparam>"
        "<clientcapabilities><privacymask>no</privacymask><multipartdata>no</multipartdata></clientcapabilities>"
    )
    return _call(1, "connect", inside)


def goto_call(at_ms: int) -> bytes:
    inside = f"<time>{at_ms}</time><compressionrate>90</compressionrate><keyframesonly>no</keyframesonly>"
    return _call(2, "goto", inside)


def live_call() -> bytes:
    return _call(2, "live", "<compressionrate>90</compressionrate><sendinitialimage>yes</sendinitialimage>")


def _call(number: int, method: str, inside: str) -> bytes:
    head = f'<?xml version="1.0" encoding="utf-8"?><methodcall><requestid>{number}</requestid>'
    return f"{head}<methodname>{method}</methodname>{inside}</methodcall>".encode() + END


class Answers:
    """Bytes in, answers out, whatever way they were cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> Picture | Said | None:
        """The next complete answer; None: more bytes are needed. Raises ProtocolFault."""
        while self._buffer.startswith((b"\r", b"\n")):
            del self._buffer[0]
        end = self._buffer.find(END, 0, HEAD_LIMIT + len(END))
        if end < 0:
            if len(self._buffer) > HEAD_LIMIT:
                raise ProtocolFault(f"the recording server's answer has no end within {HEAD_LIMIT} bytes")
            return None
        head = bytes(self._buffer[:end])
        if not head.startswith(b"ImageResponse"):
            del self._buffer[: end + len(END)]
            return _said(head)
        return self._picture(head, end + len(END))

    def _picture(self, head: bytes, start: int) -> Picture | None:
        fields = _fields(head)
        length = _number(fields, "content-length", BODY_LIMIT)
        if len(self._buffer) < start + length:
            return None
        body = bytes(self._buffer[start : start + length])
        del self._buffer[: start + length]
        return Picture(_number(fields, "current", LATEST_MS), fields.get("content-type", ""), body)


def jpeg_of(picture: Picture) -> bytes:
    """Raises NotSupported for video, ProtocolFault for what is neither."""
    body = picture.body
    if picture.content_type.partition(";")[0].strip().lower() == GENERIC:
        body = _unwrapped(body)
    facts = jpeg_facts(body)
    if isinstance(facts, NoJpeg):
        raise ProtocolFault(f"the recording server's picture is no JPEG: {facts.reason}")
    return body


def _unwrapped(body: bytes) -> bytes:
    if len(body) < _GENERIC_HEADER.size:
        raise ProtocolFault("the recording server's picture ends within its header")
    codec = _GENERIC_HEADER.unpack_from(body)[2]
    if codec != _JPEG:
        name = _CODECS.get(codec, f"codec {codec:#06x}")
        raise NotSupported(f"the recording server sends {name} although JPEG was asked for; no photo is made of it")
    return body[_GENERIC_HEADER.size :]


def _said(head: bytes) -> Said:
    try:
        root = read(head)
    except NotXml as error:
        raise ProtocolFault(f"the recording server's answer cannot be read: {error}") from None
    connected = text_of(first(root, "connected")).lower() == "yes"
    return Said(text_of(first(root, "methodname")), connected, text_of(first(root, "errorreason"))[:200])


def _fields(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _number(fields: dict[str, str], name: Literal["content-length", "current"], most: int) -> int:
    text = fields.get(name, "0")
    if not (text.isascii() and text.isdecimal() and len(text) < 20) or int(text) > most:
        raise ProtocolFault(f"the recording server's answer says {name}: {text[:40]!r}")
    return int(text)
