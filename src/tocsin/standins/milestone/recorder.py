"""The stand-in's recording server: the ImageServer protocol, stills only (connectors.md 4.9)."""

import asyncio
import random
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tocsin.protocols.xml import NotXml, first, read, text_of
from tocsin.standins.detector import picture
from tocsin.standins.milestone.switches import Assumptions

END = b"\r\n\r\n"
_GENERIC = struct.Struct(">HIHHHQQI")
_DEADLINE_S = 60.0
_CALLS = {
    "connect": {"username", "password", "cameraid", "alwaysstdjpeg", "connectparam", "clientcapabilities"},
    "goto": {"time", "compressionrate", "keyframesonly"},
    "live": {"compressionrate", "sendinitialimage"},
}


class Recorder:
    """`token` is what opens it; `gap` is a span in which nothing was recorded, milliseconds."""

    def __init__(
        self, token: Callable[[], str], assumptions: Assumptions, out: Callable[[dict[str, Any]], None]
    ) -> None:
        self.assumptions = assumptions
        self.gap = (0, 0)
        self._token = token
        self._out = out
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError."""
        self._server = await asyncio.start_server(self._serve, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def aclose(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        camera = ""
        try:
            async with asyncio.timeout(_DEADLINE_S):
                while True:
                    call = (await reader.readuntil(END))[: -len(END)]
                    answer, camera = self._answer(call, camera)
                    writer.write(answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, TimeoutError):
            pass
        except (NotXml, ValueError) as error:
            self._out({"recorder": "", "why": f"malformed: {error}"})
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    def _answer(self, call: bytes, camera: str) -> tuple[bytes, str]:
        """The answer, and the camera of this connection. Raises NotXml, ValueError for what is malformed."""
        root = read(call)
        method, number = text_of(first(root, "methodname")), text_of(first(root, "requestid"))
        names = {str(one.tag) for one in root} - {"methodname", "requestid"}
        if root.tag != "methodcall" or names != _CALLS.get(method) or not number.isdecimal():
            raise ValueError(f"{method or 'no method'} with {', '.join(sorted(names))}")
        self._out({"recorder": method, "camera": camera})
        if method == "connect":
            camera = text_of(first(root, "cameraid"))
            granted = text_of(first(root, "connectparam")) == f"id={camera}&connectiontoken={self._token()}"
            return _connected(number, granted and bool(self._token())), camera if granted else ""
        if not camera:
            raise ValueError("connect comes first")
        now = round(datetime.now(UTC).timestamp() * 1000)
        at = int(text_of(first(root, "time"))) if method == "goto" else now
        if method == "live":
            status = b"<livepackage><status><statusitem><id>5</id><value>0</value></statusitem></status></livepackage>"
            return status + END + self._image(number, camera, at), camera
        return self._image(number, camera, self.gap[0] if self.gap[0] < at < self.gap[1] else at), camera

    def _image(self, number: str, camera: str, at: int) -> bytes:
        moment = datetime.fromtimestamp(at / 1000, UTC)
        body = picture(f"{camera[:8]} {moment:%H:%M:%S}", "", (), random.Random(at))  # noqa: S311  (noise in a picture)
        kind = "image/jpeg"
        if self.assumptions.picture != "jpeg":
            kind = "application/x-genericbytedata-octet-stream"
            codec = 0x0001 if self.assumptions.picture == "generic" else 0x000A
            body = _GENERIC.pack(0x0010, len(body) + _GENERIC.size, codec, 1, 1, at, at, 0) + body
        head = [
            "ImageResponse", f"RequestId: {number}", f"Prev: {at - 40}", f"Current: {at}", f"Next: {at + 40}",
            f"Content-length: {len(body)}", f"Content-type: {kind}",
        ]  # fmt: skip
        return "\r\n".join(head).encode() + END + body + END


def _connected(number: str, granted: bool) -> bytes:
    word, reason = ("yes", "Success") if granted else ("no", "Not authorized")
    return (
        f'<?xml version="1.0" encoding="utf-8"?><methodresponse><requestid>{number}</requestid>'
        f"<methodname>connect</methodname><connected>{word}</connected><errorreason>{reason}</errorreason>"
        "<alwaysstdjpeg>no</alwaysstdjpeg></methodresponse>"
    ).encode() + END
