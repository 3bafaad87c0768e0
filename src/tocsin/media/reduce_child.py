"""The child process of reduce.py: one JPEG on stdin, a smaller one on stdout."""

from tocsin.media.in_child import GiveUp, run
from tocsin.media.in_child_jpeg import opened, written

_SIDES = (2560, 1920, 1600, 1280, 1024, 800, 640, 480, 320)
_QUALITIES = (85, 75, 65)


def shrink(data: bytes, limit: int, pixels: int) -> bytes:
    """The largest of the tried sizes and qualities that fits into `limit` bytes. Raises GiveUp."""
    picture = opened(data, (_SIDES[0], _SIDES[0]), pixels)
    for side in _SIDES:
        if side < _SIDES[0] and side >= max(picture.size) * 1.5:
            continue
        picture.thumbnail((side, side))
        if made := written(picture, _QUALITIES, limit):
            return made
    raise GiveUp(f"it cannot be brought down to {limit} bytes")


if __name__ == "__main__":
    run(shrink)
