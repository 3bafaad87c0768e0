import asyncio
import io
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tocsin.media.child import NotMade
from tocsin.media.jpeg import JpegFacts, jpeg_facts
from tocsin.media.reduce import ReduceLimits, reduced


def noise(width: int, height: int, orientation: int = 1) -> bytes:
    picture = Image.frombytes("RGB", (width, height), random.Random(7).randbytes(width * height * 3))
    exif = Image.Exif()
    exif[0x0112] = orientation
    written = io.BytesIO()
    picture.save(written, "JPEG", quality=95, exif=exif)
    return written.getvalue()


async def test_a_small_picture_comes_back_as_it_is() -> None:
    data = noise(64, 64)
    assert await reduced(data, 1_000_000) is data


async def test_a_large_picture_is_brought_under_the_limit_upright_and_without_exif() -> None:
    data = noise(1400, 900, orientation=6)
    smaller = await reduced(data, 400_000)
    assert isinstance(smaller, bytes)
    facts = jpeg_facts(smaller)
    assert isinstance(facts, JpegFacts)
    assert len(smaller) <= 400_000 < len(data)
    assert facts.height > facts.width
    assert b"Exif" not in smaller


@pytest.mark.parametrize(
    ("spoil", "limits", "part"),
    [
        (lambda data: b"GIF89a" + data, ReduceLimits(), "does not start like a JPEG"),
        (lambda data: data[:-2000], ReduceLimits(), "ends in the middle"),
        (lambda data: data, ReduceLimits(input_bytes=1000), "more than the 1000 that are looked at"),
        (lambda data: data, ReduceLimits(megapixels=0), "more than 0 megapixels"),
        (lambda data: data, ReduceLimits(seconds=0.01), "took longer than 0.01 s"),
        (lambda data: data, ReduceLimits(memory_bytes=1_000_000), "exit code|more memory"),
    ],
)
async def test_what_cannot_be_reduced_has_a_reason(
    spoil: Callable[[bytes], bytes], limits: ReduceLimits, part: str
) -> None:
    result = await reduced(spoil(noise(300, 300)), 5_000, limits)
    assert isinstance(result, NotMade)
    assert re.search(part, result.reason)


async def test_a_picture_whose_decoder_gives_up_has_a_reason() -> None:
    data = bytearray(noise(300, 300))
    quantisation = data.index(b"\xff\xdb")
    data[quantisation + 1] = 0xEF  # now a segment nobody reads: the tables are missing
    result = await reduced(bytes(data), 5_000)
    assert isinstance(result, NotMade)
    assert "cannot be decoded" in result.reason


async def test_an_unreachable_limit_has_a_reason() -> None:
    result = await reduced(noise(300, 300), 100)
    assert result == NotMade("it cannot be brought down to 100 bytes")


def children() -> set[str]:
    return set(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split())


async def test_cancelling_leaves_no_process_behind() -> None:
    before = children()
    task = asyncio.create_task(reduced(noise(1400, 900), 400_000))
    while children() == before:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert children() == before
