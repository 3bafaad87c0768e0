"""The connection file an administrator downloads: where the registry is, and the key to log in with (3.1)."""

import os
import re
import stat
import warnings
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from msgspec import Struct

from tocsin.config.fields import Secret
from tocsin.config.listening import is_loopback

_LIMIT = 1024 * 1024
_NEEDED = ("n", "e", "d")
_FACTORS = ("p", "q", "dp", "dq", "qi")
_BASE64 = re.compile(r"[A-Za-z0-9_-]+")


class ConnectionInvalid(ValueError):
    """The file cannot be used; the text says why and never what a secret in it is."""


class Connection(Struct, frozen=True):
    """`sts` and `api`: base addresses in the order they are tried. `key` signs; it cannot be printed."""

    sts: tuple[str, ...]
    api: tuple[str, ...]
    principal: str
    tenant: str
    kid: str
    key: "SigningKey"
    api_key: Secret
    encryption_disabled: bool = False

    @property
    def client_id(self) -> str:
        return f"{self.principal}@{self.tenant}"


class SigningKey:
    """The private key of the integration."""

    __slots__ = ("_key",)

    def __init__(self, key: RSAKey) -> None:
        self._key = key

    def reveal(self) -> RSAKey:
        return self._key

    def __repr__(self) -> str:
        return "SigningKey(…)"


def load_connection(file: str, allow_world_readable: bool = False) -> Connection:
    """Raises ConnectionInvalid."""
    try:
        with Path(file).open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            data = stream.read(_LIMIT + 1)
    except OSError as error:
        raise ConnectionInvalid(f"the connection file {file} cannot be read: {error.strerror}") from None
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077 and not allow_world_readable:
        raise ConnectionInvalid(
            f"the connection file {file} holds a private key and other users may read or write it: chmod 600 {file}, "
            "or say allow_world_readable = true"
        )
    if len(data) > _LIMIT:
        raise ConnectionInvalid(f"the connection file {file} is larger than 1 MiB")
    try:
        return read_connection(data)
    except ConnectionInvalid as error:
        raise ConnectionInvalid(f"the connection file {file}: {error}") from None


def read_connection(data: bytes) -> Connection:
    """Unknown members are left alone; names are compared without regard to case. Raises ConnectionInvalid."""
    try:
        document = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ConnectionInvalid("it is not JSON") from None
    if not isinstance(document, dict):
        raise ConnectionInvalid("it is not a JSON object")
    members = {name.lower(): value for name, value in document.items()}
    kid, key = _signing_key(members.get("serviceprincipalkey"))
    return Connection(
        sts=_addresses(members, "SecurityTokenServiceBaseAddresses"),
        api=_addresses(members, "ApiBaseAddresses"),
        principal=_word(members, "ServicePrincipalId"),
        tenant=_word(members, "TenantId"),
        kid=kid,
        key=key,
        api_key=Secret(_optional(members.get("apikey"))),
        encryption_disabled=members.get("disableencryption") is True,
    )


def _addresses(members: dict[str, Any], name: str) -> tuple[str, ...]:
    listed = members.get(name.lower())
    found = [one.rstrip("/") for one in (listed if isinstance(listed, list) else [listed]) if isinstance(one, str)]
    if not found:
        raise ConnectionInvalid(f"{name} is missing")
    for one in found:
        _must_be_safe(name, one)
    return tuple(found)


def _must_be_safe(name: str, address: str) -> None:
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        raise ConnectionInvalid(f"{name}: not an address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ConnectionInvalid(f"{name}: expected https://HOST/PATH")
    if parts.scheme == "http" and not is_loopback(f"{_bracketed(parts.hostname)}:{port or 80}"):
        raise ConnectionInvalid(f"{name}: {parts.hostname} without TLS would send tokens readable over the network")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _word(members: dict[str, Any], name: str) -> str:
    found = _optional(members.get(name.lower()))
    if not found or len(found) > 200 or not found.isprintable():
        raise ConnectionInvalid(f"{name} is missing or no text")
    return found


def _optional(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _signing_key(given: Any) -> tuple[str, SigningKey]:
    """As it comes it is no clean JWK: nulls, .NET's zero dates, members of other kinds of keys (3.1)."""
    if not isinstance(given, dict):
        raise ConnectionInvalid("ServicePrincipalKey is missing or no object")
    members = {name.lower(): value for name, value in given.items() if value is not None}
    if members.get("kty") != "RSA":
        raise ConnectionInvalid("ServicePrincipalKey: kty is not RSA")
    numbers = {name: _number(name, members[name]) for name in (*_NEEDED, *_FACTORS) if name in members}
    for name in _NEEDED:
        if name not in numbers:
            raise ConnectionInvalid(f"ServicePrincipalKey: {name} is missing, so it cannot sign")
    if not all(name in numbers for name in _FACTORS):
        numbers = {name: numbers[name] for name in _NEEDED}
    return _optional(members.get("kid")), SigningKey(_built(numbers))


def _built(numbers: dict[str, str]) -> RSAKey:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a key's length is the registry's choice
            key = RSAKey.import_key({"kty": "RSA", **numbers})
            key.private_key  # noqa: B018 - built only when asked for, and it may be refused then
    except (JoseError, ValueError, TypeError):
        raise ConnectionInvalid("ServicePrincipalKey: its numbers are no RSA key") from None
    return key


def _number(name: str, value: Any) -> str:
    """base64url without padding, from that or from standard base64."""
    text = value.replace("+", "-").replace("/", "_").rstrip("=") if isinstance(value, str) else ""
    if not _BASE64.fullmatch(text) or len(text) > 4096:
        raise ConnectionInvalid(f"ServicePrincipalKey: {name} is not base64")
    return text
