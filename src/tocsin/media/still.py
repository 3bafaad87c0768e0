"""One small picture, from a JPEG or from a recording, made in a bounded child process (clearance.md 8.3)."""

from pathlib import Path

import msgspec

from tocsin.media.child import NotMade, made
from tocsin.media.video_plan import StillPlan

MEMORY_BYTES, SECONDS = 1024**3, 15.0
SIDE = 640
MOST_BYTES = 256 * 1024


async def thumbnail(jpeg: bytes) -> bytes | NotMade:
    """A JPEG of at most 640 pixels and 256 KiB, without EXIF."""
    return await _made(StillPlan("", side=SIDE, most_bytes=MOST_BYTES), jpeg)


async def recorded_picture(path: Path, at_us: int) -> bytes | NotMade:
    """The key frame at or before `at_us`, counted from the file's first picture, in its own size."""
    return await _made(StillPlan(str(path), at_us, side=8192, most_bytes=8 * 1024 * 1024), b"")


async def _made(plan: StillPlan, jpeg: bytes) -> bytes | NotMade:
    data = msgspec.json.encode(plan) + b"\n" + jpeg
    return await made("tocsin.media.still_child", (), data, plan.most_bytes, MEMORY_BYTES, SECONDS)
