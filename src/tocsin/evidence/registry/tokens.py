"""The token service: one token per connection, renewed at half of its life, one request at a time (clearance.md 4)."""

import asyncio
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError

from tocsin.engine.contracts import Clock, Randomness
from tocsin.evidence.registry.connection import Connection
from tocsin.evidence.registry.faults import Misconfigured, TryAgain
from tocsin.evidence.registry.places import Places
from tocsin.evidence.registry.profile import Assertion, filled
from tocsin.protocols.text import one_line
from tocsin.transports.contract import TransportError
from tocsin.transports.http import HttpAnswer

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SHORTEST_S = 30.0
LONGEST_S = 86_400.0
UNSAID_S = 3600.0
_FORM = ("Content-Type", "application/x-www-form-urlencoded")


class Tokens:
    """`token` gives one that is good. `offset_s`: how far the service's clock is ahead of ours."""

    def __init__(
        self, connection: Connection, assertion: Assertion, places: Places, clock: Clock, randomness: Randomness
    ) -> None:
        self._connection = connection
        self._assertion = assertion
        self._places = places
        self._clock = clock
        self._randomness = randomness
        self._lock = asyncio.Lock()
        self._token = ""
        self._renew_at = 0.0
        self._ends_at = 0.0
        self.offset_s = 0.0

    async def token(self) -> str:
        """While renewing fails, the old one is used to its end. Raises Misconfigured, TryAgain."""
        async with self._lock:
            now = self._clock.monotonic()
            if self._token and now < self._renew_at:
                return self._token
            try:
                await self._renew()
            except TryAgain:
                if not self._token or now >= self._ends_at:
                    raise
            return self._token

    def drop(self, token: str) -> None:
        """The registry does not accept it; one that has come since stays."""
        if token == self._token:
            self._token = ""

    async def _renew(self) -> None:
        asked, offset_s = self._clock.monotonic(), self.offset_s
        answer = await self._ask()
        if answer.status in (400, 401, 403) and abs(self.offset_s - offset_s) > self._assertion.back_s:
            answer = await self._ask()  # the refusal has told how wrong our clock is (13.6)
        if answer.status >= 500 or answer.status in (408, 425, 429):
            raise TryAgain(f"the token service at {self._places.place} answers {answer.status}")
        token, life_s = _read(answer)
        if not token:
            raise Misconfigured(
                f"the token service at {self._places.place} refuses the login with {answer.status}{_said(answer)}. "
                "Download the connection file anew, and check this machine's clock"
            )
        self._token = token
        self._renew_at, self._ends_at = asked + life_s / 2, asked + life_s

    async def _ask(self) -> HttpAnswer:
        try:
            answer = await self._places.ask("POST", "/token", (_FORM,), self._request)
        except TransportError as error:
            raise TryAgain(str(error)) from None
        at = date_of(answer)
        if at is not None:
            self.offset_s = (at - self._clock.now()).total_seconds()
        return answer

    def _request(self, place: str) -> bytes:
        signed = self.assertion(f"{place}/token")
        client = self._connection.client_id
        return urlencode({"client_id": client, "grant_type": GRANT, "assertion": signed}).encode()

    def assertion(self, token_url: str) -> str:
        """A signed statement of who we are. Raises Misconfigured when the key cannot sign so."""
        said, connection = self._assertion, self._connection
        words = {
            "kid": connection.kid,
            "client_id": connection.client_id,
            "token_url": token_url,
            "tenant": connection.tenant,
            "ServicePrincipalId": connection.principal,
        }
        now = self._clock.now() + timedelta(seconds=self.offset_s if abs(self.offset_s) > said.back_s else 0.0)
        claims = {
            **{name: filled(getattr(said, name), words) for name in ("iss", "sub", "aud")},
            "jti": f"{self._randomness.getrandbits(128):032x}",
            **_times(now, said),
        }
        header = {"alg": said.alg, "kid": filled(said.kid, words), "typ": "JWT"}
        try:
            return jwt.encode(header, claims, connection.key.reveal(), algorithms=[said.alg])
        except (JoseError, ValueError) as error:
            raise Misconfigured(f"the connection file's key cannot sign with {said.alg}: {error}") from None


def _times(now: datetime, said: Assertion) -> dict[str, int]:
    begins = int((now - timedelta(seconds=said.back_s)).timestamp())
    return {"iat": begins, "nbf": begins, "exp": int(now.timestamp()) + said.life_s}


def _read(answer: HttpAnswer) -> tuple[str, float]:
    """Token and seconds of life; no token when there is none."""
    document = _document(answer)
    token, life = document.get("access_token"), document.get("expires_in")
    if answer.status >= 300 or not isinstance(token, str) or not token or not token.isascii() or len(token) > 65_536:
        return "", 0.0
    if isinstance(life, str) and life.isascii() and life.isdecimal() and len(life) < 12:
        life = int(life)
    if isinstance(life, bool) or not isinstance(life, int | float) or life <= 0:
        return token, UNSAID_S
    return token, min(max(float(life), SHORTEST_S), LONGEST_S)


def _document(answer: HttpAnswer) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _said(answer: HttpAnswer) -> str:
    document = _document(answer)
    texts = [document.get(name) for name in ("error", "error_description")]
    words = ": ".join(text for text in texts if isinstance(text, str))
    return f" ({one_line(words)})" if words else ""


def date_of(answer: HttpAnswer) -> datetime | None:
    """The server's clock, as it says; None if it does not."""
    return read_date(answer.header("Date"))


def read_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return at if at.tzinfo is not None else None
