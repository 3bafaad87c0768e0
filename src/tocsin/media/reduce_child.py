"""The child process of reduce.py: one JPEG on stdin, a smaller one on stdout. It limits itself before it looks.

Exit code 3 with a clause on stderr: the picture cannot be made smaller. Anything else but 0 is a crash.
"""

import io
import sys

from PIL import Image, ImageOps

_SIDES = (2560, 1920, 1600, 1280, 1024, 800, 640, 480, 320)
_QUALITIES = (85, 75, 65)


def main(limit: int, pixels: int, memory_bytes: int, seconds: int) -> int:
    _restrict(memory_bytes, seconds)
    Image.MAX_IMAGE_PIXELS = pixels
    data = sys.stdin.buffer.read()
    try:
        smaller = shrink(data, limit)
    except MemoryError:
        return _give_up("it needs more memory than a picture may take")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return _give_up(f"it cannot be decoded: {error}")
    if smaller is None:
        return _give_up(f"it cannot be brought down to {limit} bytes")
    sys.stdout.buffer.write(smaller)
    sys.stdout.buffer.flush()
    return 0


def shrink(data: bytes, limit: int) -> bytes | None:
    """The largest of the tried sizes and qualities that fits into `limit` bytes; None if none does."""
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
    return None


def _restrict(memory_bytes: int, seconds: int) -> None:
    try:
        import resource
    except ImportError:  # Windows: the parent's deadline alone has to do
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _give_up(reason: str) -> int:
    sys.stderr.write(reason[:300])
    return 3


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:5])))
