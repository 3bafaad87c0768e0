"""Shared access signatures of blob storage: made and checked by the published string that is signed (service SAS,
versions from 2020-12-06 on). Pure.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote

SIGNED_VERSION = "2021-08-06"
_SIGNED = ("sp", "st", "se", "", "si", "sip", "spr", "sv", "sr", "", "ses", "rscc", "rscd", "rsce", "rscl", "rsct")
"""The query's parts in the order in which they are signed; the first gap is the resource, the second a snapshot."""
_TIME = "%Y-%m-%dT%H:%M:%SZ"

Refusal = Literal["", "AuthenticationFailed", "AuthorizationPermissionMismatch"]


def permission(account: str, path: str, key: bytes, rights: str, until: datetime) -> str:
    """The query of an address for the blob at `path`, `container/name`."""
    values = {"sp": rights, "se": until.astimezone(UTC).strftime(_TIME), "sv": SIGNED_VERSION, "sr": "b"}
    values["sig"] = _signature(account, path, key, values)
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items())


def _signature(account: str, path: str, key: bytes, values: Mapping[str, str]) -> str:
    lines = [values.get(name, "") if name else "" for name in _SIGNED]
    lines[3] = f"/blob/{account}/{path}"
    digest = hmac.digest(key, "\n".join(lines).encode(), hashlib.sha256)
    return base64.b64encode(digest).decode()


def refusal(account: str, path: str, key: bytes, values: Mapping[str, str], any_of: str, now: datetime) -> Refusal:
    """Why a request with this query may not do what asks for one of these rights; empty: it may."""
    signed = _signature(account, path, key, values)
    if not hmac.compare_digest(signed.encode(), values.get("sig", "").encode("utf-8", "replace")):
        return "AuthenticationFailed"
    if (
        values.get("sr") != "b"
        or now >= _instant(values.get("se", ""), now)
        or now < _instant(values.get("st", ""), now)
    ):
        return "AuthenticationFailed"
    return "" if set(any_of) & set(values.get("sp", "")) else "AuthorizationPermissionMismatch"


def _instant(text: str, otherwise: datetime) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return otherwise
    return found.replace(tzinfo=found.tzinfo or UTC)
