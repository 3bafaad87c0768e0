"""The photos of the newest events, in memory: one picture is wanted by many destinations at almost the same moment."""

from collections import OrderedDict
from collections.abc import Sequence

from tocsin.model.event import Photo
from tocsin.store.contract import Store

MOST_BYTES = 16 * 1024 * 1024


class RecentPhotos:
    """At most `most_bytes` of pictures; the oldest event's go first. What is not here is read from the store."""

    def __init__(self, store: Store, most_bytes: int) -> None:
        self._store = store
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[int, Sequence[Photo]] = OrderedDict()

    def keep(self, seq: int, photos: Sequence[Photo]) -> None:
        """The photos of an event that was just committed with them, in their order."""
        self._bytes += _size(photos) - _size(self._kept.pop(seq, ()))
        self._kept[seq] = photos
        while self._bytes > self._most_bytes:
            self._bytes -= _size(self._kept.popitem(last=False)[1])

    async def of(self, seq: int, count: int) -> Sequence[Photo]:
        """All photos of an event that has `count` of them as far as the asker knows: more may have come since it was
        committed, and only the store has them. Raises StoreUnavailable.
        """
        kept = self._kept.get(seq, ())
        return kept if len(kept) == count else await self._store.photos(seq)


def _size(photos: Sequence[Photo]) -> int:
    return sum(len(photo.data) for photo in photos)
