"""How a value is made safe for the kind of message it lands in. Pure; no value can make it fail."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Literal

Escape = Literal["text", "line", "xml", "json", "none"]
"""text: many lines. line: one line of a message, a header, a file name. json: within a string's quotes."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_NO_XML = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffe\uffff]")
_XML = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}


class Ready(str):
    """Text that is already as the message wants it."""

    __slots__ = ()


def plain(value: object) -> str:
    """A value as text: true and false in small letters, times as ISO 8601 with their offset, lists with commas."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, list):
        return ", ".join(plain(item) for item in value)
    if isinstance(value, Mapping):
        return plain(value.get("name", ""))
    return "" if value is None else str(value)


def literal(value: object) -> Ready:
    """A whole JSON value, strings with their quotes."""
    if isinstance(value, Ready):
        return value
    if isinstance(value, list):
        return Ready("[" + ", ".join(literal(item) for item in value) + "]")
    if isinstance(value, bool | int | float):
        return Ready(plain(value))
    return Ready(f'"{_json(plain(value))}"')


def one_line(text: str) -> str:
    """Nothing in it can end a line: CR, LF, NUL and other control characters become blanks."""
    return _CONTROL.sub(" ", text)


def _lines(text: str) -> str:
    return _CONTROL_BUT_LINES.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))


def _xml(text: str) -> str:
    return re.sub("[&<>\"']", lambda found: _XML[found[0]], _NO_XML.sub(" ", text))


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _by(clean: Callable[[str], str]) -> Callable[[object], str]:
    return lambda value: value if isinstance(value, Ready) else clean(plain(value))


ESCAPES: Mapping[str, Callable[[Any], str]] = {
    "text": _by(_lines),
    "line": _by(one_line),
    "xml": _by(_xml),
    "json": _by(_json),
    "none": plain,
}
