"""Whole listings, page by page, and whether they can be trusted (connectors.md 2.2, 5.4)."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec import Struct

from tocsin.engine.systems import ProtocolFault, Unreachable
from tocsin.systems.onguard.answers import items, number

PAGE_SIZE = 100
MOST_PAGES = 10_000
PAUSES_S = (0.3, 1.0)
"""Before the second and the third try of a page."""
_NUMBER = re.compile(r"-?\d{1,19}\Z", re.ASCII)
Row = dict[str, Any]
Page = Callable[[int, int], Awaitable[dict[str, Any]]]
"""Number, from 1, and size, to the answer."""


class Listing(Struct, frozen=True):
    """Each row once, in the order they came; `problem` says why the listing is not complete."""

    rows: tuple[Row, ...] = ()
    problem: str = ""


async def all_pages(what: str, keys: Sequence[str], page: Page) -> Listing:
    """Every row, told apart by `keys`. Raises SystemFault if not even the first page can be read."""
    found = _Rows(what, keys)
    for n in range(1, MOST_PAGES + 1):
        try:
            body = await _patiently(page, n)
        except (Unreachable, ProtocolFault) as fault:
            if n == 1:
                raise
            return found.listing(f"{what}: page {n} could not be read: {fault}")
        if not found.add(items(body, what)) or n >= (number(body, "total_pages") or 1):
            return found.listing(found.verdict(number(body, "total_items")))
    return found.listing(f"{what}: it has no end after {MOST_PAGES} pages")


async def _patiently(page: Page, n: int) -> dict[str, Any]:
    for pause_s in PAUSES_S:
        try:
            return await page(n, PAGE_SIZE)
        except Unreachable:
            await asyncio.sleep(pause_s)
    return await page(n, PAGE_SIZE)


class _Rows:
    def __init__(self, what: str, keys: Sequence[str]) -> None:
        self._what = what
        self._keys = keys
        self._by_key: dict[str, Row] = {}
        self._twice: set[str] = set()
        self._without_key = 0

    def add(self, rows: Sequence[Row]) -> int:
        """How many were new: a server that ignores page numbers brings the same ones again."""
        before = len(self._by_key)
        for row in rows:
            key = key_of(row, self._keys)
            if not key:
                self._without_key += 1
            elif self._by_key.setdefault(key, row) != row:
                self._twice.add(key)
        return len(self._by_key) - before

    def verdict(self, total: int | None) -> str:
        """Why the listing is not complete; empty if it is."""
        if self._twice:
            return f"{self._what}: {', '.join(sorted(self._twice)[:5])} came twice with different contents; left out"
        if self._without_key:
            return f"{self._what}: {self._without_key} rows have no usable {', '.join(self._keys)}"
        if total is not None and total != len(self._by_key):
            return f"{self._what}: {len(self._by_key)} rows came of the {total} that OnGuard counts"
        return ""

    def listing(self, problem: str) -> Listing:
        return Listing(tuple(row for key, row in self._by_key.items() if key not in self._twice), problem)


def key_of(row: Row, keys: Sequence[str]) -> str:
    """The native key: the numbers joined by `-` (connectors.md 1.4); empty if one is missing."""
    values = [str(value) for name in keys if not isinstance(value := row.get(name), bool)]
    whole = [value for value in values if _NUMBER.match(value)]
    return "-".join(whole) if keys and len(whole) == len(keys) else ""
