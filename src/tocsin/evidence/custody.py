"""The custody log read and checked (clearance.md 14): every line carries the SHA-256 of the line before, so nothing
within it can be changed, left out or put in unseen. Pure.

What a chain alone cannot show is that its newest lines were cut off: compare the last digest with one noted elsewhere.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

BEFORE_THE_FIRST = "0" * 64
_LONGEST_LINE = 1024 * 1024
_MOST_FAULTS = 100


class Line(Struct, frozen=True):
    """One line as it was read: `text` without its line end, `document` what it says."""

    text: str
    document: dict[str, Any]
    number: int
    previous: str

    @property
    def sha256(self) -> str:
        return digest_of(self.text)

    def says(self, name: str) -> str:
        value = self.document.get(name, "")
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()


class NoLine(ValueError):
    """Not a line of a custody log; the text says why."""


class Verdict(Struct, frozen=True):
    """`faults` says line by line what is wrong, at most a hundred; empty: the chain is unbroken. `first` above 1: what
    was before has been removed, as retention does, and cannot be checked.
    """

    lines: int = 0
    first: int = 0
    last: int = 0
    last_sha256: str = ""
    faults: tuple[str, ...] = ()


class FileFacts(Struct, frozen=True):
    """Of a delivered file, or of the blob it was stored as."""

    size: int
    sha256: str


def digest_of(text: str) -> str:
    """Over the line without its line end, as UTF-8."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_line(text: str) -> Line:
    """Raises NoLine."""
    if len(text) > _LONGEST_LINE:
        raise NoLine("it is too long")
    try:
        document = msgspec.json.decode(text.encode("utf-8"), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError, UnicodeDecodeError, RecursionError) as error:
        raise NoLine(f"it is not JSON: {error}") from None
    number, previous = document.get("number"), document.get("previous")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1 or not isinstance(previous, str):
        raise NoLine("it has no number, or does not say what the line before was")
    return Line(text, document, number, previous)


def lines_of(texts: Iterable[str]) -> Iterator[Line | NoLine]:
    """Each line, or why it is none; empty lines are passed over."""
    for text in texts:
        if stripped := text.rstrip("\r\n"):
            try:
                yield read_line(stripped)
            except NoLine as error:
                yield error


def verify(lines: Iterable[Line | NoLine], last_sha256: str = "") -> Verdict:
    """Check a chain, oldest line first. `last_sha256`: what the last line's digest must be, if that is known."""
    checking = _Checking()
    for line in lines:
        checking.take(line)
    if last_sha256 and last_sha256.lower() != checking.last_sha256:
        checking.fault("the last line is not the one that was noted: lines are missing at the end, or were changed")
    return Verdict(
        checking.count, checking.first, checking.number, checking.last_sha256, tuple(checking.faults[:_MOST_FAULTS])
    )


class _Checking:
    def __init__(self) -> None:
        self.count = 0
        self.first = 0
        self.number = 0
        self.last_sha256 = ""
        self.faults: list[str] = []
        self._agent: object = None

    def take(self, line: Line | NoLine) -> None:
        self.count += 1
        if isinstance(line, NoLine):
            return self.fault(f"line {self.count} of the file cannot be read: {line}")
        if self.number:
            self._follows(line)
        else:
            self.first, self._agent = line.number, line.document.get("agent")
            if line.number == 1 and line.previous != BEFORE_THE_FIRST:
                self.fault("line 1 says that there was one before it")
        self.number, self.last_sha256 = line.number, line.sha256
        return None

    def _follows(self, line: Line) -> None:
        if line.number != self.number + 1:
            self.fault(f"line {line.number} follows line {self.number}: lines are missing, or out of order")
        elif line.previous != self.last_sha256:
            self.fault(f"line {line.number} does not follow from line {self.number}: one of them was changed")
        if line.document.get("agent") != self._agent:
            self.fault(f"line {line.number} is of another agent")

    def fault(self, text: str) -> None:
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(text)


def about(lines: Iterable[Line], file: FileFacts) -> list[Line]:
    """The lines that speak of this file: by digest and size of its content, or of its cipher text."""
    return [line for line in lines if _is_of(line.document, file)]


def _is_of(document: dict[str, Any], file: FileFacts) -> bool:
    names = (("sha256", "size"), ("cipher_sha256", "cipher_size"))
    known = ((document.get(digest), document.get(size)) for digest, size in names)
    return any(digest == file.sha256 and size in (None, file.size) for digest, size in known)
