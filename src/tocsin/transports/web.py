"""One web server under many paths: requests with large answers, and WebSockets. No redirects, proxies or cookies."""

import ssl
from collections.abc import Sequence

import aiohttp
from yarl import URL

from tocsin.transports.contract import LinkBroken, TlsOptions, Unreachable
from tocsin.transports.http import CONNECT_DEADLINE_S, KEEP_S, HttpAnswer, answer_of, endpoint_of, explained, read_ahead
from tocsin.transports.pinned import checking_context
from tocsin.transports.tls import TlsFileError, server_name

ANSWER_LIMIT = 64 * 1024 * 1024
FRAME_LIMIT = 64 * 1024 * 1024


class WebServer:
    """Requests to `origin`, `https://host[:port]`, and to nobody else; at most `connections` are open.

    Every call raises Unreachable, NoAnswer or LinkBroken (tocsin.transports.contract).
    """

    def __init__(self, origin: str, tls: TlsOptions, connections: int) -> None:
        self.origin = origin
        self.endpoint = endpoint_of(origin)
        self.encrypted = URL(origin).scheme == "https"
        self._tls = tls
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes = b"", timeout_s: float = 30.0
    ) -> HttpAnswer:
        """One request; `target` is path and query, already encoded. `timeout_s` covers connecting up to the end of
        the answer, of which at most 64 MiB are read.
        """
        await self._read_ahead()
        request = self._opened().request(
            method,
            URL(self.origin + target, encoded=True),
            headers=[*headers, ("Accept-Encoding", "identity")],
            data=body or None,
            allow_redirects=False,
            server_hostname=self._name(),
        )
        async with explained(self.endpoint, self._tls, timeout_s), request as response:
            return await answer_of(response, ANSWER_LIMIT)

    async def socket(
        self, target: str, headers: Sequence[tuple[str, str]], timeout_s: float
    ) -> "aiohttp.ClientWebSocketResponse | HttpAnswer":
        """A WebSocket whose frames may have 64 MiB, or the answer of a server that does not change over to it.

        Pings are left to the caller.
        """
        async with explained(self.endpoint, self._tls, timeout_s):
            await self._read_ahead()
            try:
                return await self._opened().ws_connect(
                    URL(self.origin + target, encoded=True),
                    headers=headers,
                    max_msg_size=FRAME_LIMIT,
                    autoping=False,
                    timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                    server_hostname=self._name(),
                )
            except aiohttp.WSServerHandshakeError as refused:
                given = tuple(refused.headers.items()) if refused.headers else ()
                return HttpAnswer(refused.status, refused.message, given, b"")

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _read_ahead(self) -> None:
        if self.encrypted and self._session is None:
            await read_ahead(self._tls, self.endpoint)

    def _name(self) -> str | None:
        return server_name(self._tls, self.endpoint) if self.encrypted else None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self._context(),
                    limit=self._connections,
                    keepalive_timeout=KEEP_S,
                    use_dns_cache=False,
                ),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_DEADLINE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                trace_configs=[_staying()],
            )
        return self._session

    def _context(self) -> "ssl.SSLContext | bool":
        if not self.encrypted:
            return False
        try:
            return checking_context(self._tls, self.endpoint)
        except TlsFileError as error:
            raise Unreachable(str(error)) from error


def _staying() -> aiohttp.TraceConfig:
    """The library follows redirects of WebSockets and cannot be told not to; this ends them."""

    async def ended(_session: object, _context: object, redirect: aiohttp.TraceRequestRedirectParams) -> None:
        aim = redirect.response.headers.get("Location", "")[:200]
        raise LinkBroken(f"{redirect.url.host} sends the WebSocket on to {aim!r}, which is not followed")

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(ended)
    return trace
