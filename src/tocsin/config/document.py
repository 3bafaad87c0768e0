"""Reading a configuration file: TOML with the line of every key, or the one problem that makes it unreadable."""

import re
import tomllib
from pathlib import Path
from typing import Any

from tocsin.config.masking import shown
from tocsin.config.positions import KeyPath, Positions, scan
from tocsin.config.problems import Problem, printed_path

_LARGEST = 8 * 1024 * 1024
_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_LEADING_ZERO = re.compile(r"=\s*[\[{]?.*?(?<![\w\"'.:-])(0\d+)(?![\w\"'.:-])")
_NO_COMMA = re.compile(r"\[[^\]#]*\"\s+\"")
_CURLY = re.compile(r"=[^\"'#]*[“”„‘’]")
_UNQUOTED = re.compile(r"=\s*[A-Za-z][^\"'\[{]*$")


class Unreadable(Exception):
    """The file cannot be read as TOML; carries the problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Document:
    """One configuration file as written. `folder` is what its relative paths are relative to."""

    def __init__(self, file: Path, data: dict[str, Any], positions: Positions) -> None:
        self.file = file
        self.folder = file.resolve().parent
        self.data = data
        self._positions = positions

    def problem(self, path: KeyPath, message: str, hint: str = "", *, value: Any = None, warn: bool = False) -> Problem:
        """A problem at a key path; `value` is shown masked, None shows nothing."""
        return Problem(
            file=str(self.file),
            line=self._positions.line(path),
            path=printed_path(path, self.data),
            message=message,
            value="" if value is None else shown(value, path),
            hint=hint,
            level="warning" if warn else "error",
        )


def read(file: Path) -> Document:
    """Raises Unreadable."""
    text = _text(file)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Unreadable(_syntax(file, text, str(error))) from None
    except RecursionError:
        raise Unreadable(Problem(str(file), 1, "", "nested too deeply to be a configuration")) from None
    return Document(file, data, scan(text))


def _text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            raw = stream.read(_LARGEST + 1)
    except OSError as error:
        hint = "`tocsin init` writes one to start from; -c FILE names another" if not file.exists() else ""
        raise Unreadable(Problem(str(file), 1, "", f"cannot be read: {error.strerror}", hint=hint)) from None
    if len(raw) > _LARGEST:
        raise Unreadable(Problem(str(file), 1, "", "larger than 8 MiB: no configuration is that long"))
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"byte {raw[error.start]:#04x} is not UTF-8 text"
        raise Unreadable(Problem(str(file), line, "", message, hint="save the file as UTF-8")) from None


def _syntax(file: Path, text: str, error: str) -> Problem:
    place = _PLACE.search(error)
    lines = text.split("\n")
    line = int(place.group(1)) if place and place.group(1) else len(lines)
    written = lines[line - 1] if line <= len(lines) else ""
    message = f"not readable as TOML: {_PLACE.sub('', error)}"
    if place and place.group(2):
        message += f" (column {place.group(2)})"
    return Problem(str(file), line, "", message, hint=_syntax_hint(error, written))


def _syntax_hint(error: str, written: str) -> str:
    zero = _LEADING_ZERO.search(written)
    if zero:
        return f'a number with leading zeros goes in quotes: "{zero.group(1)}"'
    if "\\" in written and ("escape" in error.lower() or "hex" in error.lower()):
        return (
            "a backslash in double quotes starts an escape: write the text in 'single quotes' or double each backslash"
        )
    if "overwrite" in error or "twice" in error or "already" in error:
        return "this key or table is already there further up: keep one; a second of its kind is written [[…]]"
    if _NO_COMMA.search(written):
        return "a comma goes between the items of a list"
    if _CURLY.search(written):
        return 'quotes are straight: "…"; those of a word processor are not read'
    if written.count("{") > written.count("}"):
        return "a table in braces { … } stays on one line and has no comma before its closing brace"
    if _UNQUOTED.search(written):
        return 'text goes in quotes: name = "north"; true and false are written small'
    return ""
