"""The wire profile as the registry's side reads it: the document alone, so that both ends may disagree about it."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from tocsin.standins.clearance.switches import Assumptions


class Paper:
    """Which operation a request means, and how its answers are written."""

    def __init__(self, text: str, tenant: str, agent: str, prefix: str) -> None:
        """`prefix` is the path of the API's base address."""
        self._document: dict[str, Any] = tomllib.loads(text)
        base = self._document["base"].removeprefix("{ApiBase}").replace("{tenant}", tenant)
        self.ops: Mapping[str, Any] = self._document["ops"]
        self._routes = [
            (name, op["method"], re.compile(_pattern(prefix + base + op["path"], agent)))
            for name, op in self.ops.items()
        ]

    def operation(self, method: str, raw_path: str) -> tuple[str, str, str, bool]:
        """Name, job, file, and whether the verb is right; no name: there is no such path."""
        for name, verb, pattern in self._routes:
            if (found := pattern.fullmatch(raw_path)) and verb == method:
                given = found.groupdict()
                return name, unquote(given.get("job") or ""), unquote(given.get("file") or ""), True
        return next(((name, "", "", False) for name, _, pattern in self._routes if pattern.fullmatch(raw_path)), _NONE)

    def words(self, operation: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """What a body says in the profile's words, and its members that nobody knows."""
        known = self.ops[operation].get("body", {})
        said = {known[name]: value for name, value in body.items() if name in known}
        return said, [name for name in body if name not in known]

    def name(self, field: str, assumptions: Assumptions) -> str:
        """How an answer spells a field."""
        spellings = self._document["fields"][field]
        chosen = {"first": 0, "second": min(1, len(spellings) - 1), "last": -1}[assumptions.spelling]
        name: str = spellings[chosen]
        return {"upper": name.upper(), "lower": name.lower()}.get(assumptions.case, name)

    def type_name(self, type_: str) -> str:
        name: str = self._document["types"][type_][0]
        return name


_NONE = ("", "", "", False)


def _pattern(path: str, agent: str) -> str:
    text = re.escape(path).replace(re.escape("{agent}"), re.escape(agent))
    return text.replace(re.escape("{job}"), "(?P<job>[^/]+)").replace(re.escape("{file}"), "(?P<file>[^/]+)")
