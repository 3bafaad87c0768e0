"""File names of pictures, from a template; safe wherever they land. Pure."""

import re

from tocsin.destinations.filters import ascii_text
from tocsin.destinations.templates import Template, TemplateProblem, compiled
from tocsin.destinations.words import words
from tocsin.model.event import Address, Event

NAME_KEYS = frozenset({"n"})
USUAL_NAME = compiled(
    '{{ ts|time("%Y%m%d_%H%M%S") }}_{% if zone %}{{ zone }}_{% endif %}{{ n|pad(2) }}', "line", "name", NAME_KEYS
)
_LONGEST = 100
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_SUFFIX = re.compile(r"\.(?:jpe?g|avi)\Z", re.IGNORECASE)


class Names:
    """The names of one event's files: ASCII, one part of a path on every system, none twice."""

    def __init__(self, template: Template | None, event: Event, zone: str, address: Address | None) -> None:
        self._template = template or USUAL_NAME
        self._words = words(event, address, "", "", 0, zone)
        self._taken: set[str] = set()

    def of(self, n: int, suffix: str) -> str:
        """`n` counts photos from 1; `suffix` is `.jpg` or `.avi`, whatever the template ends with."""
        made = _SUFFIX.sub("", self._made(n).strip())
        stem = _UNSAFE.sub("_", ascii_text(made)).strip("._-")[:_LONGEST] or f"photo_{n:02}"
        name, again = stem, 1
        while (name + suffix).lower() in self._taken:
            again += 1
            name = f"{stem}_{again}"
        self._taken.add((name + suffix).lower())
        return name + suffix

    def _made(self, n: int) -> str:
        """Empty when it would be too long for any file system: a name never costs an alarm."""
        try:
            return self._template.render({**self._words, "n": n})
        except TemplateProblem:
            return ""
