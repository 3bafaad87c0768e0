"""Who asks: HTTP Basic, compared in constant time; and not more than three requests of one user at once."""

import base64
import binascii
import hashlib
import hmac
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec import Struct

from tocsin.api.access import Rights
from tocsin.api.control.lockouts import Lockouts, neighbourhood
from tocsin.api.control.settings import Allowed
from tocsin.telemetry.occurrences import Trouble
from tocsin.telemetry.record import Recorder

MOST_AT_ONCE = 3
"""stations.md 12.1."""
_LONGEST_LOGIN = 1024


class Refusal(Exception):
    """An answer other than success: its status and its body, plain text."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = dict(headers or {})


def unauthorized() -> Refusal:
    """Wrong credentials, or not allowed: the same answer (stations.md 12.1)."""
    return Refusal(401, "Unauthorized", {"www-authenticate": 'Basic realm="control", charset="UTF-8"'})


def too_many(retry_after_s: float) -> Refusal:
    return Refusal(429, "Too Many Requests", {"retry-after": str(math.ceil(retry_after_s))})


class StationUser(Struct, frozen=True):
    """One `[[control.users]]` entry. `rights.name` is what the audit shows: `control:` and the name."""

    name: str
    password_digest: bytes
    rights: Rights
    allow: frozenset[Allowed]
    get_orders: bool = False

    def __repr__(self) -> str:
        return f"StationUser({self.name})"


def digest(text: str) -> bytes:
    """Of equal length for all, so that a comparison takes the same time for all."""
    return hashlib.sha256(text.encode()).digest()


class Keeper:
    """Recognises users."""

    def __init__(self, users: Sequence[StationUser], monotonic: Callable[[], float], record: Recorder) -> None:
        self._users = {user.name: user for user in users}
        self._lockouts = Lockouts(monotonic)
        self._record = record
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def admitted(self, peer: str, headers: Mapping[str, str]) -> Iterator[StationUser]:
        """The user, while the request lasts. Raises Refusal 401, 429."""
        user = self._recognised(peer, headers.get("authorization", ""))
        if self._under_way[user.name] >= MOST_AT_ONCE:
            raise too_many(1)
        self._under_way[user.name] += 1
        try:
            yield user
        finally:
            self._under_way[user.name] -= 1

    def _recognised(self, peer: str, authorization: str) -> StationUser:
        given = _basic(authorization)
        if given is None:
            raise unauthorized()
        name, password = given
        known = self._users.get(name)
        right = hmac.compare_digest(known.password_digest if known else bytes(32), digest(password))
        key = (name if known else "", neighbourhood(peer))
        wait_s = self._lockouts.wait_s(key)
        if wait_s:
            raise too_many(wait_s)
        if known is None or not right:
            self._failed(key, peer)
            raise unauthorized()
        self._lockouts.succeeded(key)
        return known

    def _failed(self, key: tuple[str, str], peer: str) -> None:
        wait_s = self._lockouts.failed(key)
        if wait_s:
            who = f'"{key[0]}"' if key[0] else "an unknown user"
            words = f"login of {who} from {peer} failed again and again: not looked at for {wait_s:g} s"
            self._record(Trouble("control", words))


def _basic(authorization: str) -> tuple[str, str] | None:
    """User and password (RFC 7617, UTF-8)."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic" or len(encoded) > _LONGEST_LOGIN:
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    return (name, password) if colon else None
