"""The token that opens a recording server: fetched from the Management Server with the login (connectors.md 4.9)."""

import asyncio
import uuid

from msgspec import Struct

from tocsin.engine.contracts import Clock
from tocsin.engine.systems import LoginRefused, ProtocolFault, Unreachable
from tocsin.protocols.xml import NotXml, content, first, read, text_of
from tocsin.systems.milestone.answers import fault_of, said
from tocsin.systems.milestone.session import Session
from tocsin.transports.contract import TransportError
from tocsin.transports.http import HttpAnswer
from tocsin.transports.web import WebServer

PATH = "/ManagementServer/ServerCommandServiceOAuth.svc"
SPACE = "http://videoos.net/2/XProtectCSServerCommand"
ACTION = f"{SPACE}/IServerCommandService/Login"
LIFE_S = 4 * 3600.0


class _Kept(Struct, frozen=True):
    value: str
    renew_at: float
    """Monotonic; half of its life."""


class ConnectionToken:
    """Keeps one."""

    def __init__(self, management: WebServer, session: Session, instance: uuid.UUID, clock: Clock) -> None:
        self._management = management
        self._session = session
        self._instance = instance
        self._clock = clock
        self._kept: _Kept | None = None
        self._one_at_a_time = asyncio.Lock()

    async def value(self, timeout_s: float) -> str:
        """Raises SystemFault."""
        async with self._one_at_a_time:
            if self._kept is None or self._clock.monotonic() >= self._kept.renew_at:
                self._kept = await self._login(timeout_s)
            return self._kept.value

    def forget(self) -> None:
        """A recording server does not take it."""
        self._kept = None

    async def _login(self, timeout_s: float) -> _Kept:
        bearer = await self._session.token()
        answer = await self._asked(bearer, timeout_s)
        if answer.status == 401:
            answer = await self._asked(await self._session.token(bearer), timeout_s)
        if answer.status == 401:
            raise LoginRefused("the Management Server refuses a new token (401) for recording servers")
        if answer.status != 200:
            raise fault_of(answer, "the Management Server's Login")
        return self._read(answer.body)

    async def _asked(self, bearer: str, timeout_s: float) -> HttpAnswer:
        current = self._kept.value if self._kept is not None else ""
        body = (
            '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
            f'<s:Body><Login xmlns="{SPACE}"><instanceId>{self._instance}</instanceId>'
            f"<currentToken>{content(current)}</currentToken></Login></s:Body></s:Envelope>"
        )
        headers = (
            ("Authorization", f"Bearer {bearer}"),
            ("Content-Type", "text/xml; charset=utf-8"),
            ("SOAPAction", f'"{ACTION}"'),
        )
        try:
            return await self._management.ask("POST", PATH, headers, body.encode(), timeout_s)
        except TransportError as error:
            raise Unreachable(said(error)) from error

    def _read(self, body: bytes) -> _Kept:
        try:
            root = read(body)
        except NotXml as error:
            raise ProtocolFault(f"the Management Server's Login is answered with something else: {error}") from None
        token = text_of(first(root, "Token"))
        if not token:
            raise ProtocolFault("the Management Server's Login is answered without a token")
        micros = text_of(first(root, "MicroSeconds"))
        life_s = int(micros) / 1e6 if micros.isascii() and micros.isdecimal() and len(micros) < 19 else LIFE_S
        return _Kept(token, self._clock.monotonic() + life_s / 2)
