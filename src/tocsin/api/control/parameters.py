"""Parameters of an order: from the query, from a form or from JSON, whatever the station can send. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from tocsin.model.command import Order

KNOWN: Mapping[Order, tuple[str, ...]] = {
    "siren": ("audio", "duration_s"),
    "stop_siren": (),
    "arm": (),
    "disarm": ("duration_s", "no_time_limit"),
}
_MOST_FIELDS = 20
_LONGEST_AUDIO = 100
_YES_OR_NO = {"true": True, "1": True, "false": False, "0": False}


class BadParameter(ValueError):
    """What is wrong with which parameter."""


class Parameters(Struct, frozen=True):
    audio: str = ""
    duration_s: int | None = None
    no_time_limit: bool = False


def read(order: Order, query: str, content_type: str, body: bytes) -> Parameters:
    """Raises BadParameter."""
    given: dict[str, Any] = {}
    for name, value in (*_fields(query), *_of_body(content_type, body)):
        if name not in KNOWN[order]:
            raise BadParameter(f"{name[:60]!r} is no parameter here; known: {', '.join(KNOWN[order]) or 'none'}")
        if name in given:
            raise BadParameter(f"{name} is given twice")
        given[name] = value
    return Parameters(
        _audio(given.get("audio", "")), _seconds(given.get("duration_s")), _flag(given.get("no_time_limit", False))
    )


def _fields(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise BadParameter("the parameters cannot be read") from None


def _of_body(content_type: str, body: bytes) -> Iterable[tuple[str, Any]]:
    if not body.strip():
        return ()
    if content_type == "application/x-www-form-urlencoded" and not body.lstrip().startswith(b"{"):
        return _fields(body.decode("latin-1"))
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BadParameter("the body is neither a JSON object nor a form") from None
    if not isinstance(found, dict):
        raise BadParameter("the body is no JSON object")
    return found.items()


def _audio(given: Any) -> str:
    """A name or a number."""
    text = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    if not isinstance(text, str) or len(text) > _LONGEST_AUDIO or not (text.isprintable() or not text):
        raise BadParameter(f"audio must be a name or a number of at most {_LONGEST_AUDIO} characters")
    return text


def _seconds(given: Any) -> int | None:
    if given is None:
        return None
    if isinstance(given, str) and given.isascii() and given.isdigit() and len(given) <= 9:
        return int(given)
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    raise BadParameter("duration_s must be a whole number of seconds")


def _flag(given: Any) -> bool:
    if isinstance(given, bool):
        return given
    if isinstance(given, str) and given.lower() in _YES_OR_NO:
        return _YES_OR_NO[given.lower()]
    raise BadParameter("no_time_limit must be true or false")
