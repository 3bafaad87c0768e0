"""Who may do what: bearer tokens with scopes, narrowed to areas or devices where the configuration says so."""

import hashlib
import hmac
import ipaddress
from collections import deque
from collections.abc import Callable, Mapping

from msgspec import Struct

from tocsin.api.problems import Problem
from tocsin.api.settings import Scope
from tocsin.engine.areas import AreaTree
from tocsin.model.event import Event

_PEERS_REMEMBERED = 4096
_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"})
"""Headers of which a proxy adds at least one."""
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def digest(secret: str) -> bytes:
    """What is kept of a token: its SHA-256."""
    return hashlib.sha256(secret.encode()).digest()


class Rights(Struct, frozen=True):
    """What someone may do. `areas` (with those below them) and `devices` narrow it; None: everywhere."""

    name: str
    scopes: frozenset[str]
    areas: frozenset[str] | None = None
    devices: frozenset[str] | None = None

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or "admin" in self.scopes

    @property
    def narrowed(self) -> bool:
        return self.areas is not None or self.devices is not None

    def reach(self, tree: AreaTree, area: str, device_id: str) -> bool:
        """Whether a device in an area is within what may be seen and touched."""
        in_area = self.areas is None or not self.areas.isdisjoint(tree.lineage(area))
        return in_area and (self.devices is None or device_id in self.devices)

    def see(self, tree: AreaTree, event: Event) -> bool:
        return not self.narrowed or self.reach(tree, event.place.area, event.device_id)


class Token(Rights, frozen=True, kw_only=True):
    """One `[[api.tokens]]` entry; `digest` is of the secret."""

    digest: bytes

    def __repr__(self) -> str:
        return f"Token({self.name})"


class Access(Struct, frozen=True):
    """All tokens. Without any the API serves this machine only, and then everything."""

    tokens: tuple[Token, ...] = ()

    @property
    def open(self) -> bool:
        return not self.tokens


ANYONE_HERE = Rights("api", frozenset({"admin"}))
"""Who is served on loopback while no token is configured; `api` is then the source of its events."""


def local_problem(peer: str, headers: Mapping[str, str]) -> str:
    """Why a request does not come from this machine itself; empty when it does.

    A page in a browser on this machine must not reach it either: neither under a foreign name (DNS rebinding) nor
    from a foreign origin.
    """
    if not _is_loopback(peer) or not _FORWARDED.isdisjoint(headers):
        return "this request does not come from it"
    if _host_name(headers.get("host", "")) not in _LOCAL_NAMES:
        return "this request was addressed to a name other than localhost"
    origin = headers.get("origin", "")
    if origin and origin.partition("://")[2] != headers.get("host", ""):
        return "this request comes from a page of another site"
    return ""


def _is_loopback(peer: str) -> bool:
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


class Doorkeeper:
    """Recognises tokens in constant time, and answers guesses ever less often.

    A known token always gets in: whoever guesses from the same address must not be able to hold back an alarm.
    """

    def __init__(self, access: Access, failures_per_minute: int, monotonic: Callable[[], float]) -> None:
        self.access = access
        self._failures_per_minute = failures_per_minute
        self._monotonic = monotonic
        self._failures: dict[str, deque[float]] = {}

    def admit(self, peer: str, headers: Mapping[str, str]) -> Rights:
        """The rights of a request. Raises Problem 401, 403 or 429."""
        if self.access.open:
            return _admit_locally(peer, headers)
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            raise Problem(401, "Send a token: Authorization: Bearer TOKEN.", headers={"www-authenticate": "Bearer"})
        token = self._find(digest(secret.strip()))
        if token is None:
            self._refuse_guessers(peer)
            self._note_failure(peer)
            challenge = {"www-authenticate": 'Bearer error="invalid_token"'}
            raise Problem(401, "This token is not known here. [api] tokens lists the known ones.", headers=challenge)
        return token

    def _find(self, wanted: bytes) -> Token | None:
        found = None
        for token in self.access.tokens:
            if hmac.compare_digest(token.digest, wanted):
                found = token
        return found

    def _refuse_guessers(self, peer: str) -> None:
        failures = self._failures.get(peer)
        if not failures:
            return
        since = self._monotonic() - 60
        while failures and failures[0] < since:
            failures.popleft()
        if len(failures) >= self._failures_per_minute:
            raise Problem(429, "Too many unknown tokens from this address: wait.", headers={"retry-after": "60"})

    def _note_failure(self, peer: str) -> None:
        failures = self._failures.pop(peer, None) or deque(maxlen=self._failures_per_minute)
        failures.append(self._monotonic())
        self._failures[peer] = failures
        if len(self._failures) > _PEERS_REMEMBERED:
            del self._failures[next(iter(self._failures))]


def _admit_locally(peer: str, headers: Mapping[str, str]) -> Rights:
    problem = local_problem(peer, headers)
    if problem:
        raise Problem(403, f"No token is configured, so only this machine is served, and {problem}.")
    return ANYONE_HERE


def demand(rights: Rights, scope: Scope) -> None:
    """Raises Problem 403 when the scope is lacking."""
    if not rights.may(scope):
        raise Problem(403, f"The token {rights.name} lacks the scope {scope}.")


def demand_everywhere(rights: Rights, what: str) -> None:
    """Raises Problem 403 for narrowed rights: a destination serves every area."""
    if rights.narrowed:
        raise Problem(403, f"The token {rights.name} is narrowed to areas or devices; {what} serves all of them.")
