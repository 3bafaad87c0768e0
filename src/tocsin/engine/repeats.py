"""Who said the same thing a moment ago: repeats of sources that give their events no id (dc09.md 13.3)."""

import asyncio
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import NamedTuple

from tocsin.engine.contracts import Taken

MOST = 200_000
REACH = timedelta(minutes=15)
"""The longest window a source may ask for."""


class _Said(NamedTuple):
    at: datetime
    taken: "asyncio.Future[Taken]"


class Repeats:
    """Remembers keys for as long as anybody's window may reach; bounded, the oldest go first."""

    def __init__(self) -> None:
        self._said: OrderedDict[bytes, _Said] = OrderedDict()

    def earlier(self, key: bytes, window_s: float, now: datetime) -> "asyncio.Future[Taken] | None":
        """The answer to the same key within the window, perhaps still under way."""
        said = self._said.get(key)
        if said is None or abs(now - said.at) > timedelta(seconds=window_s):  # after a clock was set back, doubled
            return None
        return said.taken

    def remember(self, key: bytes, at: datetime, taken: "asyncio.Future[Taken]") -> None:
        self._said[key] = _Said(at, taken)
        self._said.move_to_end(key)
        while len(self._said) > MOST or abs(at - next(iter(self._said.values())).at) > REACH:
            self._said.popitem(last=False)

    def said_again(self, key: bytes, now: datetime) -> None:
        """The window begins anew."""
        self.remember(key, now, self._said[key].taken)

    def forget(self, key: bytes, taken: "asyncio.Future[Taken]") -> None:
        """It was not kept after all."""
        said = self._said.get(key)
        if said is not None and said.taken is taken:
            del self._said[key]
