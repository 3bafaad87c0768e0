"""Making a JPEG smaller, in a child process."""

from msgspec import Struct

from tocsin.media.child import NotMade, made
from tocsin.media.jpeg import JpegFacts, NoJpeg, jpeg_facts


class ReduceLimits(Struct, frozen=True):
    """What one reduction may cost. `megapixels` of the incoming picture; memory is the child's address space."""

    input_bytes: int = 32_000_000
    megapixels: int = 64
    memory_bytes: int = 768_000_000
    seconds: float = 10.0


DEFAULT_LIMITS = ReduceLimits()


async def reduced(data: bytes, limit: int, limits: ReduceLimits = DEFAULT_LIMITS) -> bytes | NotMade:
    """The picture as a JPEG of at most `limit` bytes, without EXIF; as it came if it is small enough already.

    Orientation is applied, then quality and dimensions are lowered until it fits. Cancelling kills the child.
    """
    problem = _problem(jpeg_facts(data), len(data), limits)
    if problem:
        return NotMade(problem)
    if len(data) <= limit:
        return data
    numbers = (limit, limits.megapixels * 1_000_000)
    smaller = await made("tocsin.media.reduce_child", numbers, data, limit, limits.memory_bytes, limits.seconds)
    if isinstance(smaller, bytes) and isinstance(jpeg_facts(smaller), NoJpeg):
        return NotMade("what came of it is no picture")
    return smaller


def _problem(facts: JpegFacts | NoJpeg, size: int, limits: ReduceLimits) -> str:
    if isinstance(facts, NoJpeg):
        return facts.reason
    if size > limits.input_bytes:
        return f"it has {size} bytes, more than the {limits.input_bytes} that are looked at"
    if facts.width * facts.height > limits.megapixels * 1_000_000:
        return f"it has {facts.width}×{facts.height} pixels, more than {limits.megapixels} megapixels"
    return ""
