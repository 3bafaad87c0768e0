"""What OpenAccess's answers mean (connectors.md 5.3): errors by their status, the licence by its words. Pure."""

import re
from typing import Any

import msgspec

from tocsin.engine.systems import (
    LicenceRefused,
    LoginRefused,
    Misconfigured,
    NotSupported,
    ProtocolFault,
    SystemFault,
    Unreachable,
)
from tocsin.protocols.text import one_line
from tocsin.transports.http import HttpAnswer

_LICENCE = re.compile(r"licen[cs]e|application.?id", re.IGNORECASE)
LOCKING = (
    "OnGuard locks internal accounts after 5 failures and lets their passwords expire after 90 days by default; check "
    "username, password and directory with the OnGuard administrator"
)


class Denied(ProtocolFault):
    """This user may not do or see this; the rest goes on."""


class BadRequest(ProtocolFault):
    """The server does not understand a parameter (400)."""


class SessionEnded(LoginRefused):
    """The session is not known any more, or the login is not accepted (401)."""


def members(answer: HttpAnswer, what: str) -> dict[str, Any]:
    """The JSON object of a successful answer. Raises SystemFault."""
    if answer.status == 202 or not 200 <= answer.status < 300:
        raise fault_of(answer, what)
    if not answer.complete:
        raise ProtocolFault(f"the answer to {what} is too large to be read")
    if not answer.body.strip():
        return {}
    found = _decoded(answer.body)
    if not isinstance(found, dict):
        raise ProtocolFault(f"the answer to {what} is not JSON as OpenAccess sends it; check url")
    return found


def fault_of(answer: HttpAnswer, what: str) -> SystemFault:
    """Why a request failed."""
    told = error_text(answer)
    said = f"OnGuard answered {answer.status} to {what}" + (f": {told}" if told else "")
    match answer.status:
        case 400 | 401 | 402 | 403 if _LICENCE.search(told):
            return LicenceRefused(f"{said}. Check application_id and that OnGuard is licensed for OpenAccess")
        case 400:
            return BadRequest(said)
        case 401:
            return SessionEnded(said)
        case 403:
            return Denied(f"{said}. The user's permissions or segments do not reach this")
        case 404 | 405 | 501:
            return NotSupported(said)
        case 408 | 429 | 502 | 503 | 504:
            return Unreachable(f"{said}. Is the service LS OpenAccess running?")
        case status if 300 <= status < 400:
            return Misconfigured(f"{said} and wants to send us elsewhere; check url")
    return ProtocolFault(said)


def login_fault(answer: HttpAnswer) -> SystemFault:
    """Why a login failed: what is no licence and no fault of the server's is the user or the password."""
    fault = fault_of(answer, "the login")
    if 400 <= answer.status < 404 and not isinstance(fault, LicenceRefused):
        return LoginRefused(f"{fault}. {LOCKING}")
    return fault


def error_text(answer: HttpAnswer) -> str:
    """`{"error": {"code", "message"}}` in the body, or as seen in public clients in a header; without a full stop."""
    for data in (answer.body, answer.header("error").encode()):
        found = _decoded(data)
        error = found.get("error", found) if isinstance(found, dict) else None
        if isinstance(error, dict):
            words = [str(error[name]) for name in ("code", "message") if isinstance(error.get(name), str)]
            if words:
                return one_line(": ".join(words)).rstrip(".")
    return ""


def items(body: dict[str, Any], what: str) -> list[dict[str, Any]]:
    """The rows of a listing; those of instances stand in `property_value_map`. Raises ProtocolFault."""
    rows = body.get("item_list", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ProtocolFault(f"the answer to {what} has no item_list; check url")
    found = [row.get("property_value_map", row) for row in rows]
    return [row for row in found if isinstance(row, dict)]


def number(body: dict[str, Any], name: str) -> int | None:
    """A count that an answer gives."""
    value = body.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
