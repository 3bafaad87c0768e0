"""Running numbers, given out from blocks that the store reserved for ever: a restart never gives one twice."""

from collections import deque
from collections.abc import Iterator

from tocsin.store.contract import Store

BLOCK = 100
LARGEST_BLOCK = 1000
"""A counter that used up its block gets one twice as large: reserving waits for the disk."""


class Numbers:
    """Numbers of many counters. A crash skips the rest of a block; gaps are no error (dc09.md 5)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._blocks: dict[str, deque[Iterator[int]]] = {}
        self._sizes: dict[str, int] = {}

    def at_hand(self, scope: str) -> int:
        """The next number of a counter if one is reserved, else 0."""
        blocks = self._blocks.get(scope)
        while blocks:
            number = next(blocks[0], 0)
            if number:
                return number
            blocks.popleft()
        return 0

    async def take(self, scope: str) -> int:
        """The next number of a counter, from 1. Raises StoreUnavailable."""
        number = self.at_hand(scope)
        while not number:
            size = self._sizes.get(scope, BLOCK)
            first = await self._store.reserve(scope, size)
            self._sizes[scope] = min(2 * size, LARGEST_BLOCK)
            self._blocks.setdefault(scope, deque()).append(iter(range(first, first + size)))
            number = self.at_hand(scope)
        return number
