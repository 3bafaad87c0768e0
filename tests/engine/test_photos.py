"""Photos of the newest events are at hand; nobody gets fewer than there are, and memory stays bounded."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from tests.engine.conftest import Open, ScriptedStation

from tocsin.engine.contracts import Attempt, PhotoIn
from tocsin.engine.photos import RecentPhotos
from tocsin.engine.submission import PhotoPart
from tocsin.model.delivery import Due, Receipt
from tocsin.model.event import Photo

JPEG = b"\xff\xd8\xff\xe0picture"


class Shelf:
    """A store that has other pictures than the memory, so that it is seen where they came from."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def photos(self, seq: int) -> Sequence[Photo]:
        self.asked.append(seq)
        return [photo(b"stored")]


def photo(data: bytes, n: int = 1) -> Photo:
    return Photo(n, data, "")


def recent(shelf: Shelf, most_bytes: int = 10) -> RecentPhotos:
    store: Any = shelf
    return RecentPhotos(store, most_bytes)


async def test_what_was_kept_is_not_read() -> None:
    shelf = Shelf()
    photos = recent(shelf)
    photos.keep(7, [photo(b"kept")])
    assert [one.data for one in await photos.of(7, 1)] == [b"kept"]
    assert shelf.asked == []


@pytest.mark.parametrize("count", [0, 2])
async def test_what_has_changed_since_is_read(count: int) -> None:
    shelf = Shelf()
    photos = recent(shelf)
    photos.keep(7, [photo(b"kept")])
    assert [one.data for one in await photos.of(7, count)] == [b"stored"]
    assert shelf.asked == [7]


async def test_the_oldest_go_when_there_are_too_many_bytes() -> None:
    shelf = Shelf()
    photos = recent(shelf)
    for seq, size in ((1, 4), (2, 4), (3, 4), (3, 6), (4, 11)):
        photos.keep(seq, [photo(b"." * size)])
        if seq == 3:
            assert [(await photos.of(one, 1))[0].data == b"stored" for one in (1, 2, 3)] == [True, False, False]
    assert [(await photos.of(one, 1))[0].data for one in (1, 2, 3, 4)] == [b"stored"] * 4
    photos.keep(5, [photo(b"0123456789")])
    assert (await photos.of(5, 1))[0].data == b"0123456789"


async def test_destinations_share_what_was_accepted_and_get_what_came_late(
    house: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    stations = [ScriptedStation("arc"), ScriptedStation("cloud")]
    got: list[tuple[str, list[bytes]]] = []

    def taking(name: str) -> Any:
        async def deliver(due: Due, attempt: Attempt) -> Receipt:
            got.append((name, [one.data for one in await attempt.photos()]))
            return Receipt(name, "ACK")

        return deliver

    for station in stations:
        station.script = taking(station.name)
    async with house(stations, hold_s=60) as h:
        read: list[int] = []
        reading: Callable[[int], Awaitable[Sequence[Photo]]] = h.store.photos

        def counted(seq: int) -> Awaitable[Sequence[Photo]]:
            read.append(seq)
            return reading(seq)

        monkeypatch.setattr(h.store, "photos", counted)
        taken = await h.post(photos=[PhotoPart(JPEG)])
        for station in stations:
            await h.settles(taken, station.name, "delivered")
        assert sorted(got) == [("arc", [JPEG]), ("cloud", [JPEG])]
        assert read == []
        got.clear()
        late = await h.post(photos=[PhotoPart(JPEG)], photos_expected=2, classification="pending")
        await h.gateway.add_photos(late.id, [PhotoIn(JPEG + b"2")])
        await h.gateway.amend(late.id, None, "done", "detectors")
        for station in stations:
            await h.settles(late, station.name, "delivered")
        assert sorted(got) == [("arc", [JPEG, JPEG + b"2"]), ("cloud", [JPEG, JPEG + b"2"])]
