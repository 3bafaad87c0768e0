"""A stand-in of Azure's blob storage, as far as uploads and their readers need it (clearance.md 11): permissions are
checked, refusals carry the real service's codes, and it fails on command.
"""

import asyncio
import base64
import contextlib
import hashlib
import re
import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import unquote
from xml.sax.saxutils import escape

from aiohttp import web
from msgspec import Struct

from tocsin.engine.contracts import Clock
from tocsin.standins.blob_access import permission, refusal
from tocsin.standins.blob_store import METADATA_LIMIT, Blob, BlobStore, Block, Refused, read_list
from tocsin.standins.serving import until_cancelled
from tocsin.standins.web_service import Out, WebListener

ACCOUNT = "standin"
CONTAINER = "evidence"
_LARGEST_BLOCK = 4000 * 1024 * 1024
_LIST_LIMIT = 16 * 1024 * 1024
_OLDEST_VERSION = "2019-12-12"
_META = "x-ms-meta-"

Operation = Literal["block", "blocklist", "blob", "read"]
Kind = Literal["drop", "swallow", "silent", "busy", "expire", "damage", "gone", "missing-right", "immutable"]
_ANSWERS: dict[str, tuple[int, str]] = {
    "busy": (503, "ServerBusy"),
    "expire": (403, "AuthenticationFailed"),
    "damage": (400, "Md5Mismatch"),
    "gone": (404, "ContainerNotFound"),
    "missing-right": (403, "AuthorizationPermissionMismatch"),
    "immutable": (409, "BlobImmutableDueToPolicy"),
}


class Fault(Struct, frozen=True):
    """What one request meets. `drop`: the connection ends in the middle of the body; `swallow`: it is carried out and
    the connection ends without an answer; `silent`: it is carried out and never answered; the others are answers.
    """

    kind: Kind | None = None
    delay_s: float = 0.0
    retry_after: str = ""


NO_FAULT = Fault()


class Switches:
    """What may be changed while it runs: `faults` are used up first, one per request of the operation; then what is
    `lasting`; then, for requests of any kind, what `draw` says.
    """

    def __init__(self) -> None:
        self.faults: dict[Operation, list[Fault]] = {}
        self.lasting: dict[Operation, Fault] = {}
        self.draw: Callable[[], Fault] | None = None

    def next(self, operation: Operation) -> Fault:
        planned = self.faults.get(operation)
        if planned:
            return planned.pop(0)
        return self.lasting.get(operation) or (self.draw() if self.draw else NO_FAULT)


class BlobStandin:
    """Listens on `host:port` (port 0: any free one; `start` returns it). `key` signs permissions."""

    def __init__(
        self,
        listen: str,
        out: Out,
        clock: Clock,
        store: BlobStore,
        key: bytes,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._out = out
        self._clock = clock
        self.store = store
        self._key = key
        self.switches = Switches()
        self._stopping = asyncio.Event()
        self._listener = WebListener(listen, self._handle, tls)

    async def start(self) -> int:
        """Listen; returns the port. Raises OSError."""
        return await self._listener.start()

    async def aclose(self) -> None:
        self._stopping.set()
        await self._listener.aclose()

    def address(self, name: str, rights: str = "cw", valid_s: float = 3600.0, port: int = 0) -> str:
        """Where a blob of this name may be stored, as a registry would say it; by way of another port if given."""
        path, until = f"{CONTAINER}/{name}", self._clock.now() + timedelta(seconds=valid_s)
        query = permission(ACCOUNT, path, self._key, rights, until)
        return f"{self._listener.root_by(port or self._listener.port)}/{ACCOUNT}/{path}?{query}"

    def content(self, name: str) -> tuple[bytes, dict[str, str]]:
        """What is stored under a name, and its metadata. Raises Refused."""
        blob = self.store.blob(f"{CONTAINER}/{name}")
        return b"".join(blob.pieces()), blob.metadata

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        operation = _operation(request)
        fault = self.switches.next(operation)
        told: dict[str, Any] = {
            "at": self._clock.now().isoformat(timespec="milliseconds"),
            "request": f"{request.method} {operation}",
            "blob": unquote(request.path),
            "block": request.query.get("blockid", ""),
            "bytes": request.content_length or 0,
            "problems": _problems(request),
        }
        answer = await self._answer(request, operation, fault)
        lost = fault.kind in ("drop", "swallow", "silent")
        self._out({**told, "status": 0 if lost else answer.status, "fault": fault.kind or ""})
        await asyncio.sleep(fault.delay_s)
        if fault.kind == "silent":
            await self._stopping.wait()
        if lost and request.transport is not None:
            request.transport.close()
        return answer

    async def _answer(self, request: web.Request, operation: Operation, fault: Fault) -> web.StreamResponse:
        try:
            if fault.kind == "drop":
                await request.content.readany()
                return web.Response(status=500)
            if fault.kind in _ANSWERS:
                await _drained(request)
                raise Refused(*_ANSWERS[fault.kind])
            return await self._carried_out(request, operation)
        except Refused as refused:
            await _drained(request)
            return _error(refused, request.method, fault.retry_after)

    async def _carried_out(self, request: web.Request, operation: Operation) -> web.StreamResponse:
        """Raises Refused."""
        path = self._allowed(request, operation)
        match operation:
            case "block":
                return await self._block(request, path)
            case "blocklist":
                return await self._list(request, path)
            case "blob":
                return await self._blob(request, path)
            case _:
                return await self._read(request, self.store.blob(path))

    def _allowed(self, request: web.Request, operation: Operation) -> str:
        """`container/name`, if the permission covers what is asked. Raises Refused."""
        account, _, path = request.match_info["path"].partition("/")
        container, _, name = path.partition("/")
        if account != ACCOUNT or container != CONTAINER or not name:
            raise Refused(404, "ContainerNotFound", "The specified container does not exist.")
        rights = {"block": "w", "blocklist": "w", "blob": "cw", "read": "r"}[operation]
        code = refusal(ACCOUNT, path, self._key, request.query, rights, self._clock.now())
        if code:
            raise Refused(403, code)
        if request.method not in ("PUT", "GET", "HEAD"):
            raise Refused(405, "UnsupportedHttpVerb")
        if request.method == "PUT" and request.headers.get("x-ms-version", "") < _OLDEST_VERSION:
            raise Refused(400, "InvalidHeaderValue", "x-ms-version")
        if operation == "blob" and self.store.exists(path) and "w" not in request.query["sp"]:
            raise Refused(409, "BlobAlreadyExists")
        return path

    async def _block(self, request: web.Request, path: str) -> web.Response:
        block = await self._received(request, request.query.get("blockid", ""))
        if not block.size:
            raise Refused(400, "InvalidHeaderValue", "Content-Length")
        self.store.stage(path, block)
        return web.Response(status=201, headers=_HEADERS)

    async def _list(self, request: web.Request, path: str) -> web.Response:
        document = await _bounded(request)
        self.store.commit(path, read_list(document), _metadata(request))
        return web.Response(status=201, headers=_HEADERS)

    async def _blob(self, request: web.Request, path: str) -> web.Response:
        if request.headers.get("x-ms-blob-type") != "BlockBlob":
            raise Refused(400, "MissingRequiredHeader", "x-ms-blob-type")
        block = await self._received(request, "")
        self.store.put(path, block.file, block.size, _metadata(request))
        return web.Response(status=201, headers=_HEADERS)

    async def _received(self, request: web.Request, name: str) -> Block:
        """The body in a file, its digest compared. Raises Refused."""
        if request.content_length is None:
            raise Refused(411, "MissingContentLengthHeader")
        if request.content_length > _LARGEST_BLOCK:
            raise Refused(413, "RequestBodyTooLarge")
        file, digest, size = self.store.new_file(), hashlib.md5(usedforsecurity=False), 0
        with file.open("wb") as written:
            async for piece in request.content.iter_any():
                size += len(piece)
                digest.update(piece)
                written.write(piece)
        given = request.headers.get("Content-MD5", "")
        if given and given != base64.b64encode(digest.digest()).decode():
            raise Refused(400, "Md5Mismatch", "The MD5 value specified in the request did not match.")
        return Block(name, file, size)

    async def _read(self, request: web.Request, blob: Blob) -> web.StreamResponse:
        if request.query.get("comp") == "blocklist":
            return _block_list(blob)
        start, end = _range(request, blob.size)
        partial = (start, end) != (0, blob.size)
        headers = {
            **_HEADERS,
            **{_META + name: value for name, value in blob.metadata.items()},
            "x-ms-blob-type": "BlockBlob",
            "ETag": '"0x8D0"',
            "Content-Length": str(end - start),
            **({"Content-Range": f"bytes {start}-{end - 1}/{blob.size}"} if partial else {}),
        }
        response = web.StreamResponse(status=206 if partial else 200, headers=headers)
        await response.prepare(request)
        for piece in blob.pieces(start, end) if request.method == "GET" else ():
            await response.write(piece)
        return response


_HEADERS = {"x-ms-request-id": "00000000-0000-0000-0000-000000000000", "x-ms-version": "2021-08-06"}


def _operation(request: web.Request) -> Operation:
    if request.method != "PUT":
        return "read"
    kinds: dict[str, Operation] = {"block": "block", "blocklist": "blocklist"}
    return kinds.get(request.query.get("comp", ""), "blob")


def _problems(request: web.Request) -> list[str]:
    """What a storage would let pass, and nobody should do (11.1)."""
    found = ["an Authorization header was sent"] if "Authorization" in request.headers else []
    if request.method == "PUT" and request.query.get("comp") == "block" and "Content-MD5" not in request.headers:
        found.append("a block without Content-MD5")
    if request.method == "PUT" and request.query.get("comp") != "block" and _ENCRYPTION not in request.headers:
        found.append("a commit without encryptiondata")
    return found


_ENCRYPTION = f"{_META}encryptiondata"


def _metadata(request: web.Request) -> dict[str, str]:
    """Raises Refused."""
    found = {
        name.lower().removeprefix(_META): value
        for name, value in request.headers.items()
        if name.lower().startswith(_META)
    }
    if sum(len(name) + len(value) for name, value in found.items()) > METADATA_LIMIT:
        raise Refused(400, "MetadataTooLarge")
    return found


async def _bounded(request: web.Request) -> bytes:
    """Raises Refused."""
    try:
        await request.content.readexactly(_LIST_LIMIT)
    except asyncio.IncompleteReadError as end:
        return end.partial
    raise Refused(413, "RequestBodyTooLarge")


async def _drained(request: web.Request) -> None:
    """The real service reads what was sent before it refuses, so that the answer arrives."""
    with contextlib.suppress(ConnectionError):
        async for _ in request.content.iter_any():
            pass


def _range(request: web.Request, size: int) -> tuple[int, int]:
    """First byte and the one behind the last. Raises Refused."""
    asked = request.headers.get("x-ms-range") or request.headers.get("Range") or ""
    found = re.fullmatch(r"bytes=(\d{1,15})-(\d{0,15})", asked)
    if not found:
        return 0, size
    start, end = int(found[1]), min(int(found[2] or size) + 1, size)
    if start >= size:
        raise Refused(416, "InvalidRange")
    return start, end


def _block_list(blob: Blob) -> web.Response:
    entries = "".join(
        f"<Block><Name>{escape(block.id)}</Name><Size>{block.size}</Size></Block>" for block in blob.blocks if block.id
    )
    document = f"<BlockList><CommittedBlocks>{entries}</CommittedBlocks><UncommittedBlocks /></BlockList>"
    return web.Response(text=_XML + document, content_type="application/xml", headers=_HEADERS)


_XML = '<?xml version="1.0" encoding="utf-8"?>'


def _error(refused: Refused, method: str, retry_after: str) -> web.Response:
    document = f"{_XML}<Error><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message></Error>"
    headers = {**_HEADERS, "x-ms-error-code": refused.code, **({"Retry-After": retry_after} if retry_after else {})}
    text = "" if method == "HEAD" else document
    return web.Response(status=refused.status, text=text, content_type="application/xml", headers=headers)


async def serve(standin: BlobStandin, started: Callable[[int], None] | None = None) -> None:
    """Run until cancelled; `started` is told the port. Raises OSError if it cannot listen there."""
    await until_cancelled(standin.start, standin.aclose, started)
