"""The session with OpenAccess (connectors.md 5.2): login, one re-login, keep-alive, further servers, logout."""

import asyncio
import contextlib
import math
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from tocsin.engine.contracts import Clock
from tocsin.engine.systems import LoginRefused, Misconfigured, ProtocolFault, Unreachable
from tocsin.systems.onguard.answers import BadRequest, SessionEnded, items, login_fault, members
from tocsin.systems.onguard.lockout import Lockout
from tocsin.systems.onguard.settings import OnGuardSettings
from tocsin.transports.contract import TransportError
from tocsin.transports.http import HttpAnswer
from tocsin.transports.web import WebServer

CONNECTIONS = 6
IDLE_S = 300.0
"""OnGuard ends a session after 15 minutes without a request."""
EARLY_S = 60.0
"""A session is renewed so long before it ends."""
LOGOUT_S = 2.0
Query = Mapping[str, str | int]
NOTHING: Query = {}


class Session:
    """Sends requests, logged in. Many may ask at once: only one login is under way at a time."""

    def __init__(self, settings: OnGuardSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._urls = [settings.url, *settings.more_urls]
        self._servers = [WebServer(_origin(url), settings.tls.options(), CONNECTIONS) for url in self._urls]
        self._at = 0
        self._token = ""
        self._good_until = -math.inf
        self._asked_at = -math.inf
        self._logging_in = asyncio.Lock()
        self._lockout = Lockout()
        self._sorts = True
        self.skew_s = 0.0
        """How far the server's clock was ahead at its last answer."""

    @property
    def server(self) -> WebServer:
        """The one in use."""
        return self._servers[self._at]

    async def ask(
        self, method: str, operation: str, query: Query = NOTHING, body: Any = None, once: bool = False
    ) -> dict[str, Any]:
        """The JSON object that answers. `once`: not repeated at another server, for orders. Raises SystemFault."""
        for left in reversed(range(1 if once else len(self._servers))):
            asked = self._at
            try:
                return await self._asked(method, operation, query, body)
            except Unreachable:
                if not left:
                    raise
                self._leave(asked)
        raise AssertionError("there is a server")

    async def page(self, operation: str, query: Query, n: int, size: int, order_by: str) -> dict[str, Any]:
        """One page of a listing, sorted where this OnGuard can do that: how fields are joined there is not published.
        Raises SystemFault.
        """
        asked = {**query, "page_number": n, "page_size": size}
        if "," in order_by and not self._sorts:
            return await self.ask("GET", operation, asked)
        try:
            return await self.ask("GET", operation, {**asked, "order_by": order_by})
        except BadRequest:
            answer = await self.ask("GET", operation, asked)
        self._sorts = False  # else it would not have answered now either
        return answer

    async def open(self, operation: str) -> dict[str, Any]:
        """GET without a session, such as `version`. Raises SystemFault."""
        return members(await self._sent("GET", operation, NOTHING, None, ""), operation)

    async def login(self) -> None:
        """Log in unless that is done already. Raises SystemFault."""
        await self._current("")

    async def keep_alive(self) -> None:
        """So that polling at long intervals keeps its session."""
        if self._token and self._clock.monotonic() - self._asked_at >= IDLE_S:
            await self.ask("GET", "keepalive")

    async def aclose(self) -> None:
        """Log out, if that can be done within two seconds."""
        token, self._token = self._token, ""
        with contextlib.suppress(TransportError, TimeoutError):
            async with asyncio.timeout(LOGOUT_S):
                if token:
                    await self._exchanged("DELETE", "authentication", NOTHING, None, token)
        for server in self._servers:
            await server.aclose()

    async def _asked(self, method: str, operation: str, query: Query, body: Any) -> dict[str, Any]:
        token = await self._current("")
        try:
            return members(await self._sent(method, operation, query, body, token), operation)
        except SessionEnded:
            token = await self._current(token)
        try:
            return members(await self._sent(method, operation, query, body, token), operation)
        except SessionEnded as refused:
            raise LoginRefused(f"the login is accepted, but its session is refused at once: {refused}") from refused

    async def _current(self, spent: str) -> str:
        """The token of a session that is good; `spent` is one that has just been refused."""
        async with self._logging_in:
            if not self._token or self._token == spent or self._clock.monotonic() >= self._good_until:
                self._token = ""
                self._token = await self._login()
            return self._token

    async def _login(self) -> str:
        wait_s = self._lockout.wait_s(self._clock.monotonic())
        if wait_s:
            told = self._lockout.reason
            raise LoginRefused(f"{told}. So that the account is not locked, it is next tried in {wait_s / 60:.0f} min")
        directory = await self._directory()
        login = {
            "user_name": self._settings.username,
            "password": self._settings.password.reveal(),
            "directory_id": directory,
        }
        answer = await self._sent("POST", "authentication", NOTHING, login, "")
        if answer.status != 200:
            fault = login_fault(answer)
            if isinstance(fault, LoginRefused):
                self._lockout = self._lockout.refused(self._clock.monotonic(), str(fault))
            raise fault
        self._lockout = Lockout()
        return self._granted(members(answer, "the login"))

    async def _directory(self) -> str:
        body = await self.open("directories")
        found = {str(row.get("Name", "")): str(row.get("ID", "")) for row in items(body, "directories")}
        if self._settings.directory not in found:
            names = ", ".join(sorted(found)[:10]) or "none"
            raise Misconfigured(f"OnGuard has no directory {self._settings.directory!r}; it has: {names}")
        return found[self._settings.directory]

    def _granted(self, body: dict[str, Any]) -> str:
        token = body.get("session_token")
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise ProtocolFault("the login was answered without a session_token; is this OpenAccess?")
        ends = str(body.get("token_expiration_time", ""))
        left_s = seconds_left(ends, self._clock.now(), self._settings.zone())
        self._good_until = self._clock.monotonic() + left_s
        return token

    def _leave(self, server: int) -> None:
        """For the next one, unless another request that failed there has done so already."""
        if self._at == server:
            self._at = (self._at + 1) % len(self._servers)
            self._token = ""  # a session is known to its own server only

    async def _sent(self, method: str, operation: str, query: Query, body: Any, token: str) -> HttpAnswer:
        try:
            answer = await self._exchanged(method, operation, query, body, token)
        except TransportError as error:
            raise Unreachable(str(error)) from error
        self._asked_at = self._clock.monotonic()
        self.skew_s = _ahead_s(answer.header("Date"), self._clock.now())
        return answer

    async def _exchanged(self, method: str, operation: str, query: Query, body: Any, token: str) -> HttpAnswer:
        target = f"{urlsplit(self._urls[self._at]).path}/{operation}?"
        target += urlencode({"version": "1.0", **query}, quote_via=quote)
        headers = [("Application-Id", self._settings.application_id.reveal()), ("Accept", "application/json")]
        headers += [("Session-Token", token)] if token else []
        headers += [("Content-Type", "application/json")] if body is not None else []
        data = b"" if body is None else msgspec.json.encode(body)
        return await self.server.ask(method, target, headers, data, self._settings.timeout)


def seconds_left(written: str, now: datetime, zone: tzinfo) -> float:
    """How long a session is to be used. Without end where its end cannot be read or is past: then the clocks differ,
    and a 401 will tell.
    """
    try:
        ends = datetime.fromisoformat(written)
    except ValueError:
        return math.inf
    ends = ends if ends.tzinfo else ends.replace(tzinfo=zone)
    left_s = (ends.astimezone(UTC) - now).total_seconds() - EARLY_S
    return left_s if left_s > 0 else math.inf


def _ahead_s(written: str, now: datetime) -> float:
    try:
        return (parsedate_to_datetime(written) - now).total_seconds()
    except (TypeError, ValueError):
        return 0.0


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
