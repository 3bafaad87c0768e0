"""JPEGs joined into one clip: MJPEG in AVI 1.0, the pictures not touched (stations.md 1.7)."""

from collections.abc import Sequence

from tocsin.media.child import NotMade, made
from tocsin.media.in_child import joined
from tocsin.media.jpeg import JpegFacts, NoJpeg, jpeg_facts

MEMORY_BYTES, SECONDS = 768_000_000, 10.0
_OVERHEAD, _PER_FRAME = 16_384, 32
_FRAME_COMPONENTS = (1, 3)


def frame_problem(data: bytes, first: JpegFacts | None) -> str:
    """Why a picture cannot be a frame behind `first` (None: of any clip), as a clause; empty when it can."""
    facts = jpeg_facts(data)
    if isinstance(facts, NoJpeg):
        return facts.reason
    if facts.components not in _FRAME_COMPONENTS:
        return f"it has {facts.components} colour components, players expect 3"
    if facts.progressive:
        return "it is a progressive JPEG, which many players do not show"
    if first and (facts.width, facts.height) != (first.width, first.height):
        return f"it has {facts.width}×{facts.height} pixels, the first {first.width}×{first.height}"
    if first and facts.components != first.components:
        return "one of the two is grey, the other in colour"
    return ""


async def clip(pictures: Sequence[bytes], frame_rate: int) -> bytes | NotMade:
    """The clip; pictures are shown in this order, `frame_rate` of them a second. Cancelling kills the child."""
    if not pictures:
        return NotMade("there is no picture for it")
    first = jpeg_facts(pictures[0])
    for n, picture in enumerate(pictures, start=1):
        problem = frame_problem(picture, first if isinstance(first, JpegFacts) else None)
        if problem:
            return NotMade(f"picture {n}: {problem}")
    assert isinstance(first, JpegFacts)
    most = sum(len(picture) + _PER_FRAME for picture in pictures) + _OVERHEAD
    numbers = (frame_rate, first.width, first.height)
    made_clip = await made("tocsin.media.avi_child", numbers, joined(pictures), most, MEMORY_BYTES, SECONDS)
    if isinstance(made_clip, bytes) and not (made_clip[:4] == b"RIFF" and made_clip[8:12] == b"AVI "):
        return NotMade("what came of it is no clip")
    return made_clip
