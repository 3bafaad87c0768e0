"""What an OSAP server's answers mean. Pure."""

from datetime import datetime
from typing import Any

import msgspec

from tocsin.destinations.posting import Verdict, by_status, status_line
from tocsin.protocols.text import one_line
from tocsin.transports.http import HttpAnswer

_ADVICE = {
    400: "It does not understand the message. Compare codes and event_schema with the site's profile",
    401: "It does not accept the login. Check api_key, oauth, or tls.cert",
    403: "It forbids it. Ask the control room what this login may do",
    404: "It knows no such service. Check urls: /v1/events is added to them",
    413: "The message is too large. Lower photos.max_bytes or photos.max_count",
    415: "It takes another media type: the server may speak another version of the draft",
}


def judged(answer: HttpAnswer, host: str, now: datetime) -> Verdict:
    """Only 202 with `accepted` true is a receipt: the draft knows no other."""
    said = _members(answer.body)
    if answer.status == 202:
        return _accepted(answer, host, said)
    if 200 <= answer.status < 300:
        return Verdict("retry", f"{host} answered {status_line(answer)} where OSAP answers 202: check urls")
    error = ": ".join(str(said[name]) for name in ("error", "message") if isinstance(said.get(name), str))
    return by_status(answer, host, now, _ADVICE, one_line(error))


def _accepted(answer: HttpAnswer, host: str, said: dict[str, Any]) -> Verdict:
    name = one_line(answer.header("OSAP-Accepted-Id") or str(said.get("id") or ""), 80)
    if said.get("accepted") is False:
        return Verdict("refused", f"{host} answered {status_line(answer)} with accepted: false")
    if said.get("accepted") is True or answer.header("OSAP-Accepted-Id"):
        return Verdict("delivered", answer=f"HTTP {status_line(answer)}" + (f", id {name}" if name else ""))
    return Verdict("retry", f"{host} answered {status_line(answer)} without saying what it accepted: check urls")


class Token(msgspec.Struct, frozen=True):
    """What a token server gives (RFC 6749, 5.1). `expires_in` in seconds."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the scheme's name
    expires_in: float = 300.0


def read_token(body: bytes) -> Token | None:
    """None when there is no token that can stand in a header."""
    try:
        token = msgspec.json.decode(body, type=Token, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    usable = token.access_token.isascii() and token.access_token.isprintable() and " " not in token.access_token
    return token if usable and token.access_token and token.token_type.lower() == "bearer" else None


def _members(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
