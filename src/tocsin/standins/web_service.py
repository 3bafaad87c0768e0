"""What stand-ins of web services share: listening, scripted answers, and every way an answer can fail to come."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from aiohttp import web
from msgspec import Struct

from tocsin.config.listening import split_listen
from tocsin.standins.serving import until_cancelled

Out = Callable[[dict[str, Any]], None]
BODY_LIMIT = 64 * 1024 * 1024
Fault = Literal["", "close", "cut", "silent"]


class Reply(Struct, frozen=True):
    """An HTTP answer."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class Misbehaviour(Struct, frozen=True):
    """What one request gets instead of what is due. `reply` None: what is due, late or not whole.

    `fault`: close before answering, cut in the middle of the answer, or never answer.
    """

    reply: Reply | None = None
    delay_s: float = 0.0
    fault: Fault = ""


class Examined(Struct, frozen=True):
    """What a request was found to say, as one JSON-able line, and the answer due to it."""

    told: dict[str, Any]
    due: Reply


Examine = Callable[[web.Request, bytes], Examined]
Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebListener:
    """Listens on `host:port` (port 0: any free one) and gives every request to `handle`.

    `body_limit`: bytes; `patience_s`: how long answers under way are waited for at the end.
    """

    def __init__(
        self,
        listen: str,
        handle: Handle,
        tls: ssl.SSLContext | None = None,
        body_limit: int = BODY_LIMIT,
        patience_s: float = 0.5,
    ) -> None:
        self.host, self.port = split_listen(listen)
        self._tls = tls
        application = web.Application(client_max_size=body_limit)
        application.router.add_route("*", "/{path:.*}", handle)
        self.prepared = application.on_response_prepare
        """Who has a word in the headers of each answer."""
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=patience_s)

    @property
    def root(self) -> str:
        return self.root_by(self.port)

    def root_by(self, port: int) -> str:
        """Its address for somebody who comes by another port."""
        return f"{'https' if self._tls else 'http'}://{self.host}:{port}"

    async def start(self) -> int:
        """Listen; returns the port. Raises OSError."""
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port, ssl_context=self._tls).start()
        self.port = int(self._runner.addresses[0][1])
        return self.port

    async def aclose(self) -> None:
        await self._runner.cleanup()


class WebService:
    """Listens on `host:port` (port 0: any free one; `start` returns it). `scripted` is used up first, one per request;
    then `always`, if set.
    """

    def __init__(self, listen: str, out: Out, examine: Examine, tls: ssl.SSLContext | None = None) -> None:
        self._out = out
        self._examine = examine
        self.scripted: list[Misbehaviour] = []
        self.always: Misbehaviour | None = None
        self._stopping = asyncio.Event()
        self._listener = WebListener(listen, self._handle, tls)

    async def start(self) -> int:
        """Listen; returns the port. Raises OSError."""
        return await self._listener.start()

    async def aclose(self) -> None:
        self._stopping.set()
        await self._listener.aclose()

    async def serve(self, started: Callable[[int], None] | None = None) -> None:
        """Run until cancelled; `started` is told the port. Raises OSError if it cannot listen there."""
        await until_cancelled(self.start, self.aclose, started)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        examined = self._examine(request, await request.read())
        planned = (self.scripted.pop(0) if self.scripted else self.always) or Misbehaviour()
        reply = planned.reply or examined.due
        self._out({**examined.told, "status": 0 if planned.fault else reply.status})
        await asyncio.sleep(planned.delay_s)
        if planned.fault == "silent":
            await self._stopping.wait()
        if planned.fault == "cut":
            await _half(request, reply)
        if planned.fault and request.transport is not None:
            request.transport.close()
        return web.Response(status=reply.status, body=reply.body, headers=dict(reply.headers))


async def _half(request: web.Request, reply: Reply) -> None:
    headers = {**dict(reply.headers), "Content-Length": str(len(reply.body) + 100)}
    response = web.StreamResponse(status=reply.status, headers=headers)
    await response.prepare(request)
    await response.write(reply.body[: len(reply.body) // 2] or b"<")
