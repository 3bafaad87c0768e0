"""Looks at incoming pictures: JPEG or not, small enough or to be reduced, a few at a time."""

import asyncio

from tocsin.engine.contracts import PhotoIn
from tocsin.engine.intake import MOST_PHOTO_BYTES
from tocsin.media.child import NotMade
from tocsin.media.jpeg import NoJpeg, jpeg_facts
from tocsin.media.reduce import reduced

AT_ONCE = 2


class PictureCheck:
    """An engine.intake.PhotoCheck."""

    def __init__(self) -> None:
        self._reducing = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, picture: PhotoIn) -> bytes | str:
        if picture.content_type.split(";")[0].strip().lower() not in ("image/jpeg", "image/jpg"):
            return f"content type {picture.content_type[:60]!r}: only image/jpeg is taken"
        facts = jpeg_facts(picture.data)
        if isinstance(facts, NoJpeg):
            return facts.reason
        if len(picture.data) <= MOST_PHOTO_BYTES:
            return picture.data
        async with self._reducing:
            found = await reduced(picture.data, MOST_PHOTO_BYTES)
        return found.reason if isinstance(found, NotMade) else found
