"""The child process of reduce.py: one JPEG on stdin, a smaller one on stdout."""

import io

from PIL import Image, ImageOps

from tocsin.media.in_child import GiveUp, run

_SIDES = (2560, 1920, 1600, 1280, 1024, 800, 640, 480, 320)
_QUALITIES = (85, 75, 65)


def shrink(data: bytes, limit: int, pixels: int) -> bytes:
    """The largest of the tried sizes and qualities that fits into `limit` bytes. Raises GiveUp."""
    Image.MAX_IMAGE_PIXELS = pixels
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as opened:
        opened.draft("RGB", (_SIDES[0], _SIDES[0]))
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    for side in _SIDES:
        if side < _SIDES[0] and side >= max(picture.size) * 1.5:
            continue
        picture.thumbnail((side, side))
        for quality in _QUALITIES:
            written = io.BytesIO()
            picture.save(written, "JPEG", quality=quality)
            if written.tell() <= limit:
                return written.getvalue()
    raise GiveUp(f"it cannot be brought down to {limit} bytes")


if __name__ == "__main__":
    run(shrink)
