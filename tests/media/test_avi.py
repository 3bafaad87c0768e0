import asyncio
import io
import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tocsin.media import avi, in_child
from tocsin.media.avi import clip, frame_problem
from tocsin.media.avi_child import mux
from tocsin.media.child import NotMade, made
from tocsin.media.jpeg import JpegFacts, jpeg_facts


def picture(seed: int, width: int = 64, height: int = 48, mode: str = "RGB", **options: Any) -> bytes:
    raw = random.Random(seed).randbytes(width * height * len(Image.new(mode, (1, 1)).getbands()))
    written = io.BytesIO()
    Image.frombytes(mode, (width, height), raw).save(written, "JPEG", **options)
    return written.getvalue()


def chunks(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, bytes]]:
    """Name, place and contents of every RIFF chunk from `at` to `end`."""
    while at < end:
        name, size = struct.unpack_from("<4sI", data, at)
        assert at + 8 + size <= end
        yield name, at, data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def contents(listed: bytes) -> dict[bytes, bytes]:
    return {name: body for name, _, body in chunks(listed, 4, len(listed))}


class Riff:
    """An AVI 1.0 file, read by its own rules only."""

    def __init__(self, data: bytes) -> None:
        ((riff, _, body),) = chunks(data, 0, len(data))
        assert (riff, body[:4]) == (b"RIFF", b"AVI ")
        outer = {name + body[:4] * (name == b"LIST"): (at, body) for name, at, body in chunks(data, 12, len(data))}
        header = contents(outer[b"LISThdrl"][1])
        stream = contents(header[b"LIST"])
        self.main = struct.unpack_from("<10I", header[b"avih"])
        self.kind, self.codec = struct.unpack_from("<4s4s", stream[b"strh"])
        self.scale, self.rate = struct.unpack_from("<II", stream[b"strh"], 20)
        (self.length,) = struct.unpack_from("<I", stream[b"strh"], 32)
        self.width, self.height = struct.unpack_from("<ii", stream[b"strf"], 4)
        (self.compression,) = struct.unpack_from("<4s", stream[b"strf"], 16)
        place, movi = outer[b"LISTmovi"]
        self.frames = [(name, body) for name, _, body in chunks(movi, 4, len(movi))]
        index = outer[b"idx1"][1]
        self.indexed = []
        for name, flags, offset, size in struct.iter_unpack("<4sIII", index):
            start = place + 8 + offset + 8
            self.indexed.append((name, flags, data[start : start + size]))


@pytest.mark.parametrize("rate", [1, 2, 25])
async def test_a_clip_holds_the_pictures_bit_for_bit(rate: int) -> None:
    pictures = [picture(n) for n in range(4)] + [picture(9, quality=30)]
    assert len({len(one) % 2 for one in pictures}) == 2, "odd and even lengths"
    data = await clip(pictures, rate)
    assert isinstance(data, bytes)
    file = Riff(data)
    assert file.frames == [(b"00dc", one) for one in pictures]
    assert file.indexed == [(b"00dc", 0x10, one) for one in pictures]
    assert (file.kind, file.codec, file.compression) == (b"vids", b"MJPG", b"MJPG")
    assert (file.rate / file.scale, file.length, file.width, file.height) == (rate, 5, 64, 48)
    assert (file.main[0], file.main[4], file.main[6], file.main[3] & 0x10) == (1_000_000 // rate, 5, 1, 0x10)


async def test_a_player_shows_every_picture_for_its_time() -> None:
    pictures = [picture(n) for n in range(3)]
    data = await clip(pictures, 2)
    assert isinstance(data, bytes)
    with av.open(io.BytesIO(data)) as container:
        (stream,) = container.streams
        assert isinstance(stream, av.VideoStream)
        assert (stream.codec_context.name, stream.frames, stream.average_rate) == ("mjpeg", 3, 2)
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert [bytes(packet) for packet in packets] == pictures
        assert [float(packet.pts * packet.time_base) for packet in packets] == [0.0, 0.5, 1.0]  # type: ignore[operator]
        container.seek(0)
        assert [(frame.width, frame.height) for frame in container.decode(stream)] == [(64, 48)] * 3


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"", "it is empty"),
        (b"GIF89a", "does not start like a JPEG"),
        (picture(1)[:-3], "ends in the middle"),
        (picture(1, mode="CMYK"), "it has 4 colour components"),
        (picture(1, progressive=True), "progressive"),
        (picture(1, width=32), "it has 32×48 pixels, the first 64×48"),
        (picture(1, mode="L"), "grey"),
    ],
)
async def test_what_cannot_be_a_frame_has_a_reason(data: bytes, part: str) -> None:
    first = jpeg_facts(picture(0))
    assert isinstance(first, JpegFacts)
    assert part in frame_problem(data, first)
    result = await clip([picture(0), data], 1)
    assert isinstance(result, NotMade)
    assert result.reason.startswith("picture 2: ")


async def test_nothing_is_no_clip() -> None:
    assert await clip([], 1) == NotMade("there is no picture for it")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=4), st.integers(0, 60), st.binary(max_size=40))
def test_whatever_passes_as_a_picture_is_a_frame_bit_for_bit(parts: list[bytes], at: int, spoilt: bytes) -> None:
    """The muxer looks at no picture: bytes that only look like one are carried all the same."""
    good = picture(3)
    pictures = [good, good[:-2] + b"".join(parts) + good[-2:], good[: at + 200] + spoilt + good[at + 200 :]]
    frames = [one for one in pictures if isinstance(jpeg_facts(one), JpegFacts)]
    assert [body for _, body in Riff(mux(in_child.joined(frames), 1, 64, 48)).frames] == frames


@given(st.lists(st.binary(max_size=50)))
def test_pictures_are_told_apart_again(pictures: list[bytes]) -> None:
    assert list(in_child.split(in_child.joined(pictures))) == pictures


def children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


async def test_a_killed_child_costs_the_clip() -> None:
    before = children()
    task = asyncio.create_task(clip([picture(1)], 1))
    while children() == before:
        await asyncio.sleep(0)
    (child,) = children() - before
    os.kill(int(child), 9)
    assert await task == NotMade("the process that works on pictures failed on it (exit code -9)")


async def test_a_child_that_hangs_or_wants_too_much_costs_the_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(avi, "SECONDS", 0.01)
    assert await clip([picture(1)], 1) == NotMade("working on it took longer than 0.01 s")
    result = await made("tocsin.media.avi_child", (1, 64, 48), in_child.joined([picture(1)]), 99, 768_000_000, 10.0)
    assert result == NotMade("what came of it has more than 99 bytes")
    result = await made("tocsin.media.avi_child", (0, 64, 48), in_child.joined([picture(1)]), 99, 768_000_000, 10.0)
    assert isinstance(result, NotMade)
    assert "exit code" in result.reason


async def test_cancelling_leaves_no_process_behind() -> None:
    before = children()
    task = asyncio.create_task(clip([picture(1)], 1))
    while children() == before:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == before
