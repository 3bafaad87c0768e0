"""HTTP requests over kept connections: no redirects, no proxies, nothing decompressed, answers bounded."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence

import aiohttp
from msgspec import Struct
from yarl import URL

from tocsin.transports.contract import Endpoint, LinkBroken, NoAnswer, TlsOptions, Unreachable
from tocsin.transports.pinned import checking_context, checking_context_apart
from tocsin.transports.tls import TlsFileError, explain, server_name, shown_certificate

ANSWER_LIMIT = 65536
CONNECT_DEADLINE_S = 5.0
CERTIFICATE_DEADLINE_S = 3.0
KEEP_S = 30.0


class HttpAnswer(Struct, frozen=True):
    """`body` is bounded by whoever asked; `complete` is False when there was more."""

    status: int
    reason: str
    headers: Sequence[tuple[str, str]]
    body: bytes
    complete: bool = True

    def header(self, name: str) -> str:
        """The first header of this name, whatever its case; empty if there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


class HttpClient:
    """Requests to one server. `tls` applies to https; `timeout_s` covers one request from connecting to the end of
    its answer; at most `connections` are open.
    """

    def __init__(self, url: str, tls: TlsOptions, timeout_s: float, connections: int) -> None:
        self._url = URL(url, encoded=True)
        self.endpoint = endpoint_of(url)
        self._tls = tls
        self._timeout_s = timeout_s
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def post(self, headers: Sequence[tuple[str, str]], body: bytes) -> HttpAnswer:
        """One POST with exactly these headers. Raises Unreachable, NoAnswer, LinkBroken."""
        return await self._ask("POST", headers, body)

    async def get(self, headers: Sequence[tuple[str, str]]) -> HttpAnswer:
        """One GET with exactly these headers. Raises Unreachable, NoAnswer, LinkBroken."""
        return await self._ask("GET", headers, b"")

    async def _ask(self, method: str, headers: Sequence[tuple[str, str]], body: bytes) -> HttpAnswer:
        async with explained(self.endpoint, self._tls, self._timeout_s, "; it may have taken the event"):
            return await self._request(method, headers, body)

    async def _request(self, method: str, headers: Sequence[tuple[str, str]], body: bytes) -> HttpAnswer:
        name = server_name(self._tls, self.endpoint) if self._url.scheme == "https" else None
        if name is not None and self._session is None:
            await read_ahead(self._tls, self.endpoint)
        async with self._opened().request(
            method, self._url, headers=headers, data=body or None, allow_redirects=False, server_hostname=name
        ) as response:
            return await answer_of(response, ANSWER_LIMIT)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._connector(),
                timeout=aiohttp.ClientTimeout(connect=min(CONNECT_DEADLINE_S, self._timeout_s / 2)),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    def _connector(self) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(
            ssl=self._tls_context() if self._url.scheme == "https" else False,
            limit=self._connections,
            keepalive_timeout=KEEP_S,
            use_dns_cache=False,  # stations.md 8.3: names are resolved anew for each connection
        )

    def _tls_context(self) -> ssl.SSLContext:
        try:
            return checking_context(self._tls, self.endpoint)
        except TlsFileError as error:
            raise Unreachable(str(error)) from error

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def read_ahead(tls: TlsOptions, endpoint: Endpoint) -> None:
    """So that a session about to be opened has no file to read on the loop; what is wrong with them it says itself."""
    with contextlib.suppress(TlsFileError):
        await checking_context_apart(tls, endpoint)


@contextlib.asynccontextmanager
async def explained(endpoint: Endpoint, tls: TlsOptions, timeout_s: float, doubt: str = "") -> AsyncIterator[None]:
    """What is done within has this deadline, and its failures are told as Unreachable, NoAnswer and LinkBroken.

    `doubt` is added where the peer was connected but did not answer in time.
    """
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except aiohttp.ConnectionTimeoutError as error:
        raise Unreachable(explain(_cause(error), endpoint)) from error
    except TimeoutError as error:
        raise NoAnswer(f"{endpoint} gave no complete answer within {timeout_s:g} s{doubt}") from error
    except aiohttp.ClientConnectorCertificateError as error:
        shown = await shown_certificate(endpoint, CERTIFICATE_DEADLINE_S, server_name(tls, endpoint))
        raise Unreachable(explain(_cause(error), endpoint, shown)) from error
    except aiohttp.ClientConnectorError as error:
        raise Unreachable(explain(_cause(error), endpoint)) from error
    except aiohttp.ClientError as error:
        raise LinkBroken(_broken(error, endpoint)) from error


def endpoint_of(url: str) -> Endpoint:
    """Where an http or https URL leads. Raises ValueError."""
    parsed = URL(url, encoded=True)
    if parsed.scheme not in ("http", "https") or not parsed.host or not parsed.port:
        raise ValueError(f"expected http://HOST/… or https://HOST/…, not {parsed.scheme or 'no scheme'}")
    return Endpoint(parsed.host, parsed.port)


async def answer_of(response: aiohttp.ClientResponse, limit: int) -> HttpAnswer:
    """What was answered, with at most `limit` bytes of its body."""
    try:
        content = await response.content.readexactly(limit + 1)
        response.close()
    except asyncio.IncompleteReadError as end:
        content = end.partial
    headers = tuple(response.headers.items())
    return HttpAnswer(response.status, response.reason or "", headers, content[:limit], len(content) <= limit)


def _broken(error: aiohttp.ClientError, endpoint: Endpoint) -> str:
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return f"{endpoint} closed the connection before it answered"
    if isinstance(error, aiohttp.ClientPayloadError):
        return f"{endpoint} broke off in the middle of its answer"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{endpoint} did not answer in HTTP: {error.message}"
    return explain(_cause(error), endpoint)


def _cause(error: BaseException) -> BaseException:
    """What the HTTP library has wrapped; its wrappers look like system and TLS errors without their details."""
    return error.__cause__ or error
