"""Running numbers, given out from blocks that the store reserved for ever: a restart never gives one twice."""

from collections import deque

from tocsin.store.contract import Store

BLOCK = 100


class Numbers:
    """Numbers of many counters. A crash skips the rest of a block; gaps are no error (dc09.md 5)."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._blocks: dict[str, deque[range]] = {}

    async def take(self, scope: str) -> int:
        """The next number of a counter, from 1. Raises StoreUnavailable."""
        blocks = self._blocks.setdefault(scope, deque())
        if not blocks:
            first = await self._store.reserve(scope, BLOCK)
            blocks.append(range(first, first + BLOCK))
        block = blocks.popleft()
        if len(block) > 1:
            blocks.appendleft(block[1:])
        return block[0]
