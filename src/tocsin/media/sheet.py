"""Several pictures as one: a contact sheet for stations that take a single picture, made in a child process."""

from collections.abc import Sequence

from tocsin.media.child import NotMade, made
from tocsin.media.in_child import joined
from tocsin.media.jpeg import JpegFacts, NoJpeg, jpeg_facts
from tocsin.media.reduce import DEFAULT_LIMITS, ReduceLimits


async def contact_sheet(
    pictures: Sequence[bytes], limit: int, limits: ReduceLimits = DEFAULT_LIMITS
) -> bytes | NotMade:
    """A JPEG of at most `limit` bytes with the pictures in rows, in this order. Cancelling kills the child.

    `limits.megapixels` is for each picture, `limits.input_bytes` for all together.
    """
    problem = _problem(pictures, limits)
    if problem:
        return NotMade(problem)
    numbers = (limit, limits.megapixels * 1_000_000)
    sheet = await made(
        "tocsin.media.sheet_child", numbers, joined(pictures), limit, limits.memory_bytes, limits.seconds
    )
    if isinstance(sheet, bytes) and isinstance(jpeg_facts(sheet), NoJpeg):
        return NotMade("what came of it is no picture")
    return sheet


def _problem(pictures: Sequence[bytes], limits: ReduceLimits) -> str:
    if not pictures:
        return "there is no picture for it"
    if sum(map(len, pictures)) > limits.input_bytes:
        return f"the pictures have more than {limits.input_bytes} bytes together"
    for n, facts in enumerate(map(jpeg_facts, pictures), start=1):
        if isinstance(facts, NoJpeg):
            return f"picture {n}: {facts.reason}"
        if _pixels(facts) > limits.megapixels * 1_000_000:
            return f"picture {n} has {facts.width}×{facts.height} pixels, more than {limits.megapixels} megapixels"
    return ""


def _pixels(facts: JpegFacts) -> int:
    return facts.width * facts.height
