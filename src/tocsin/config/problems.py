"""What is wrong in a configuration, in a form a technician can act on: file, line, key path, value, message, hint."""

import difflib
from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

from tocsin.config.positions import KeyPath


class Problem(Struct, frozen=True):
    """`path` and `value` are printable, secrets masked; `line` counts from 1. Warnings do not stop anything."""

    file: str
    line: int
    path: str
    message: str
    value: str = ""
    hint: str = ""
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        level = "warning: " if self.level == "warning" else ""
        where = f"{self.path}: " if self.path else ""
        lines = [f"{self.file}:{self.line}: {level}{where}{self.message}"]
        lines += [f"    value: {self.value}"] if self.value else []
        lines += [f"    hint:  {self.hint}"] if self.hint else []
        return "\n".join(lines)


def printed_path(path: KeyPath, data: Any) -> str:
    """`destinations[2] "arc" . hosts[1]`: items count from 1 and carry their name, id or account."""
    printed = ""
    for key in path:
        data = _step(data, key)
        if isinstance(key, int):
            printed += f"[{key + 1}]{_label(data)}"
        else:
            printed += (" . " if printed.endswith('"') else "." if printed else "") + key
    return printed


def _step(data: Any, key: str | int) -> Any:
    try:
        return data[key]
    except (KeyError, IndexError, TypeError):
        return None


def _label(item: Any) -> str:
    if not isinstance(item, dict):
        return ""
    return next((f' "{item[key]}"' for key in ("name", "id", "account") if isinstance(item.get(key), str)), "")


def did_you_mean(written: str, known: Iterable[str]) -> str:
    """A hint naming the nearest known word, else the known words."""
    words = sorted(set(known))
    lowered = {word.lower(): word for word in words}
    near = difflib.get_close_matches(written.lower(), lowered, n=1, cutoff=0.6)
    if near:
        return f'did you mean "{lowered[near[0]]}"?'
    return f"known here: {', '.join(words)}" if words else ""
