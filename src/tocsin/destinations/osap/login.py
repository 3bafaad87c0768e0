"""Three ways to log in: a key, a token that is fetched and kept, or the TLS certificate alone."""

import asyncio
import base64
import math
from urllib.parse import quote, urlencode

from tocsin.destinations.osap.answers import Token, read_token
from tocsin.destinations.osap.settings import OauthSettings, OsapSettings
from tocsin.destinations.posting import Headers, Request, Service, Verdict, by_status, status_line
from tocsin.destinations.trace import MASK
from tocsin.engine.contracts import Attempt, Clock, LinkDown
from tocsin.transports.http import HttpAnswer

EARLY_S = 30.0
"""A token is renewed so long before it ends."""
_ADVICE = {
    400: "It does not accept the request. Check oauth.client_id, oauth.client_secret, oauth.scope and oauth.send",
    401: "It does not accept oauth.client_id and oauth.client_secret",
}


class Login:
    """What each request carries. Tokens are kept until they end, and fetched once for all that wait."""

    def __init__(self, settings: OsapSettings, clock: Clock) -> None:
        self._key = settings.api_key
        self._oauth = settings.oauth
        self._clock = clock
        self._fetching = asyncio.Lock()
        self._token = ""
        self._ends = -math.inf
        tls, secrets = settings.tls.options(), _forms(settings.oauth)
        self._server = Service(settings.oauth.token_url, tls, settings.timeout, secrets) if settings.oauth else None

    async def headers(self, attempt: Attempt) -> tuple[Headers, tuple[str, ...]]:
        """The headers, and the secret in them. Raises LinkDown when no token can be had."""
        if self._key is not None:
            return [("X-API-Key", self._key.reveal())], (self._key.reveal(),)
        if self._oauth is None:
            return [], ()
        token = await self._current(attempt)
        return [("Authorization", f"Bearer {token}")], (token,)

    def shown(self) -> Headers:
        """The same for a preview, without fetching anything."""
        if self._key is not None:
            return [("X-API-Key", MASK)]
        return [("Authorization", f"Bearer {MASK}")] if self._oauth is not None else []

    def refused(self, secrets: tuple[str, ...]) -> bool:
        """The server does not take what it was given; whether it is worth asking again with another token."""
        if self._oauth is None:
            return False
        if self._token in secrets:  # another request may have fetched a new one already
            self._ends = -math.inf
        return True

    async def aclose(self) -> None:
        if self._server is not None:
            await self._server.aclose()

    async def _current(self, attempt: Attempt) -> str:
        async with self._fetching:
            if self._clock.monotonic() >= self._ends:
                token = await self._fetch(attempt)
                self._token = token.access_token
                self._ends = self._clock.monotonic() + max(token.expires_in - EARLY_S, token.expires_in / 2)
            return self._token

    async def _fetch(self, attempt: Attempt) -> Token:
        assert self._oauth is not None
        assert self._server is not None
        found: list[Token] = []

        def judge(answer: HttpAnswer, host: str) -> Verdict:
            token = read_token(answer.body) if answer.status == 200 else None
            if token is not None:
                found.append(token)
                return Verdict("delivered", hides_body=True)
            if answer.status < 300:
                return Verdict("retry", f"{host} answered {status_line(answer)} without a token", hides_body=True)
            return by_status(answer, host, self._clock.now(), _ADVICE)

        verdict = await self._server.post(token_request(self._oauth), judge, attempt)
        if not found:
            raise LinkDown(f"no token for the login: {verdict.reason}")
        return found[0]


def token_request(oauth: OauthSettings) -> Request:
    """RFC 6749, 4.4.2; name and secret as HTTP Basic (2.3.1) or in the form."""
    form = {"grant_type": "client_credentials", **({"scope": oauth.scope} if oauth.scope else {})}
    headers: Headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")]
    shown = form
    if oauth.send == "basic":
        headers.append(("Authorization", f"Basic {_basic(oauth)}"))
    else:
        shown = {**form, "client_id": oauth.client_id, "client_secret": MASK}
        form = {**shown, "client_secret": oauth.client_secret.reveal()}
    return Request(headers, urlencode(form).encode(), urlencode(shown).encode())


def _basic(oauth: OauthSettings) -> str:
    pair = f"{quote(oauth.client_id, safe='')}:{quote(oauth.client_secret.reveal(), safe='')}"
    return base64.b64encode(pair.encode()).decode()


def _forms(oauth: OauthSettings | None) -> list[str]:
    """The secret in each form in which a server could repeat it."""
    if oauth is None:
        return []
    secret = oauth.client_secret.reveal()
    return [secret, quote(secret, safe=""), urlencode({"s": secret})[2:], _basic(oauth)]
