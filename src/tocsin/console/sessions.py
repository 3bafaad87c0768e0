"""Sessions in a signed cookie, and the token that proves a post came from our own page."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec import Struct

COOKIE = "tocsin_session"
_LONGEST = 1000
_REVOKED_KEPT = 10_000


class Session(Struct, frozen=True, array_like=True):
    """Who (empty while the console is open to this machine), a random mark, and when it was last renewed (Unix s)."""

    name: str
    mark: str
    at: int


class Sessions:
    """`key` signs; a session ends `idle_s` after its last renewal, or when it is logged out."""

    def __init__(
        self, key: bytes, idle_s: float, now: Callable[[], datetime], random_bytes: Callable[[int], bytes]
    ) -> None:
        self._key = key
        self._idle_s = idle_s
        self._now = now
        self._random_bytes = random_bytes
        self._revoked: dict[str, None] = {}
        self._decoder = msgspec.json.Decoder(Session)

    def fresh(self, name: str) -> Session:
        return Session(name, self._random_bytes(16).hex(), self._seconds())

    def renewed(self, session: Session) -> Session:
        return Session(session.name, session.mark, self._seconds())

    def cookie(self, session: Session) -> str:
        body = base64.urlsafe_b64encode(msgspec.json.encode(session)).decode()
        return f"{body}.{self._sign('session', body)}"

    def read(self, cookie: str) -> Session | None:
        """None for anything that was not signed here, is too old or was logged out."""
        body, dot, signature = cookie.partition(".")
        if not dot or len(cookie) > _LONGEST or not cookie.isascii():
            return None
        if not hmac.compare_digest(signature, self._sign("session", body)):
            return None
        session = self._decoder.decode(base64.urlsafe_b64decode(body))
        fresh = self._seconds() - session.at <= self._idle_s
        return session if fresh and session.mark not in self._revoked else None

    def stale(self, session: Session) -> bool:
        """Whether the cookie should be renewed with this answer."""
        return self._seconds() - session.at > self._idle_s / 20

    def revoke(self, session: Session) -> None:
        self._revoked[session.mark] = None
        if len(self._revoked) > _REVOKED_KEPT:
            del self._revoked[next(iter(self._revoked))]

    def csrf(self, session: Session) -> str:
        return self._sign("csrf", session.mark)

    def is_csrf(self, session: Session, given: str) -> bool:
        return given.isascii() and hmac.compare_digest(given, self.csrf(session))

    def _sign(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()

    def _seconds(self) -> int:
        return int(self._now().timestamp())
