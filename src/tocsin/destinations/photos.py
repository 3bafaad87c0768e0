"""Which photos of an event go along."""

from collections.abc import Sequence

from tocsin.destinations.settings import DestinationSettings
from tocsin.engine.contracts import Attempt
from tocsin.model.delivery import Due
from tocsin.model.event import Photo


async def wanted_photos(settings: DestinationSettings, due: Due, attempt: Attempt) -> Sequence[Photo]:
    """Those of the event, read only if any go out."""
    return await attempt.photos() if settings.wants_photos() and due.event.photos else ()


def chosen(photos: Sequence[Photo], max_count: int, max_bytes: int) -> list[Photo]:
    """The first photos that fit; a large one is left out, those behind it are not."""
    fitting: list[Photo] = []
    for photo in photos:
        if len(fitting) < max_count and sum(len(one.data) for one in fitting) + len(photo.data) <= max_bytes:
            fitting.append(photo)
    return fitting
