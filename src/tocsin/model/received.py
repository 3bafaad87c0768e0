"""A job as a registry wrote it, without what could be a secret: what else a registry sends along is not published."""

import re
from typing import Any, Final

import msgspec

HIDDEN: Final = "not shown"
_SECRET_NAME = re.compile(r"token|secret|passw|signature|apikey|api_key|credential|\bsas", re.IGNORECASE)
_SECRET_QUERY = re.compile(r"(https?://[^\s?\"]+)\?[^\s\"]+", re.IGNORECASE)


def read(received: bytes) -> Any:
    """The document, secrets hidden. Raises ValueError for what is no JSON."""
    try:
        return _cleaned(msgspec.json.decode(received))
    except RecursionError:
        raise ValueError("nested too deep") from None


def _cleaned(value: Any, name: str = "") -> Any:
    if _SECRET_NAME.search(name) and isinstance(value, str | dict | list):
        return HIDDEN
    if isinstance(value, dict):
        return {key: _cleaned(one, key) for key, one in value.items()}
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    return _SECRET_QUERY.sub(rf"\1?{HIDDEN}", value) if isinstance(value, str) else value
