"""The stand-in's recording server: the ImageServer protocol, and on the same port SOAP (connectors.md 4.9)."""

import asyncio
import random
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tocsin.protocols.xml import NotXml, first, read, text_of
from tocsin.standins.detector import picture
from tocsin.standins.milestone.archive import CODECS, GOP_MS, SINCE_MS, Archive, Gop, clip
from tocsin.standins.milestone.recorder_soap import answered
from tocsin.standins.milestone.switches import Assumptions

if TYPE_CHECKING:
    from lxml import etree

END = b"\r\n\r\n"
GENERIC = "application/x-genericbytedata-octet-stream"
LARGEST_BODY = 65536
_HEADER = struct.Struct(">HIHHHQQI")
_DEADLINE_S = 60.0
_CALLS = {
    "connect": {"username", "password", "cameraid", "alwaysstdjpeg", "connectparam", "clientcapabilities"},
    "connectupdate": {"connectparam"},
    "begin": {"compressionrate"},
    "goto": {"time", "compressionrate", "keyframesonly"},
    "next": {"compressionrate"},
    "live": {"compressionrate", "sendinitialimage"},
}


class _Link:
    """One connection: of which camera, with which token, and where it stands in the recording."""

    def __init__(self) -> None:
        self.camera = ""
        self.token = ""
        self.jpeg = True
        self.gop: int | None = None
        self.place = 0


class Recorder:
    """`good` says whether a token opens it, `lasting` whether one that did is good still. `delay_s` is before each
    answer; `cut_after` is the number of answers after which a connection ends in the middle of one, 0: none does.
    `idle` is set while nobody is connected.
    """

    def __init__(
        self,
        good: Callable[[str], bool],
        lasting: Callable[[str], bool],
        assumptions: Assumptions,
        out: Callable[[dict[str, Any]], None],
    ) -> None:
        self.assumptions = assumptions
        self.delay_s = 0.0
        self.cut_after = 0
        self.gaps: list[tuple[int, int]] = []
        self.idle = asyncio.Event()
        self._good = good
        self._lasting = lasting
        self._out = out
        self._archives: dict[str, Archive] = {}
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    def archive(self, camera: str) -> Archive:
        if camera not in self._archives:
            self._archives[camera] = Archive(camera, self.assumptions.video, _now_ms)
            self._archives[camera].gaps += self.gaps
        return self._archives[camera]

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
        self.idle.clear()
        link = _Link()
        answers = 0
        try:
            async with asyncio.timeout(_DEADLINE_S):
                while True:
                    call = (await reader.readuntil(END))[: -len(END)]
                    if call.startswith(b"POST "):
                        await self._soap(call, reader, writer)
                        return
                    answer = await self._answer(call, link)
                    answers += 1
                    await asyncio.sleep(self.delay_s)
                    cut = answers == self.cut_after
                    writer.write(answer[: len(answer) // 2] if cut else answer)
                    await writer.drain()
                    if cut:
                        return
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, TimeoutError):
            pass
        except (NotXml, ValueError) as error:
            self._out({"recorder": "", "why": f"malformed: {error}"})
        finally:
            writer.close()
            self._open.discard(writer)
            if not self._open:
                self.idle.set()

    async def _soap(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, then the connection ends. Raises ValueError."""
        fields = dict(line.partition(": ")[::2] for line in head.decode("latin-1").split("\r\n")[1:])
        headers = {name.lower(): value for name, value in fields.items()}
        length = int(headers.get("content-length", "-1"))
        if not 0 <= length <= LARGEST_BODY:
            raise ValueError("a SOAP request needs its length")
        body = await reader.readexactly(length)
        await asyncio.sleep(self.delay_s)
        path = head.split(b" ")[1].decode("latin-1")
        status, text = answered(path, headers, body, self._good, self.archive, self.assumptions.sequences)
        self._out({"recorder": "SequencesGet", "status": status})
        content = text.encode()
        writer.write(
            f"HTTP/1.1 {status} {'OK' if status == 200 else 'Internal Server Error'}\r\nConnection: close\r\n"
            f"Content-Type: text/xml; charset=utf-8\r\nContent-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        await writer.drain()

    async def _answer(self, call: bytes, link: _Link) -> bytes:
        """Raises NotXml, ValueError for what is malformed."""
        root = read(call)
        method, number = text_of(first(root, "methodname")), text_of(first(root, "requestid"))
        names = {str(one.tag) for one in root} - {"methodname", "requestid"}
        if root.tag != "methodcall" or names != _CALLS.get(method) or not number.isdecimal():
            raise ValueError(f"{method or 'no method'} with {', '.join(sorted(names))}")
        self._out({"recorder": method, "camera": link.camera})
        if method == "connect":
            return self._connect(root, number, link)
        if not link.camera:
            raise ValueError("connect comes first")
        if method == "connectupdate":
            return self._update(root, number, link)
        if not self._lasting(link.token):
            raise ValueError("the token has ended")
        if method == "live":
            status = b"<livepackage><status><statusitem><id>5</id><value>0</value></statusitem></status></livepackage>"
            return status + END + self._still(number, link.camera, _now_ms())
        at = self._moment(method, root, link)
        if link.jpeg and at is not None:
            taken = self._picture_at(link.camera, at)
            return _image(number, 0, "image/jpeg", b"") if taken is None else self._still(number, link.camera, taken)
        return await self._recorded(number, link, at)

    def _moment(self, method: str, root: "etree._Element", link: _Link) -> int | None:
        """Where goto and begin lead; None: on from where the connection stands. Raises ValueError."""
        if method == "goto":
            return int(text_of(first(root, "time")))
        if method == "begin":
            number = self.archive(link.camera).after(SINCE_MS // GOP_MS - 1)
            return 0 if number is None else number * GOP_MS
        return None

    def _connect(self, root: "etree._Element", number: str, link: _Link) -> bytes:
        camera, token = text_of(first(root, "cameraid")), _token(root)
        granted = self._good(token) and text_of(first(root, "connectparam")).startswith(f"id={camera}&")
        link.camera, link.token = (camera, token) if granted else ("", "")
        link.jpeg = text_of(first(root, "alwaysstdjpeg")) == "yes"
        return _connected("connect", number, granted)

    def _update(self, root: "etree._Element", number: str, link: _Link) -> bytes:
        granted = self._good(_token(root))
        link.token = _token(root) if granted else link.token
        return _connected("connectupdate", number, granted)

    def _picture_at(self, camera: str, at: int) -> int | None:
        """When the picture that is to be had for this moment was taken; None: there is none."""
        archive = self.archive(camera)
        if archive.recorded(at // GOP_MS):
            return at
        number = archive.at_or_before(at)
        return None if number is None else archive.gop(number).at_ms + GOP_MS - 1

    def _still(self, number: str, camera: str, at: int) -> bytes:
        moment = datetime.fromtimestamp(at / 1000, UTC)
        body = picture(f"{camera[:8]} {moment:%H:%M:%S}", "", (), random.Random(at))  # noqa: S311  (noise in a picture)
        if self.assumptions.picture == "jpeg":
            return _image(number, at, "image/jpeg", body)
        return _image(
            number, at, GENERIC, _packed(0x0001 if self.assumptions.picture == "generic" else 0x000A, at, body)
        )

    async def _recorded(self, number: str, link: _Link, at: int | None) -> bytes:
        """Goto and next; where nothing is to be had, an answer without a body."""
        archive = self.archive(link.camera)
        await asyncio.to_thread(clip, link.camera[:8], archive.video)
        found = self._moved(archive, link, at)
        if found is None:
            return _image(number, 0, GENERIC, b"")
        gop = archive.gop(found)
        link.gop = found
        if self.assumptions.answers == "single":
            return _image(
                number, gop.at_ms + gop.pictures[link.place].offset_ms, GENERIC, _packets(archive, gop)[link.place]
            )
        packets = _packets(archive, gop)
        if self.assumptions.answers == "multipart":
            return _in_parts(number, gop.at_ms, packets)
        wrap = struct.pack(">HI10x", 0xFEF0, 16) if self.assumptions.answers == "wrapped" else b""
        return _image(number, gop.at_ms, GENERIC, b"".join(wrap + one for one in packets))

    def _moved(self, archive: Archive, link: _Link, at: int | None) -> int | None:
        """The group that is answered with; `link.place` is the picture in it."""
        if at is not None:
            link.place = 0
            inside = archive.recorded(at // GOP_MS)
            if not inside and self.assumptions.gap == "nothing":
                return None
            number = archive.at_or_before(at)
            return number if inside or self.assumptions.gap == "before" else archive.after(at // GOP_MS)
        single = self.assumptions.answers == "single" and link.gop is not None
        if single and link.place + 1 < len(archive.gop(link.gop or 0).pictures):
            link.place += 1
            return link.gop
        begin = -1 if link.gop is None else link.gop
        after = archive.after(begin)
        if after is not None:
            link.place = 0
            return after
        return link.gop if self.assumptions.end == "repeated" else None


def _now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1000)


def _token(root: "etree._Element") -> str:
    return text_of(first(root, "connectparam")).partition("&connectiontoken=")[2]


def _packets(archive: Archive, gop: Gop) -> list[bytes]:
    codec = CODECS[archive.video]
    return [
        _packed(codec, gop.at_ms + one.offset_ms, one.data, one.key, gop.at_ms, n) for n, one in enumerate(gop.pictures)
    ]


def _packed(codec: int, at: int, data: bytes, key: bool = True, gop_at: int | None = None, number: int = 1) -> bytes:
    size = len(data) + _HEADER.size
    return _HEADER.pack(0x0010, size, codec, number, int(key), at if gop_at is None else gop_at, at, 0) + data


def _head(number: str, at: int, *more: str) -> bytes:
    lines = ["ImageResponse", f"RequestId: {number}", f"Prev: {at - 40}", f"Current: {at}", f"Next: {at + 40}", *more]
    return "\r\n".join(lines).encode() + END


def _image(number: str, at: int, kind: str, body: bytes) -> bytes:
    return _head(number, at, f"Content-length: {len(body)}", f"Content-type: {kind}") + body + END


def _in_parts(number: str, at: int, parts: list[bytes]) -> bytes:
    head = _head(number, at, f'Content-type: multipart/related; boundary=b0; type="{GENERIC}"')
    bodies = [f"--b0\r\nContent-length: {len(one)}\r\nContent-type: {GENERIC}".encode() + END + one for one in parts]
    return head + b"\r\n".join(bodies) + b"\r\n--b0--" + END


def _connected(method: str, number: str, granted: bool) -> bytes:
    word, reason = ("yes", "Success") if granted else ("no", "Not authorized")
    return (
        f'<?xml version="1.0" encoding="utf-8"?><methodresponse><requestid>{number}</requestid>'
        f"<methodname>{method}</methodname><connected>{word}</connected><errorreason>{reason}</errorreason>"
        "<alwaysstdjpeg>no</alwaysstdjpeg></methodresponse>"
    ).encode() + END
