"""The child process of still.py: a line of JSON, then perhaps a JPEG, on stdin; a small JPEG on stdout."""

import io
from fractions import Fraction
from typing import Any

import av
import msgspec
from PIL import Image, ImageOps

from tocsin.media.in_child import GiveUp, run
from tocsin.media.mp4_child import SAFELY, chosen
from tocsin.media.video_plan import StillPlan

_SIDES = (1.0, 0.75, 0.5)
_QUALITIES = (80, 65, 50)


def still(data: bytes) -> bytes:
    """The picture without any metadata, its longest side as wished, at most so many bytes. Raises GiveUp."""
    line, _, jpeg = data.partition(b"\n")
    plan = msgspec.json.decode(line, type=StillPlan)
    picture = recorded(plan) if plan.path else opened(jpeg, plan.pixels)
    for part in _SIDES:
        side = max(int(plan.side * part), 16)
        smaller = picture.copy()
        smaller.thumbnail((side, side))
        for quality in _QUALITIES:
            written = io.BytesIO()
            smaller.save(written, "JPEG", quality=quality)
            if written.tell() <= plan.most_bytes:
                return written.getvalue()
    raise GiveUp(f"it cannot be brought down to {plan.most_bytes} bytes")


def opened(jpeg: bytes, pixels: int) -> Image.Image:
    Image.MAX_IMAGE_PIXELS = pixels
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as found:
        found.draft("RGB", (1280, 1280))
        return ImageOps.exif_transpose(found).convert("RGB")


def recorded(plan: StillPlan) -> Image.Image:
    """The key frame at or before the time; the last one there is when it is later."""
    with av.open(plan.path, options=SAFELY) as source:
        video = chosen(source, audio=False)["video"]
        wanted = (video.start_time or 0) + int(Fraction(plan.at_us, 1_000_000) / video.time_base)
        source.seek(wanted, stream=video)
        frame: Any = next(iter(source.decode(video)), None)
        if frame is None:
            raise GiveUp("there is no picture in it")
        found: Image.Image = frame.to_image()
        return found


if __name__ == "__main__":
    run(still)
