"""The login: tokens of XProtect's identity provider, fetched once and renewed in time (connectors.md 4.3)."""

import asyncio
from typing import Protocol
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from tocsin.engine.contracts import Clock
from tocsin.engine.systems import LoginRefused, ProtocolFault, SystemFault, Unreachable
from tocsin.systems.milestone.answers import fault_of, json_of, said
from tocsin.transports.contract import TransportError
from tocsin.transports.http import HttpAnswer

FORM = ("Content-Type", "application/x-www-form-urlencoded")
CLIENT = "GrantValidatorClient"  # gives no refresh token: one logs in again
EARLY_S = 60.0
PAUSES_S = (60.0, 900.0, 3600.0)
"""Between refused logins, so that no account is locked: three tries in the first hour, then one an hour."""


class Asking(Protocol):
    """Sends a form to a path of the identity provider and returns the answer. Raises TransportError."""

    async def __call__(self, path: str, form: bytes) -> HttpAnswer: ...


class Token(Struct, frozen=True):
    value: str
    good_until: float
    """Monotonic."""


class _Granted(Struct, frozen=True):
    access_token: str
    expires_in: float = 3600.0


class Session:
    """Keeps one token. Many may ask at once: only one login is under way at a time, and after a refusal none is tried
    before its pause is over.
    """

    def __init__(self, ask: Asking, form: dict[str, str], paths: tuple[str, ...], clock: Clock) -> None:
        self._ask = ask
        self._form = urlencode({**form, "client_id": CLIENT}).encode()
        self._paths = paths
        self._clock = clock
        self._token: Token | None = None
        self._one_at_a_time = asyncio.Lock()
        self._refusals = 0
        self._refused = ""
        self._not_before = 0.0

    async def token(self, spent: str = "") -> str:
        """A token that is good; `spent` is one that the server has just refused. Raises SystemFault."""
        async with self._one_at_a_time:
            if self._token is None or self._token.value == spent or self._clock.monotonic() >= self._token.good_until:
                self._token = None
                self._token = await self._login()
            return self._token.value

    async def _login(self) -> Token:
        wait_s = self._not_before - self._clock.monotonic()
        if self._refusals and wait_s > 0:
            raise LoginRefused(f"{self._refused}. So that the account is not locked, not tried for {wait_s:.0f} s more")
        try:
            token = await self._granted()
        except LoginRefused as refused:
            self._refused = str(refused)
            pause = max(PAUSES_S[min(self._refusals, len(PAUSES_S) - 1)], 900.0 if "locked" in str(refused) else 0.0)
            self._refusals += 1
            self._not_before = self._clock.monotonic() + pause
            raise
        self._refusals = 0
        return token

    async def _granted(self) -> Token:
        path = self._paths[0]
        answer = await self._answer(path)
        if answer.status in (404, 405) and len(self._paths) > 1:
            path = self._paths[1]
            answer = await self._answer(path)
        if answer.status != 200:
            raise _not_granted(answer, path)
        self._paths = (path,)
        granted = _read_granted(answer)
        life_s = max(granted.expires_in - EARLY_S, granted.expires_in / 2)
        return Token(granted.access_token, self._clock.monotonic() + life_s)

    async def _answer(self, path: str) -> HttpAnswer:
        try:
            return await self._ask(path, self._form)
        except TransportError as error:
            raise Unreachable(said(error)) from error


def _read_granted(answer: HttpAnswer) -> _Granted:
    try:
        granted = msgspec.convert(json_of(answer, "the login"), _Granted, strict=False)
    except msgspec.ValidationError:
        raise ProtocolFault("the login was answered without a token; is this XProtect's identity provider?") from None
    if not granted.access_token.isascii() or not granted.access_token.isprintable():
        raise ProtocolFault("the login was answered with a token that is no plain text")
    return granted


_REMEDY = (
    "check username and password, and that `auth` says the kind of user it is (basic: made in XProtect; ntlm: Windows)"
)


def _not_granted(answer: HttpAnswer, path: str) -> SystemFault:
    if answer.status not in (400, 401, 403):
        return fault_of(answer, f"the login ({path})")
    try:
        body = json_of(answer, "the login")
    except ProtocolFault:
        body = {}
    told = body if isinstance(body, dict) else {}
    reason = " ".join(str(told[name])[:200] for name in ("error", "error_description") if told.get(name))
    if "lockedout" in reason.lower().replace(" ", "").replace("_", ""):
        return LoginRefused("XProtect has locked the account (LockedOut); unlock it in the Management Client")
    return LoginRefused(f"XProtect refuses the login ({reason or f'status {answer.status}'}); {_REMEDY}")
