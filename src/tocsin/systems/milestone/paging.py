"""Paging that also works with a server that ignores it (connectors.md 4.4)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct

from tocsin.engine.systems import LoginRefused, SystemFault

PAGE_SIZE = 200
MOST_PAGES = 500
T = TypeVar("T")


class Listing(Struct, Generic[T], frozen=True):
    """What a listing gave, each id once. `fault` is set when it did not reach its end."""

    items: tuple[T, ...] = ()
    fault: SystemFault | None = None


async def all_pages(page: Callable[[int, int], Awaitable[Sequence[T | None]]], id_of: Callable[[T], str]) -> Listing[T]:
    """`page` fetches one by number and size; None in it is passed over. Raises LoginRefused; other faults end up in the
    listing.
    """
    seen: dict[str, T] = {}
    for number in range(MOST_PAGES):
        try:
            items = await page(number, PAGE_SIZE)
        except LoginRefused:
            raise
        except SystemFault as fault:
            return Listing(tuple(seen.values()), fault)
        fresh = {key: item for item in items if item is not None and (key := id_of(item).lower()) not in seen}
        seen |= fresh
        if len(items) != PAGE_SIZE or not fresh:
            # A short page is the last; a long one, or one that brings nothing new, comes from a server that ignores
            # `size` or `page` and has sent everything already.
            return Listing(tuple(seen.values()))
    return Listing(tuple(seen.values()), SystemFault(f"it has no end after {MOST_PAGES} pages"))


def id_written(item: dict[str, Any]) -> str:
    """The id of an item as XProtect wrote it."""
    return str(item.get("id", ""))
