"""A reverse proxy that notes who asked what and when, and passes everything on as it is.

async with Front("http://127.0.0.1:10000", "north", noted) as front: ...
"""

import asyncio
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

from tocsin.standins.web_service import WebListener

_OWN = frozenset({"host", "connection", "transfer-encoding", "content-length", "keep-alive"})


@dataclass
class Request:
    """`at`: when it came; `whole_at`: when all of its body was here, None if that never was; `status` 0: no answer."""

    by: str
    method: str
    url: str
    at: datetime
    whole_at: datetime | None = None
    status: int = 0

    @property
    def path(self) -> str:
        return self.url.partition("?")[0]


class Front:
    """`by` says on whose way it stands. `noted` gets each request when it comes; `pause_s` says how long it is held up
    before it is passed on, and its answer behind it; `fate`, whether it is `busy`: answered 503, or `lost`: carried out
    and not answered; `said` is replaced in answers, so that whoever follows them comes this way too.
    """

    def __init__(
        self,
        target: str,
        by: str,
        noted: Callable[[Request], None],
        pause_s: Callable[[Request], float] = lambda _: 0.0,
        fate: Callable[[Request], str] = lambda _: "",
        said: tuple[str, str] = ("", ""),
    ) -> None:
        self._target = target
        self._by = by
        self._noted = noted
        self._pause_s = pause_s
        self._fate = fate
        self._said = (said[0].encode(), said[1].encode())
        self._listener = WebListener("127.0.0.1:0", self._handle)

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None)
        self._http = aiohttp.ClientSession(auto_decompress=False, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        await self._listener.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._listener.aclose()
        await self._http.close()

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def root(self) -> str:
        return self._listener.root

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        noted = Request(self._by, request.method, request.raw_path, _now())
        self._noted(noted)
        try:
            body = await request.read()
        except ConnectionError:
            return web.Response(status=400)  # nobody is there to hear it
        noted.whole_at = _now()
        fate, pause_s = self._fate(noted), self._pause_s(noted)
        if fate == "busy":
            return web.Response(status=503)
        await asyncio.sleep(pause_s)
        answer = await self._passed_on(request, body)
        await asyncio.sleep(pause_s)
        noted.status = 0 if fate == "lost" else answer.status
        if fate == "lost" and request.transport is not None:
            request.transport.close()
        return answer

    async def _passed_on(self, request: web.Request, body: bytes) -> web.Response:
        url, headers = URL(self._target + request.raw_path, encoded=True), _foreign(request.headers.items())
        try:
            async with self._http.request(
                request.method, url, data=io.BytesIO(body), headers=headers, allow_redirects=False
            ) as answer:
                content = await answer.read()
        except aiohttp.ClientError:
            return web.Response(status=502)
        if self._said[0]:
            content = content.replace(*self._said)
        return web.Response(status=answer.status, body=content, headers=_foreign(answer.headers.items()))


def _foreign(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in _OWN]


def _now() -> datetime:
    return datetime.now(UTC)
