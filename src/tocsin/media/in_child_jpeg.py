"""JPEGs inside the child processes: opened upright and small, written within a limit."""

import io
from collections.abc import Sequence

from PIL import Image, ImageOps


def opened(data: bytes, size: tuple[int, int], pixels: int) -> Image.Image:
    """Upright; decoded no larger than `size` needs it. Raises what Pillow raises, also above `pixels`."""
    Image.MAX_IMAGE_PIXELS = pixels
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as found:
        found.draft("RGB", size)
        return ImageOps.exif_transpose(found).convert("RGB")


def written(picture: Image.Image, qualities: Sequence[int], limit: int) -> bytes:
    """In the first of the qualities that fits into `limit` bytes; empty when none does."""
    for quality in qualities:
        made = io.BytesIO()
        picture.save(made, "JPEG", quality=quality)
        if made.tell() <= limit:
            return made.getvalue()
    return b""
