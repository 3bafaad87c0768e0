"""HTTP to hosts that are only told while running, through a forward proxy where there is one; bodies of any size.

No redirects, no repeats, no cookies, nothing decompressed, answers bounded. Addresses may hold secrets: they go out
exactly as given, and no error or log line of this room carries more of them than host and port.
"""

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import cast

import aiohttp
from msgspec import Struct
from yarl import URL

from tocsin.transports.contract import Endpoint, LinkBroken, NoAnswer, TlsOptions, TransportError, Unreachable
from tocsin.transports.http import (
    CERTIFICATE_DEADLINE_S,
    CONNECT_DEADLINE_S,
    KEEP_S,
    HttpAnswer,
    answer_of,
    endpoint_of,
    read_ahead,
)
from tocsin.transports.tls import TlsFileError, client_context, explain, server_name, shown_certificate

ANSWER_LIMIT = 1024 * 1024


class Proxy(Struct, frozen=True):
    """A forward proxy, `http://host:port`; `user` and `password` where it asks for them."""

    url: str
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Proxy({endpoint_of(self.url)})"


class Body(Struct, frozen=True):
    """What is sent: `size` bytes in pieces."""

    pieces: AsyncIterator["bytes | memoryview"]
    size: int


class Outbound:
    """At most `connections` are open. `tls` applies to every https host; `stall_s`: how long a request may stand still,
    sending or waiting for its answer, before it is given up. Every call raises Unreachable, NoAnswer or LinkBroken.
    """

    def __init__(self, tls: TlsOptions, proxy: Proxy | None, connections: int, stall_s: float) -> None:
        self._tls = tls
        self._proxy = proxy
        self._connections = connections
        self._stall_s = stall_s
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self, method: str, url: str, headers: Sequence[tuple[str, str]], body: "Body | bytes" = b""
    ) -> HttpAnswer:
        """One request to `url`, which is encoded already."""
        endpoint = endpoint_of(url)
        async with self._explained(endpoint), asyncio.timeout(self._stall_s) as deadline:
            streamed = body if isinstance(body, Body) else None
            size = streamed.size if streamed else len(cast("bytes", body))
            if self._session is None:
                await read_ahead(self._tls, endpoint)
            async with self._opened().request(
                method,
                URL(url, encoded=True),
                headers=[*headers, ("Content-Length", str(size)), ("Accept-Encoding", "identity")],
                data=_moving(streamed.pieces, deadline, self._stall_s) if streamed else body or None,
                allow_redirects=False,
                proxy=self._proxy.url if self._proxy else None,
                proxy_headers=self._login(),
                server_hostname=server_name(self._tls, endpoint) if url.startswith("https:") else None,
            ) as response:
                return await answer_of(response, ANSWER_LIMIT)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _login(self) -> dict[str, str]:
        """For the proxy alone, which is asked to connect to https hosts; the host behind never sees it."""
        if self._proxy is None or not self._proxy.user:
            return {}
        given = f"{self._proxy.user}:{self._proxy.password}"
        return {"Proxy-Authorization": "Basic " + base64.b64encode(given.encode()).decode()}

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self._context(), limit=self._connections, keepalive_timeout=KEEP_S, use_dns_cache=False
                ),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_DEADLINE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                middlewares=(_once,),
            )
        return self._session

    def _context(self) -> ssl.SSLContext:
        try:
            return client_context(self._tls)
        except TlsFileError as error:
            raise Unreachable(str(error)) from None

    @contextlib.asynccontextmanager
    async def _explained(self, endpoint: Endpoint) -> AsyncIterator[None]:
        """Failures as sentences. The library's own errors carry whole addresses: none of them is passed on, nor kept
        as a cause.
        """
        try:
            yield
        except _Failed as failed:
            raise await self._sentence(failed.error, endpoint) from None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise await self._sentence(error, endpoint) from None

    async def _sentence(self, error: Exception, endpoint: Endpoint) -> TransportError:
        match error:
            case aiohttp.ClientHttpProxyError():
                return Unreachable(self._proxy_refuses(error.status))
            case aiohttp.ClientProxyConnectionError():
                return Unreachable(f"The forward proxy: {explain(error.os_error, self._proxy_endpoint())}")
            case aiohttp.ConnectionTimeoutError():
                return Unreachable(explain(TimeoutError(), endpoint))
            case TimeoutError():
                return NoAnswer(f"{endpoint} stood still for {self._stall_s:g} s")
            case aiohttp.ClientConnectorError():
                return Unreachable(explain(error.__cause__ or error, endpoint, await self._shown(error, endpoint)))
            case aiohttp.ServerDisconnectedError():
                return LinkBroken(f"{endpoint} closed the connection before it answered")
            case aiohttp.ClientPayloadError():
                return LinkBroken(f"{endpoint} broke off in the middle of its answer")
            case aiohttp.ClientResponseError():
                return LinkBroken(f"{endpoint} did not answer in HTTP: {error.message[:200]}")
        if isinstance(error.__cause__, OSError):
            return LinkBroken(explain(error.__cause__, endpoint))
        return LinkBroken(f"The connection to {endpoint} broke while it was in use")

    async def _shown(self, error: aiohttp.ClientConnectorError, endpoint: Endpoint) -> bytes:
        """The certificate that was not accepted; behind a proxy it is not asked for a second time."""
        if self._proxy is not None or not isinstance(error, aiohttp.ClientConnectorCertificateError):
            return b""
        return await shown_certificate(endpoint, CERTIFICATE_DEADLINE_S, server_name(self._tls, endpoint))

    def _proxy_endpoint(self) -> Endpoint:
        return endpoint_of(self._proxy.url) if self._proxy else Endpoint("", 0)

    def _proxy_refuses(self, status: int) -> str:
        what = "asks for a user and password, or does not accept those given" if status == 407 else "does not pass on"
        return f"The forward proxy {self._proxy_endpoint()} {what} (status {status}). Ask who runs it"


class _Failed(Exception):
    """Around an error after which the library would send the request a second time by itself."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """A request goes out once: whether it may be repeated is for the caller to say."""
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Failed(error) from None


async def _moving(
    pieces: AsyncIterator["bytes | memoryview"], deadline: asyncio.Timeout, stall_s: float
) -> AsyncIterator["bytes | memoryview"]:
    """The pieces; the deadline moves on with each that the connection has taken."""
    async for piece in pieces:
        if not deadline.expired():
            deadline.reschedule(asyncio.get_running_loop().time() + stall_s)
        yield piece
