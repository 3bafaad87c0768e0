"""What the process that writes a video is told, and what it tells. Times are microseconds."""

from msgspec import Struct


class Piece(Struct, frozen=True):
    """Part of a file: `start_us` and `end_us` count from its first picture, which was taken at `at_us` since 1970."""

    path: str
    at_us: int
    start_us: int
    end_us: int


class CutPlan(Struct, frozen=True, tag="cut", tag_field="mode"):
    into: str
    pieces: tuple[Piece, ...]
    audio: bool = True


class FramesPlan(Struct, frozen=True, tag="frames", tag_field="mode"):
    into: str
    audio: bool = True


class PlayPlan(Struct, frozen=True, tag="play", tag_field="mode"):
    """An RTSP server plays what was recorded from `at_us` on. `url` is a secret: it holds the password."""

    into: str
    url: str
    at_us: int
    length_us: int
    timeout_s: float
    audio: bool = True


class Progress(Struct, frozen=True, tag="progress", tag_field="what"):
    seconds: float


class Written(Struct, frozen=True, tag="written", tag_field="what"):
    """From the first picture to the end of the last, since 1970."""

    first_us: int
    end_us: int
    frames: int


class Probed(Struct, frozen=True, tag="probed", tag_field="what"):
    """What a file of video contains. `sort`: files of one sort can follow each other in one file."""

    seconds: float
    codec: str
    sort: str


class StillPlan(Struct, frozen=True):
    """`path` empty: the JPEG that follows. `at_us` counts from the file's first picture."""

    path: str
    at_us: int = 0
    side: int = 640
    most_bytes: int = 262_144
    pixels: int = 50_000_000
