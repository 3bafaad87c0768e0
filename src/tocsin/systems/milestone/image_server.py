"""The ImageServer protocol of recording servers: XML calls, answers with pictures (connectors.md 4.9). Pure."""

import struct

from msgspec import Struct

from tocsin.engine.systems import NotSupported, ProtocolFault
from tocsin.media.jpeg import NoJpeg, jpeg_facts
from tocsin.protocols.xml import NotXml, content, first, read, text_of
from tocsin.systems.milestone.multipart import BODY_LIMIT, END, HEAD_LIMIT, Multipart, fields_of, number

LATEST_MS = 250_000_000_000_000
GENERIC = "application/x-genericbytedata-octet-stream"
_GENERIC_HEADER = struct.Struct(">HIHHHQQI")
_JPEG = 0x0001
_CODECS = {0x000A: "H.264", 0x000E: "H.265", 0x000F: "AV1"}


class Picture(Struct, frozen=True):
    """`at_ms` is the recorder's clock, milliseconds since 1970 UTC; an empty `body` says that there is none. An answer
    in several parts has the others in `more`.
    """

    at_ms: int
    content_type: str
    body: bytes
    more: tuple[bytes, ...] = ()


class Said(Struct, frozen=True):
    """An XML answer: its method, and for `connect` whether it was granted and why not."""

    method: str
    connected: bool = False
    reason: str = ""
    refused: bool = False
    """It says that it is not connected, rather than nothing about it."""


def connect_call(camera: str, token: str, jpeg: bool) -> bytes:
    """User and password must be there and mean nothing. With `jpeg`, a recorder that can sends JPEG whatever it has;
    without, what it has recorded, all pictures from one key frame to the next in one answer.
    """
    always, several = ("yes", "no") if jpeg else ("no", "yes")
    inside = (
        "<username>a</username><password>a</password>"
        f"<cameraid>{content(camera)}</cameraid><alwaysstdjpeg>{always}</alwaysstdjpeg>"
        f"{_connectparam(camera, token)}"
        f"<clientcapabilities><privacymask>no</privacymask><multipartdata>{several}</multipartdata></clientcapabilities>"
    )
    return _call(1, "connect", inside)


def update_call(camera: str, token: str) -> bytes:
    return _call(3, "connectupdate", _connectparam(camera, token))


def next_call() -> bytes:
    return _call(2, "next", "<compressionrate>100</compressionrate>")


def begin_call() -> bytes:
    """To the first picture there is."""
    return _call(2, "begin", "<compressionrate>90</compressionrate>")


def goto_call(at_ms: int) -> bytes:
    inside = f"<time>{at_ms}</time><compressionrate>90</compressionrate><keyframesonly>no</keyframesonly>"
    return _call(2, "goto", inside)


def live_call() -> bytes:
    return _call(2, "live", "<compressionrate>90</compressionrate><sendinitialimage>yes</sendinitialimage>")


def _connectparam(camera: str, token: str) -> str:
    return f"<connectparam>{content(f'id={camera}&connectiontoken={token}')}</connectparam>"


def _call(request: int, method: str, inside: str) -> bytes:
    head = f'<?xml version="1.0" encoding="utf-8"?><methodcall><requestid>{request}</requestid>'
    return f"{head}<methodname>{method}</methodname>{inside}</methodcall>".encode() + END


class Answers:
    """Bytes in, answers out, whatever way they were cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._several: tuple[int, Multipart] | None = None

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> Picture | Said | None:
        """The next complete answer; None: more bytes are needed. Raises ProtocolFault."""
        if self._several is not None:
            return self._parts(*self._several)
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
        fields = fields_of(head)
        at_ms, content_type = number(fields, "current", LATEST_MS), fields.get("content-type", "")
        if content_type.lower().startswith("multipart/"):
            del self._buffer[:start]
            return self._parts(at_ms, Multipart(content_type))
        length = number(fields, "content-length", BODY_LIMIT)
        if len(self._buffer) < start + length:
            return None
        body = bytes(self._buffer[start : start + length])
        del self._buffer[: start + length]
        return Picture(at_ms, content_type, body)

    def _parts(self, at_ms: int, several: Multipart) -> Picture | None:
        self._several = (at_ms, several)
        parts = several.take(self._buffer)
        if parts is None:
            return None
        self._several = None
        return Picture(at_ms, parts.content_type, b"".join(parts.bodies[:1]), parts.bodies[1:])


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
    connected = text_of(first(root, "connected")).lower()
    reason = text_of(first(root, "errorreason"))[:200]
    return Said(text_of(first(root, "methodname")), connected == "yes", reason, connected == "no")
