import io
import re
from collections.abc import Callable

import pytest
from PIL import Image

from tocsin.media.child import NotMade
from tocsin.media.reduce import ReduceLimits
from tocsin.media.sheet import contact_sheet

COLOURS = [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (0, 200, 200)]


def plain(n: int, width: int = 320, height: int = 240, orientation: int = 1, mode: str = "RGB") -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    written = io.BytesIO()
    Image.new("RGB", (width, height), COLOURS[n]).convert(mode).save(written, "JPEG", exif=exif)
    return written.getvalue()


def opened(data: object) -> Image.Image:
    assert isinstance(data, bytes)
    return Image.open(io.BytesIO(data)).convert("RGB")


def near(found: object, wanted: tuple[int, int, int]) -> bool:
    assert isinstance(found, tuple)
    return all(abs(one - other) < 12 for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize(("count", "size"), [(1, (320, 240)), (2, (644, 240)), (4, (644, 484)), (5, (968, 484))])
async def test_every_picture_stands_in_its_place(count: int, size: tuple[int, int]) -> None:
    sheet = opened(await contact_sheet([plain(n) for n in range(count)], 300_000))
    assert sheet.size == size
    columns = (size[0] + 4) // 324
    for n in range(count):
        assert near(sheet.getpixel((n % columns * 324 + 160, n // columns * 244 + 120)), COLOURS[n])


async def test_pictures_of_other_sizes_turns_and_colours_are_fitted_in() -> None:
    mixed = [
        plain(0),
        plain(1, 100, 400),
        plain(2, 4000, 3000),
        plain(3, 240, 320, orientation=6),
        plain(4, mode="CMYK"),
    ]
    sheet = opened(await contact_sheet(mixed, 300_000))
    width, height = (sheet.width - 8) // 3, (sheet.height - 4) // 2
    middles = [(n % 3 * (width + 4) + width // 2, n // 3 * (height + 4) + height // 2) for n in range(5)]
    assert [near(sheet.getpixel(middle), colour) for middle, colour in zip(middles, COLOURS, strict=True)] == [True] * 5


async def test_it_fits_into_its_limit_or_has_a_reason() -> None:
    pictures = [plain(n, 960, 720) for n in range(5)]
    small = await contact_sheet(pictures, 9_000)
    assert isinstance(small, bytes)
    assert len(small) <= 9_000
    assert await contact_sheet(pictures, 500) == NotMade("it cannot be brought down to 500 bytes")


@pytest.mark.parametrize(
    ("spoil", "limits", "part"),
    [
        (lambda data: b"", ReduceLimits(), "picture 2: it is empty"),
        (lambda data: data[:-3], ReduceLimits(), "picture 2: it ends in the middle"),
        (lambda data: data, ReduceLimits(input_bytes=1000), "more than 1000 bytes together"),
        (lambda data: data, ReduceLimits(megapixels=0), "picture 1 has 320×240 pixels"),
        (lambda data: data, ReduceLimits(seconds=0.01), "took longer than 0.01 s"),
        (lambda data: data, ReduceLimits(memory_bytes=1_000_000), "exit code|more memory"),
        (lambda data: data.replace(b"\xff\xdb", b"\xff\xef"), ReduceLimits(), "cannot be decoded"),
    ],
)
async def test_what_cannot_be_made_has_a_reason(
    spoil: Callable[[bytes], bytes], limits: ReduceLimits, part: str
) -> None:
    result = await contact_sheet([plain(0), spoil(plain(1))], 100_000, limits)
    assert isinstance(result, NotMade)
    assert re.search(part, result.reason)


async def test_nothing_is_no_sheet() -> None:
    assert await contact_sheet([], 1000) == NotMade("there is no picture for it")
