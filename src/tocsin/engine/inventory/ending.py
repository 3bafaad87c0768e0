"""Reading what a connector yields, to a proper end."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

T = TypeVar("T")


@contextlib.asynccontextmanager
async def ending(found: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Ends a connector's generator with the block: what it holds open is not left to the garbage collector."""
    try:
        yield found
    finally:
        if isinstance(found, AsyncGenerator):
            await found.aclose()
