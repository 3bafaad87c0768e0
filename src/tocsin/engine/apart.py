"""Long pure work, done where it holds up no alarm: in a thread as the gateway runs, at once in the simulation."""

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Apart(Protocol):
    """Carries out work that touches nothing others change meanwhile."""

    async def __call__(self, work: Callable[[], T], /) -> T: ...


async def at_once(work: Callable[[], T], /) -> T:
    """Without a thread."""
    return work()
