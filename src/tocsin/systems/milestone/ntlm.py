"""The login of a Windows user: NTLM or Negotiate over one connection (connectors.md 4.3)."""

import asyncio
import base64
import binascii

import spnego
from spnego.exceptions import SpnegoError

from tocsin.engine.systems import LoginRefused, ProtocolFault
from tocsin.systems.milestone.session import FORM
from tocsin.transports.contract import TlsOptions
from tocsin.transports.http import HttpAnswer
from tocsin.transports.web import WebServer

SCHEMES = (("NTLM", "ntlm"), ("Negotiate", "negotiate"))
"""By what a server offers: the mechanism."""


class WindowsLogin:
    """Asks the identity provider with a handshake; each login has a connection of its own, which it is bound to."""

    def __init__(self, origin: str, tls: TlsOptions, username: str, password: str, timeout_s: float) -> None:
        self._origin = origin
        self._tls = tls
        self._username = username
        self._password = password
        self._timeout_s = timeout_s

    async def __call__(self, path: str, form: bytes) -> HttpAnswer:
        server = WebServer(self._origin, self._tls, connections=1)
        try:
            return await self._shaken(server, path, form)
        finally:
            await server.aclose()

    async def _shaken(self, server: WebServer, path: str, form: bytes) -> HttpAnswer:
        answer = await server.ask("POST", path, (FORM,), form, self._timeout_s)
        scheme = _offered(answer)
        if answer.status != 401 or scheme is None:
            return answer
        context = await self._context(scheme[1], server.endpoint.host)
        token = await self._step(context, None)
        for _ in range(3):
            word = f"{scheme[0]} {base64.b64encode(token).decode()}"
            answer = await server.ask("POST", path, (FORM, ("Authorization", word)), form, self._timeout_s)
            challenge = _challenge(answer, scheme[0])
            if answer.status != 401 or not challenge:
                return answer
            token = await self._step(context, challenge)
        raise ProtocolFault("the Windows login does not come to an end")

    async def _context(self, mechanism: str, host: str) -> spnego.ContextProxy:
        try:
            return await asyncio.to_thread(
                spnego.client, self._username, self._password, hostname=host, service="HTTP", protocol=mechanism
            )
        except SpnegoError as error:
            raise LoginRefused(f"the Windows login cannot begin: {error}; write username as DOMAIN\\name") from None

    async def _step(self, context: spnego.ContextProxy, challenge: bytes | None) -> bytes:
        try:
            return await asyncio.to_thread(context.step, challenge) or b""
        except SpnegoError as error:
            raise ProtocolFault(f"the Windows login fails: {type(error).__name__}") from None


def _offered(answer: HttpAnswer) -> tuple[str, str] | None:
    words = {
        value.split(" ")[0].lower() for key, value in answer.headers if key.lower() == "www-authenticate" and value
    }
    return next((scheme for scheme in SCHEMES if scheme[0].lower() in words), None)


def _challenge(answer: HttpAnswer, scheme: str) -> bytes:
    for key, value in answer.headers:
        word, _, rest = value.partition(" ")
        if key.lower() == "www-authenticate" and word.lower() == scheme.lower() and rest:
            try:
                return base64.b64decode(rest, validate=True)
            except (binascii.Error, ValueError):
                raise ProtocolFault("the Windows login is answered with something that is no challenge") from None
    return b""
