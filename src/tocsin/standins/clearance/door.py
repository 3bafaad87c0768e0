"""The token service: verifies assertions and gives bearer tokens (clearance.md 4)."""

import secrets
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from tocsin.standins.clearance.keys import SIGNING_KEY_ID, Integration

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS512")
SLACK_S = 60.0
LONGEST_S = 3600.0


class Door:
    """`life_s` of tokens; `address` is known once it listens."""

    def __init__(self, integration: Integration, now: Callable[[], datetime], life_s: float) -> None:
        self._integration = integration
        self._now = now
        self._life_s = life_s
        self._key = RSAKey.import_key(integration.signing.public_key())
        self._tokens: dict[str, float] = {}
        self._seen: set[str] = set()
        self.address = ""
        self.refuse = ""
        """An error to give to everybody."""

    def revoke(self) -> None:
        """No token given so far is good any more."""
        self._tokens.clear()

    def admits(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        return scheme == "Bearer" and self._tokens.get(token, 0.0) > self._now().timestamp()

    def configuration(self) -> web.Response:
        """/.well-known/openid-configuration."""
        return web.json_response({
            "issuer": self.address,
            "token_endpoint": f"{self.address}/token",
            "grant_types_supported": [GRANT],
            "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        })  # fmt: skip

    def token(self, content_type: str, body: bytes) -> tuple[web.Response, str]:
        """The answer, and why it is a refusal."""
        problem = self.refuse or self._problem(content_type, body)
        if problem:
            refused = {"error": "invalid_grant", "error_description": problem}
            return web.json_response(refused, status=400), problem
        token = secrets.token_urlsafe(24)
        self._tokens[token] = self._now().timestamp() + self._life_s
        given = {"access_token": token, "expires_in": int(self._life_s), "token_type": "Bearer"}
        return web.json_response(given), ""

    def _problem(self, content_type: str, body: bytes) -> str:
        if content_type != "application/x-www-form-urlencoded":
            return "not a form"
        given = dict(parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True))
        if set(given) != {"client_id", "grant_type", "assertion"}:
            return f"expected client_id, grant_type and assertion, not {', '.join(sorted(given))}"
        if given["grant_type"] != GRANT:
            return "unknown grant_type"
        if given["client_id"] != self._integration.client_id:
            return "unknown client_id"
        return self._of_assertion(given["assertion"])

    def _of_assertion(self, assertion: str) -> str:
        try:
            token = jwt.decode(assertion, self._key, algorithms=list(ALGORITHMS))
        except (JoseError, ValueError) as error:
            return f"the assertion's signature is not good: {error}"
        if token.header.get("kid") != SIGNING_KEY_ID or token.header.get("typ") != "JWT":
            return "the assertion's header names another key, or is no JWT's"
        return self._of_claims(token.claims)

    def _of_claims(self, claims: dict[str, Any]) -> str:
        now = self._now().timestamp()
        if claims.get("iss") != self._integration.client_id or claims.get("sub") != self._integration.client_id:
            return "iss or sub is not the client"
        if claims.get("aud") != f"{self.address}/token":
            return f"aud is {claims.get('aud')}, not the token address"
        iat, nbf, exp = (claims.get(name) for name in ("iat", "nbf", "exp"))
        if not isinstance(iat, int) or not isinstance(nbf, int) or not isinstance(exp, int):
            return "iat, nbf and exp are numbers"
        if not (iat - SLACK_S <= now and nbf - SLACK_S <= now < exp <= iat + LONGEST_S + SLACK_S):
            return "the assertion is not valid now"
        if not isinstance(claims.get("jti"), str) or claims["jti"] in self._seen:
            return "jti is missing or was used before"
        self._seen.add(claims["jti"])
        return ""
