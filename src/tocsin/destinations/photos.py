"""Which photos of an event go along. Pure."""

from collections.abc import Sequence

from tocsin.model.event import Photo


def chosen(photos: Sequence[Photo], max_count: int, max_bytes: int) -> list[Photo]:
    """The first photos that fit; a large one is left out, those behind it are not."""
    fitting: list[Photo] = []
    for photo in photos:
        if len(fitting) < max_count and sum(len(one.data) for one in fitting) + len(photo.data) <= max_bytes:
            fitting.append(photo)
    return fitting
