import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tocsin.media.jpeg import JpegFacts, NoJpeg, jpeg_facts


def picture(width: int, height: int, **options: object) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 30)).save(written, "JPEG", **options)
    return written.getvalue()


@pytest.mark.parametrize("progressive", [False, True])
def test_facts_agree_with_the_encoder(progressive: bool) -> None:
    data = picture(37, 21, progressive=progressive)
    assert jpeg_facts(data) == JpegFacts(len(data), 37, 21, progressive)


def test_bytes_behind_the_end_are_tolerated() -> None:
    data = picture(16, 16) + b"\0" * 100
    assert jpeg_facts(data) == JpegFacts(len(data), 16, 16)


def test_a_thumbnail_in_the_exif_is_not_taken_for_the_picture() -> None:
    inner = picture(8, 8)
    exif = b"Exif\0\0" + inner
    whole = picture(64, 48)
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    facts = jpeg_facts(whole[:2] + segment + whole[2:])
    assert isinstance(facts, JpegFacts)
    assert (facts.width, facts.height) == (64, 48)
    cut = jpeg_facts(whole[:2] + segment + whole[2:-2])
    assert cut == NoJpeg("it ends in the middle of the picture")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"\x89PNG\r\n", "it does not start like a JPEG but with 89 50 4e 47"),
        (b"\xff\xd8\xff", "its headers are broken or it ends within them"),
        (b"\xff\xd8\xff\xe0\x00\x01", "its headers are broken or it ends within them"),
        (b"\xff\xd8\xff\xc0\x00\x04\x08\x00", "its frame header is too short"),
        (b"\xff\xd8\xff\xda\x00\x02\xff\xd9", "it has no frame header before its picture data"),
        (
            b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x00\x00\x05\x01\x01\x11\x00\xff\xda\x00\x02\xff\xd9",
            "its size is given as 5×0 pixels",
        ),
    ],
)
def test_reasons(data: bytes, reason: str) -> None:
    assert jpeg_facts(data) == NoJpeg(reason)


def test_every_cut_is_noticed() -> None:
    data = picture(24, 24)
    assert all(isinstance(jpeg_facts(data[:end]), NoJpeg) for end in range(len(data) - 1))


@settings(max_examples=200)
@given(st.binary(max_size=200), st.integers(0, 600), st.integers(0, 255))
def test_any_bytes_give_facts_or_a_reason(tail: bytes, at: int, value: int) -> None:
    assert isinstance(jpeg_facts(b"\xff\xd8\xff" + tail), JpegFacts | NoJpeg)
    broken = bytearray(picture(16, 16))
    broken[at % len(broken)] = value
    assert isinstance(jpeg_facts(bytes(broken)), JpegFacts | NoJpeg)
