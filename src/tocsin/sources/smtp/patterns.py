"""Patterns for subjects, lines and addresses: literal text, `*` for anything, `{device}` for a part to keep. Pure.

Matching is linear in the length of the text: what comes from outside cannot make it slow.
"""

import re
from typing import Literal, get_args

from msgspec import Struct

Part = Literal["device", "zone", "text"]
PARTS: frozenset[str] = frozenset(get_args(Part))
_HOLE = re.compile(r"\*|\{([^{}]*)\}")


class Pattern(Struct, frozen=True):
    """`literals` has one entry more than `holes`; an empty name is a `*`."""

    literals: tuple[str, ...]
    holes: tuple[str, ...]


def compiled(text: str) -> Pattern:
    """Raises ValueError with what is wrong, for a technician."""
    literals: list[str] = []
    holes: list[str] = []
    place = 0
    for found in _HOLE.finditer(text):
        if found[1] is not None and found[1] not in PARTS:
            raise ValueError(f"{found[0]} is no part of a mail that can be kept; known are {', '.join(sorted(PARTS))}")
        if holes and found.start() == place:
            raise ValueError(f"between two open places of {text!r} there must be some text, to tell them apart")
        literals.append(text[place : found.start()].lower())
        holes.append(found[1] or "")
        place = found.end()
    named = [hole for hole in holes if hole]
    if len(set(named)) != len(named):
        raise ValueError(f"{text!r} names the same part twice")
    return Pattern((*literals, text[place:].lower()), tuple(holes))


class Lines:
    """The lines of a mail's text. Each pattern is looked for once, however many rules and recipients ask, and only
    where the longest of its literal parts stands in the text at all.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._lowered = text.lower()
        self._lines: list[str] = []
        self._found: dict[Pattern, dict[str, str] | None] = {}

    def first(self, pattern: Pattern) -> dict[str, str] | None:
        """What the first line that fits keeps; None if none does."""
        if pattern not in self._found:
            self._found[pattern] = self._looked_for(pattern)
        return self._found[pattern]

    def _looked_for(self, pattern: Pattern) -> dict[str, str] | None:
        longest = max(pattern.literals, key=len)
        if longest not in self._lowered and longest not in self._text:
            return None
        self._lines = self._lines or [line.strip() for line in self._text.split("\n")]
        return next((kept for line in self._lines if (kept := matched(pattern, line)) is not None), None)


def matched(pattern: Pattern, text: str) -> dict[str, str] | None:
    """The kept parts if the whole text fits, letters of either case; None if it does not."""
    lowered = text.lower()
    if len(lowered) != len(text):  # letters whose other case is longer would shift the places
        lowered = text
    first, *between = pattern.literals
    if not lowered.startswith(first):
        return None
    kept: dict[str, str] = {}
    place = len(first)
    for n, literal in enumerate(between):
        last = n == len(between) - 1
        at = len(lowered) - len(literal) if last else lowered.find(literal, place)
        if at < place or not lowered.startswith(literal, at):
            return None
        if pattern.holes[n]:
            kept[pattern.holes[n]] = text[place:at].strip()
        place = at + len(literal)
    return kept if place == len(text) else None
