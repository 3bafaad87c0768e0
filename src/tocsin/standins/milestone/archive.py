"""What the stand-in's recording server has recorded of a camera: real video, made once by an encoder, in groups of
pictures of two seconds that lie at even seconds of the clock.
"""

import io
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

if TYPE_CHECKING:
    import av
    from PIL.Image import Image

Video = Literal["h264", "h264-b", "h265", "jpeg"]
CODECS = {"h264": 0x000A, "h264-b": 0x000A, "h265": 0x000E, "jpeg": 0x0001}
GOP_MS = 2000
PICTURE_MS = 200
PICTURES = GOP_MS // PICTURE_MS
GOPS = 5
LATE_MS = 1000
HOUR_MS = 3_600_000
SINCE_MS = 1_577_836_800_000  # 2020-01-01
_WIDTH, _HEIGHT = 160, 120
_X264 = "keyint=10:min-keyint=10:scenecut=0:repeat-headers=1:annexb=1:open-gop=0:threads=1:log-level=none"
_X265 = "keyint=10:min-keyint=10:scenecut=0:repeat-headers=1:annexb=1:open-gop=0:pools=1:frame-threads=1:log-level=none"


class Picture(Struct, frozen=True):
    """One access unit; `offset_ms` from the key frame on."""

    offset_ms: int
    key: bool
    data: bytes


class Gop(Struct, frozen=True):
    """In decoding order."""

    at_ms: int
    pictures: tuple[Picture, ...]


class Archive:
    """One camera's. `gaps` are spans in which nothing was recorded; `until_ms` is where recording ended, None: it goes
    on.
    """

    def __init__(self, camera: str, video: Video, now_ms: Callable[[], int]) -> None:
        self.video = video
        self.gaps: list[tuple[int, int]] = []
        self.until_ms: int | None = None
        self._camera = camera
        self._now_ms = now_ms

    def gop(self, number: int) -> Gop:
        """`number` counts groups since 1970."""
        pictures = clip(self._camera[:8], self.video)[number % GOPS]
        return Gop(number * GOP_MS, pictures)

    def recorded(self, number: int) -> bool:
        begin, end = number * GOP_MS, (number + 1) * GOP_MS
        there = begin >= SINCE_MS and end <= self._end_ms()
        return there and not self._over(number)

    def _over(self, number: int) -> list[tuple[int, int]]:
        """The gaps that a group would lie in, at least partly."""
        begin, end = number * GOP_MS, (number + 1) * GOP_MS
        return [(since, until) for since, until in self.gaps if begin < until and end > since]

    def at_or_before(self, at_ms: int) -> int | None:
        """The group of this moment, or the last before it."""
        number = min(at_ms, self._end_ms()) // GOP_MS
        while number * GOP_MS >= SINCE_MS and not self.recorded(number):
            number = min([number, *(since // GOP_MS for since, _ in self._over(number))]) - 1
        return number if self.recorded(number) else None

    def after(self, number: int) -> int | None:
        """The next group."""
        number += 1
        while (number + 1) * GOP_MS <= self._end_ms() and not self.recorded(number):
            number = max([number + 1, *(-(-until // GOP_MS) for _, until in self._over(number))])
        return number if self.recorded(number) else None

    def sequences(self, since_ms: int, until_ms: int) -> Iterator[tuple[int, int]]:
        """Stretches that are at least partly within, oldest first. A new one begins at each full hour: they touch."""
        begin = max(since_ms // HOUR_MS * HOUR_MS, SINCE_MS)
        for since, until in [*sorted(self.gaps), (self._end_ms(), self._end_ms())]:
            while begin < min(since, until_ms):
                end = min(since, (begin // HOUR_MS + 1) * HOUR_MS)
                if end > since_ms:
                    yield begin, end
                begin = end
            begin = max(begin, until)

    def _end_ms(self) -> int:
        """The newest pictures are to be had a second late."""
        return self.until_ms if self.until_ms is not None else self._now_ms() - LATE_MS


@lru_cache(maxsize=32)
def clip(label: str, video: Video) -> tuple[tuple[Picture, ...], ...]:
    """Ten seconds of a moving square, the same bytes each time, as groups of pictures."""
    if video == "jpeg":
        pictures = [Picture(n % PICTURES * PICTURE_MS, True, _jpeg(label, n)) for n in range(GOPS * PICTURES)]
    else:
        pictures = list(_encoded(label, video))
    begins = range(0, len(pictures), PICTURES)
    return tuple(tuple(pictures[begin : begin + PICTURES]) for begin in begins)


def _encoded(label: str, video: Video) -> Iterator[Picture]:
    import av

    coder = av.CodecContext.create("libx265" if video == "h265" else "libx264", "w")
    assert isinstance(coder, av.VideoCodecContext)
    coder.width, coder.height, coder.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
    coder.time_base, coder.framerate = Fraction(PICTURE_MS, 1000), Fraction(1000, PICTURE_MS)
    coder.thread_count = 1
    frames = "bframes=2:b-adapt=0" if video == "h264-b" else "bframes=0"
    name = "x265-params" if video == "h265" else "x264-params"
    coder.options = {"preset": "ultrafast", name: f"{_X265 if video == 'h265' else _X264}:{frames}"}
    for n in range(GOPS * PICTURES):
        frame = av.VideoFrame.from_image(_drawn(label, n))  # type: ignore[no-untyped-call]
        frame.pts = n
        yield from (_picture(packet) for packet in coder.encode(frame))
    yield from (_picture(packet) for packet in coder.encode(None))


def _picture(packet: "av.Packet[Any]") -> Picture:
    return Picture((packet.pts or 0) % PICTURES * PICTURE_MS, bool(packet.is_keyframe), bytes(packet))


def _drawn(label: str, n: int) -> "Image":
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (_WIDTH, _HEIGHT), (40, 60, 40))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((2 * n, 40, 2 * n + 30, 70), fill=(220, 80, 40))
    draw.text((4, 4), f"{label} {n}", fill=(255, 255, 255))
    return picture


def _jpeg(label: str, n: int) -> bytes:
    file = io.BytesIO()
    _drawn(label, n).save(file, "JPEG", quality=60)
    return file.getvalue()
