"""HTTP to one device: bounded answers, no redirects, and a login that never leaves the device's own host.

All devices of a system share one session: a session for each of hundreds of cameras would be the larger part of them.
"""

import asyncio
import base64
import ssl
from collections.abc import Mapping

import aiohttp
from aiohttp import DigestAuthMiddleware
from msgspec import Struct
from yarl import URL

from tocsin.engine.systems import Misconfigured, ProtocolFault, Unreachable
from tocsin.systems.onvif.soap import ANSWER_LIMIT
from tocsin.transports.contract import Endpoint, TlsOptions
from tocsin.transports.pinned import checking_context
from tocsin.transports.tls import TlsFileError, explain, shown_certificate

KEEP_S = 90.0
"""Longer than a minute: a poll each minute finds its connection open."""
CERTIFICATE_DEADLINE_S = 3.0
_TYPE = "application/soap+xml; charset=utf-8"


class Silent(Unreachable):
    """Connected or not: nothing came in time."""


class HttpReply(Struct, frozen=True):
    """`challenge` is what the device asks for a login with, lower case: "digest …", "basic …", or empty."""

    status: int
    body: bytes
    challenge: str = ""


class Sessions:
    """The one HTTP session of a system, opened when it is first needed."""

    def __init__(self, tls: TlsOptions) -> None:
        self.tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._context: ssl.SSLContext | None = None

    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_S, use_dns_cache=False),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    def context(self, endpoint: Endpoint) -> ssl.SSLContext:
        """Raises Misconfigured."""
        if self._context is None:
            try:
                self._context = checking_context(self.tls, endpoint)
            except TlsFileError as error:
                raise Misconfigured(str(error)) from error
        return self._context

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None


class DeviceLine:
    """Requests to the device whose device service is at `root`. `timeout_s` covers each whole exchange."""

    def __init__(self, sessions: Sessions, root: URL, user: str, password: str, timeout_s: float) -> None:
        self.root = root
        self.endpoint = Endpoint(str(root.host), int(root.port or 80))
        self._sessions = sessions
        self._timeout_s = timeout_s
        may_log_in = bool(user) and ":" not in user
        self._digest = DigestAuthMiddleware(user, password) if may_log_in else None
        written = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._basic = {"Authorization": f"Basic {written}"} if may_log_in else {}

    def own(self, address: str) -> URL:
        """An address the device gave, on the host we know it by: many do not know their own (connectors.md 6.3).
        Raises ProtocolFault.
        """
        try:
            url = URL(address)
        except ValueError:
            raise ProtocolFault(f"{self.endpoint} gives an address that cannot be read: {address[:100]!r}") from None
        if url.scheme in ("http", "https") and url.host == self.root.host and url.port:
            return url.with_user(None)
        return self.root.with_path(url.raw_path or "/", encoded=True).with_query(url.query)

    async def post(self, url: URL, body: bytes, digest: bool, wait_s: float = 0.0) -> HttpReply:
        """One SOAP request; `digest` answers the device's HTTP challenge; `wait_s` more is allowed for the answer.
        Raises Unreachable, Misconfigured, ProtocolFault.
        """
        headers = {"Content-Type": _TYPE}
        return await self._ask("POST", url, body, headers, digest, ANSWER_LIMIT, self._timeout_s + wait_s)

    async def get(self, url: URL, limit: int, timeout_s: float, basic: bool = False) -> HttpReply:
        """A picture, with HTTP Digest, or with Basic. Raises as `post`."""
        return await self._ask("GET", url, b"", self._basic if basic else {}, not basic, limit, timeout_s)

    async def _ask(
        self, method: str, url: URL, body: bytes, headers: Mapping[str, str], digest: bool, limit: int, timeout_s: float
    ) -> HttpReply:
        assert url.host == self.root.host, "a login never goes to another host"
        try:
            async with asyncio.timeout(timeout_s):
                try:
                    return await self._request(method, url, body, headers, digest, limit)
                except (aiohttp.ServerDisconnectedError, aiohttp.ClientConnectionResetError):
                    # A kept connection that the device had closed: the request never reached it.
                    return await self._request(method, url, body, headers, digest, limit)
        except TimeoutError as error:
            raise Silent(f"{self.endpoint} gave no answer within {timeout_s:g} s") from error
        except aiohttp.ClientConnectorCertificateError as error:
            shown = await shown_certificate(self.endpoint, CERTIFICATE_DEADLINE_S, str(url.host))
            raise Misconfigured(explain(error.__cause__ or error, self.endpoint, shown)) from error
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise Unreachable(explain(error.__cause__ or error, self.endpoint)) from error
        except aiohttp.ClientError as error:
            raise ProtocolFault(f"{self.endpoint} does not answer in HTTP: {str(error)[:200]}") from error

    async def _request(
        self, method: str, url: URL, body: bytes, headers: Mapping[str, str], digest: bool, limit: int
    ) -> HttpReply:
        secure = url.scheme == "https"
        async with self._sessions.session().request(
            method,
            url,
            data=body or None,
            headers=headers,
            allow_redirects=False,
            ssl=self._sessions.context(self.endpoint) if secure else True,
            server_hostname=(self._sessions.tls.server_name or url.host) if secure else None,
            middlewares=(self._digest,) if digest and self._digest else (),
        ) as response:
            challenge = ", ".join(response.headers.getall("WWW-Authenticate", ())).lower()
            return HttpReply(response.status, await self._bounded(response, limit), challenge)

    async def _bounded(self, response: aiohttp.ClientResponse, limit: int) -> bytes:
        try:
            await response.content.readexactly(limit + 1)
        except asyncio.IncompleteReadError as end:
            return end.partial
        response.close()
        raise ProtocolFault(f"{self.endpoint} answers with more than {limit} bytes; it is not read further")
