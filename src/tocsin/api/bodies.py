"""Request bodies, bounded before they are read and never trusted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import Message
from typing import Any, TypeVar

import msgspec
from fastapi import Request
from msgspec import Struct
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser

from tocsin.api.limits import Limits
from tocsin.api.problems import Problem
from tocsin.config.problems import did_you_mean
from tocsin.model.kinds import ACTOR_CLASSES, KINDS

T = TypeVar("T")
JSON = "application/json"
NDJSON = "application/x-ndjson"
MULTIPART = "multipart/form-data"
_PART_HEADERS = 8
_REASON = 300
"""Characters."""
_CLOSED = {"kind": KINDS, "class": ACTOR_CLASSES}
_PART_HEADER_SIZE = 1024


class Buffers:
    """Counts the bytes of all bodies in memory, so that many large ones cannot exhaust it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @asynccontextmanager
    async def body(self, request: Request, limit: int) -> AsyncIterator[bytes]:
        """The whole body, at most `limit` bytes. Raises Problem 408, 413, 415, 429."""
        _refuse_early(request, limit)
        held = 0
        chunks: list[bytes] = []
        try:
            try:
                async with asyncio.timeout(self._limits.body_s):
                    async for chunk in request.stream():
                        held += len(chunk)
                        self._held += len(chunk)
                        self._check(held, limit)
                        chunks.append(chunk)
            except TimeoutError:
                raise Problem(408, f"The body did not arrive within {self._limits.body_s:g} seconds.") from None
            yield chunks[0] if len(chunks) == 1 else b"".join(chunks)
        finally:
            self._held -= held

    async def small_json(self, request: Request, decoder: "msgspec.json.Decoder[T]") -> T:
        """The body as what it means. Raises Problem as `body` does, and 400, 422."""
        require_json(request)
        async with self.body(request, self._limits.small) as body:
            return decode(decoder, body)

    def _check(self, held: int, limit: int) -> None:
        if held > limit:
            raise _too_large(limit)
        if self._held > self._limits.buffered:
            raise Problem(429, "Too many large requests at once: come again.", headers={"retry-after": "2"})


def _too_large(limit: int) -> Problem:
    return Problem(413, f"The body is larger than {limit} bytes.", headers={"connection": "close"})


def _refuse_early(request: Request, limit: int) -> None:
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Problem(415, "Send the body uncompressed, without Content-Encoding.")


def content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def require_json(request: Request) -> None:
    if content_type(request) != JSON:
        raise Problem(415, f"Send the body as {JSON}.")


def decode(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    """One JSON text. Raises Problem 400 with the line, or 422 with the field."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        reason, field = explain(error)
        reason += _nearest(reason, field)
        raise Problem(422, f"{field}: {reason}" if field else reason, field=field) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        line, reason = _malformed(error, body)
        raise Problem(400, f"The body is not valid JSON: {reason}", line=line) from None


def explain(error: msgspec.ValidationError) -> tuple[str, str]:
    """What is wrong, and with which field."""
    reason, _, place = str(error).rpartition(" - at `")
    reason, place = (reason, place) if reason else (place, "")
    return shortened(reason.replace("`", "")), place.rstrip("`").removeprefix("$").removeprefix(".")


def shortened(reason: str) -> str:
    """What was sent may stand in the reason, whole."""
    return reason if len(reason) <= _REASON else f"{reason[:_REASON]}…"


def _nearest(reason: str, field: str) -> str:
    """Of a word from a closed list that was misspelt; not done for each line of thousands."""
    known = _CLOSED.get(field.rpartition(".")[2])
    word = reason.removeprefix("Invalid enum value ")
    return "; " + did_you_mean(word.strip("'"), known) if known and word != reason else ""


def _malformed(error: Exception, body: bytes) -> tuple[int, str]:
    if isinstance(error, RecursionError):
        return 0, "it is nested too deeply."
    text = str(error)
    _, found, offset = text.rpartition("(byte ")
    if not found:
        return 0, f"{text}."
    before = body[: int(offset.rstrip(")"))]
    line = before.count(b"\n") + 1
    column = len(before) - (before.rfind(b"\n") + 1) + 1
    return line, f"{text.removeprefix('JSON is malformed: ')}, line {line}, column {column}."


class Part(Struct, frozen=True):
    name: str
    content_type: str
    data: bytes


class _Parts:
    """Collects the parts python-multipart finds; refuses what is not bounded."""

    def __init__(self, most: int) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._most = most
        self._headers: list[tuple[bytes, bytes]] = []
        self._field = self._value = b""
        self._data = bytearray()

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_field,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header,
            "on_part_data": self._on_data,
            "on_part_end": self._on_part,
            "on_end": self._on_end,
        }

    def _begin(self) -> None:
        if len(self.parts) >= self._most:
            raise Problem(413, f"The body has more than {self._most} parts.")
        self._headers, self._data = [], bytearray()

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers.append((self._field.lower(), self._value))
        if len(self._headers) > _PART_HEADERS or len(self._field) + len(self._value) > _PART_HEADER_SIZE:
            raise Problem(400, "A part of the body has too many or too long headers.")
        self._field = self._value = b""

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def _on_part(self) -> None:
        message = Message()
        for name, value in self._headers:
            message[name.decode("latin-1")] = value.decode("latin-1")
        named = message.get_param("name", header="content-disposition")
        kind = message.get_content_type() if "content-type" in message else ""
        self.parts.append(Part(named if isinstance(named, str) else "", kind, bytes(self._data)))

    def _on_end(self) -> None:
        self.ended = True


def parts_of(request: Request, body: bytes, most: int) -> list[Part]:
    """The parts of a multipart/form-data body. Raises Problem 400, 413."""
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    boundary = message.get_param("boundary")
    if not isinstance(boundary, str) or not 0 < len(boundary) <= 70 or not boundary.isascii():
        raise Problem(400, "The Content-Type names no usable boundary.")
    found = _Parts(most)
    try:
        parser = MultipartParser(boundary.encode(), found.callbacks())
        parser.write(body)
        parser.finalize()
    except MultipartParseError as error:
        raise Problem(400, f"The body is not valid multipart/form-data: {error}.") from None
    if not found.ended:
        raise Problem(400, "The body ends before the last part's end.")
    return found.parts
