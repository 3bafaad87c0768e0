"""Decoding times for pictures that come in decoding order with the times at which they are shown. Pure."""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import TypeVar

WINDOW = 90
"""Pictures that are looked at ahead; no coder reorders over so many."""
Unit = TypeVar("Unit")


def with_decoding_times(
    units: Iterable[Unit], shown: Callable[[Unit], int | None], window: int = WINDOW
) -> Iterator[tuple[Unit, int | None]]:
    """The n-th picture is decoded at the n-th smallest time shown, earlier by as much as pictures are reordered; never
    later than it is shown, never earlier than the one before. Units without a time shown pass as they are.
    """
    rest = iter(units)
    held = deque(islice(rest, window))
    waiting = [at for unit in held if (at := shown(unit)) is not None]
    delay = _delay(waiting)
    heapq.heapify(waiting)
    last: int | None = None
    for unit in chain(rest, [None] * len(held)):
        if unit is not None:
            held.append(unit)
            if (at := shown(unit)) is not None:
                heapq.heappush(waiting, at)
        first = held.popleft()
        if (at := shown(first)) is None:
            yield first, None
            continue
        found = min(heapq.heappop(waiting) - delay, at)
        last = found if last is None else max(found, last)
        yield first, last


def _delay(shown: list[int]) -> int:
    return max((in_order - at for in_order, at in zip(sorted(shown), shown, strict=True)), default=0)
