"""The child process of sheet.py: JPEGs on stdin, one JPEG with all of them on stdout."""

import math

from PIL import Image

from tocsin.media.in_child import GiveUp, run, split
from tocsin.media.in_child_jpeg import opened, written

_CELLS = ((960, 720), (640, 480), (480, 360), (320, 240), (160, 120))
_QUALITIES = (85, 70)
_GAP = 4


def sheet(data: bytes, limit: int, pixels: int) -> bytes:
    """The largest of the tried cell sizes and qualities that fits into `limit` bytes. Raises GiveUp."""
    pictures = [_small(picture, pixels) for picture in split(data)]
    for cell in _CELLS:
        page = _page(pictures, cell)
        if made := written(page, _QUALITIES, limit):
            return made
    raise GiveUp(f"it cannot be brought down to {limit} bytes")


def _small(data: bytes, pixels: int) -> Image.Image:
    """Not larger than the largest cell."""
    picture = opened(data, _CELLS[0], pixels)
    picture.thumbnail(_CELLS[0])
    return picture


def _page(pictures: list[Image.Image], cell: tuple[int, int]) -> Image.Image:
    """As many columns as rows, or one more; each picture in the middle of its cell."""
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    width, height = (
        min(cell[0], max(one.width for one in pictures)),
        min(cell[1], max(one.height for one in pictures)),
    )
    page = Image.new("RGB", (columns * (width + _GAP) - _GAP, rows * (height + _GAP) - _GAP))
    for n, picture in enumerate(pictures):
        fitted = picture.copy()
        fitted.thumbnail((width, height))
        left, top = n % columns * (width + _GAP), n // columns * (height + _GAP)
        page.paste(fitted, (left + (width - fitted.width) // 2, top + (height - fitted.height) // 2))
    return page


if __name__ == "__main__":
    run(sheet)
