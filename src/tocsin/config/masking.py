"""Values of the configuration as they may be shown: whatever could be a secret is masked."""

import json
import re
from typing import Any

from tocsin.config.positions import KeyPath

MASK = "***"
_SECRET_KEY = re.compile(
    r"token|passw|pwd|secret|key|hash|auth|credential|hex|text|cookie|header|database", re.IGNORECASE
)
_USER_INFO = re.compile(r"(?<=://)[^/@\s]*@")
_LONGEST = 100


def is_secret(path: KeyPath) -> bool:
    """Whether a value at this place could be a secret, judged by its keys; file names in tls tables are none."""
    keys = _innermost(path)
    if keys[-1:] == ["name"] or "tls" in keys[:-1]:
        return False
    return any(_SECRET_KEY.search(key) for key in keys)


def _innermost(path: KeyPath) -> list[str]:
    """The keys inside the nearest item of an array; an item that is a plain value counts as its array."""
    keys: list[str] = []
    for key in reversed(path):
        if isinstance(key, str):
            keys.insert(0, key)
        elif keys:
            break
    return keys


def shown(value: Any, path: KeyPath) -> str:
    """A value as TOML would have it, on one line, bounded; secrets masked, references to secrets as they are."""
    text = _written(value, path)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _written(value: Any, path: KeyPath) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {_written(item, _below(path, key, value))}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(_written(item, (*path, index)) for index, item in enumerate(value)) + "]"
    if is_secret(path):
        return MASK
    if isinstance(value, str):
        return json.dumps(_USER_INFO.sub(f"{MASK}@", value), ensure_ascii=False)
    return json.dumps(value) if isinstance(value, bool | int | float) else str(value)


def _below(path: KeyPath, key: str, table: dict[str, Any]) -> KeyPath:
    """`{ env = … }` and `{ file = … }` name where a secret is; the name itself is none."""
    return ("name",) if len(table) == 1 and key in ("env", "file") else (*path, key)


def masked(value: Any, path: KeyPath = ()) -> Any:
    """The same data with everything that could be a secret masked, for files that leave the house."""
    if isinstance(value, dict):
        return {key: masked(item, _below(path, key, value)) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item, (*path, index)) for index, item in enumerate(value)]
    if is_secret(path):
        return MASK
    if isinstance(value, str):
        return _USER_INFO.sub(f"{MASK}@", value)
    return value if isinstance(value, bool | int | float) else str(value)
