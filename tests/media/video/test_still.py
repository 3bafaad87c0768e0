"""Small pictures for people who look for a camera (clearance.md 8.3)."""

import io
from pathlib import Path

import pytest
from PIL import Image
from tests.media.video.conftest import RATE, Unit, picture, recording

from tocsin.media.child import NotMade
from tocsin.media.still import MOST_BYTES, recorded_picture, thumbnail


def jpeg(size: tuple[int, int], **more: object) -> bytes:
    written = io.BytesIO()
    picture(1, size).save(written, "JPEG", **more)
    return written.getvalue()


@pytest.mark.parametrize(
    ("size", "made"), [((1920, 1080), (640, 360)), ((1080, 1920), (360, 640)), ((320, 240), (320, 240))]
)
async def test_at_most_640_pixels_and_no_facts_beside_the_picture(size: tuple[int, int], made: tuple[int, int]) -> None:
    facts = Image.Exif()
    facts[0x010F] = "a camera's maker"
    found = await thumbnail(jpeg(size, exif=facts))
    assert isinstance(found, bytes)
    opened = Image.open(io.BytesIO(found))
    assert (opened.size, opened.format, dict(opened.getexif())) == (made, "JPEG", {})
    assert len(found) <= MOST_BYTES


async def test_the_key_frame_before_a_moment(units: list[Unit], tmp_path: Path) -> None:
    path = recording(tmp_path / "a.mp4", units)
    for second in (0, 3):
        found = await recorded_picture(path, second * 1_000_000 + 500_000)
        assert isinstance(found, bytes)
        expected = picture(second * RATE).getpixel((150, 100))
        seen = Image.open(io.BytesIO(found)).getpixel((150, 100))
        assert all(abs(one - other) < 25 for one, other in zip(seen, expected, strict=True))  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff\xe0 cut off"])
async def test_what_is_no_picture_is_refused(data: bytes) -> None:
    assert isinstance(await thumbnail(data), NotMade)
