"""The line of every key in a TOML text. tomllib reads values but keeps no positions, so the text is scanned again."""

import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable

KeyPath = tuple[str | int, ...]
"""Keys and, in arrays, indexes from 0: ("destinations", 1, "hosts", 0)."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK_OR_COMMA = re.compile(r"(?:[ \t\r\n,]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})' r"|'''.*?'''(?:'{0,2})" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'", re.DOTALL
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}\n#]+")


class Positions:
    """Line numbers, from 1, of the keys, tables and array items of one text."""

    def __init__(self, lines: dict[KeyPath, int]) -> None:
        self._lines = lines

    def line(self, path: KeyPath) -> int:
        """The line of `path`, or of its nearest parent in the text; 1 when there is none."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return self._lines[path[:length]]
        return 1


def scan(text: str) -> Positions:
    """`text` must have been read by tomllib before. Raises ValueError if it is no TOML after all."""
    scanner = _Scanner(text)
    scanner.document()
    return Positions(scanner.lines)


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._starts = [0] + [match.end() for match in re.finditer("\n", text)]
        self._counts: dict[KeyPath, int] = {}
        self.lines: dict[KeyPath, int] = {}

    def document(self) -> None:
        table: KeyPath = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_BLANK)

    def _header(self) -> KeyPath:
        """`[a.b]` or `[[a.b]]`; returns the full path, with the index of the current item of every array on the way."""
        array = self._text.startswith("[[", self._at)
        line = self._line()
        self._at += 2 if array else 1
        path: KeyPath = ()
        keys = self._keys()
        self._at += 2 if array else 1
        for place, key in enumerate(keys):
            path = (*path, key)
            last = place == len(keys) - 1
            if array and last:
                self._counts[path] = self._counts.get(path, -1) + 1
            self.lines.setdefault(path, line)
            if path in self._counts:
                path = (*path, self._counts[path])
                self.lines.setdefault(path, line)
        return path

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        path = table
        for key in self._keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self._expect("=")
        self._skip(_SPACE)
        self._value(path)

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(_SPACE)
            keys.append(self._key())
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _key(self) -> str:
        if self._text[self._at : self._at + 1] in ("'", '"'):
            written = self._take(_STRING)
            return str(tomllib.loads(f"key = {written}")["key"])
        return self._take(_BARE_KEY)

    def _value(self, path: KeyPath) -> None:
        first = self._text[self._at : self._at + 1]
        if first == "{":
            self._inside("}", lambda _: self._pair(path))
        elif first == "[":
            self._inside("]", lambda index: self._item((*path, index)))
        else:
            self._take(_STRING if first in ("'", '"') else _SCALAR)

    def _item(self, path: KeyPath) -> None:
        self.lines[path] = self._line()
        self._value(path)

    def _inside(self, end: str, one: Callable[[int], None]) -> None:
        self._at += 1
        index = 0
        self._skip(_BLANK_OR_COMMA)
        while not self._text.startswith(end, self._at):
            one(index)
            index += 1
            self._skip(_BLANK_OR_COMMA)
        self._at += 1

    def _line(self) -> int:
        return bisect_right(self._starts, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _expect(self, mark: str) -> None:
        if not self._text.startswith(mark, self._at):
            raise ValueError(f"expected {mark} in line {self._line()}")
        self._at += len(mark)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"unreadable in line {self._line()}")
        self._at = match.end()
        return match.group()
