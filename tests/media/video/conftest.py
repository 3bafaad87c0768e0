"""Real video made here: coded pictures that can be told apart, with reordered ones among them."""

import io
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import pytest
from PIL import Image, ImageDraw

BEGAN = datetime(2026, 3, 8, 5, 0, tzinfo=UTC)
RATE = 25


class Unit(NamedTuple):
    """As a recorder holds it: Annex B, in decoding order."""

    at_us: int
    key: bool
    data: bytes


def picture(n: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    made = Image.new("RGB", size, (n * 7 % 256, n * 3 % 256, 90))
    ImageDraw.Draw(made).text((10, 10), str(n), fill="white")
    return made


def coded(count: int, codec: str = "libx264", reordered: int = 2) -> list[Unit]:
    """`count` pictures, a key frame each second."""
    options = {"bf": str(reordered), "g": str(RATE), "sc_threshold": "0", "x265-params": "log-level=none:bframes=0"}
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt, context.framerate = 160, 120, "yuv420p", RATE
    context.time_base = Fraction(1, RATE)
    context.options = options
    found = []
    frames: list[Any] = [av.VideoFrame.from_image(picture(n)) for n in range(count)]
    for n, frame in enumerate(frames):
        frame.pts = n
    for frame in [*frames, None]:
        for packet in context.encode(frame):
            at_us = round(BEGAN.timestamp() * 1_000_000) + round(packet.pts * 1_000_000 / RATE)
            found.append(Unit(at_us, packet.is_keyframe, bytes(packet)))
    return found


def nal_units(data: bytes, prefixed: bool = False) -> list[bytes]:
    """The bytes of each, from Annex B or from MP4's lengths."""
    if prefixed:
        found, at = [], 0
        while at < len(data):
            end = at + 4 + int.from_bytes(data[at : at + 4], "big")
            found.append(data[at + 4 : end])
            at = end
        return found
    parts = data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")
    return [part for part in parts if part]


def packets(path: Path) -> list[Any]:
    with av.open(str(path)) as source:
        return [packet for packet in source.demux(video=0) if packet.size]


@pytest.fixture(scope="session")
def units() -> list[Unit]:
    return coded(5 * RATE)


def recording(path: Path, units: list[Unit], rate: int = RATE) -> Path:
    """The same as a file that a recorder exports."""
    with av.open(str(path), "w") as container, av.open(io.BytesIO(units[0].data), format="h264") as like:
        stream: Any = container.add_stream_from_template(like.streams.video[0])
        for n, unit in enumerate(units):
            packet: Any = av.Packet(unit.data)
            packet.stream, packet.time_base = stream, Fraction(1, 1_000_000)
            packet.pts, packet.dts = unit.at_us - units[0].at_us, round((n - 2) * 1_000_000 / rate)
            packet.is_keyframe = unit.key
            container.mux_one(packet)
    return path
