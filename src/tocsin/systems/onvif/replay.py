"""Replay of a recording through a child process: bounded in time, silence and bytes, and killed when nobody reads."""

import asyncio
import contextlib
import glob
import math
import os
import re
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import get_args

import msgspec
from msgspec import Struct

from tocsin.engine.systems import Codec, Frame, LoginRefused, ProtocolFault, Span, SystemFault, Unreachable
from tocsin.protocols.text import one_line
from tocsin.systems.onvif.recorded import Stretch

PYTHONS = ("/usr/bin/python3",)
HEADER = struct.Struct(">cBBqI")
"""replay_child.py says what is in it."""
SILENCE_S = 15.0
"""So long a recorder may send nothing."""
AFTER = timedelta(seconds=2)
"""Asked for beyond the end, so that the first frame after it comes."""
FRAME_LIMIT = 16 * 1024 * 1024
BYTES_PER_S = 8 * 1024 * 1024
LEAST_BYTES = 64 * 1024 * 1024
_UNIT = re.compile(rb"\x00\x00\x01(.)", re.DOTALL)
CODECS: tuple[Codec, ...] = get_args(Codec)
NEEDED = {
    "python3-gi": (
        "/usr/lib*/python3*/dist-packages/gi/__init__.py",
        "/usr/lib*/python3*/site-packages/gi/__init__.py",
    ),
    "gir1.2-gstreamer-1.0": (
        "/usr/lib*/girepository-1.0/Gst-1.0.typelib",
        "/usr/lib/*/girepository-1.0/Gst-1.0.typelib",
    ),
    "gstreamer1.0-plugins-base": ("/usr/lib*/gstreamer-1.0/libgstapp.so", "/usr/lib/*/gstreamer-1.0/libgstapp.so"),
    "gstreamer1.0-plugins-good": ("/usr/lib*/gstreamer-1.0/libgstrtsp.so", "/usr/lib/*/gstreamer-1.0/libgstrtsp.so"),
    "gstreamer1.0-plugins-bad": (
        *("/usr/lib*/gstreamer-1.0/libgstrtponvif.so", "/usr/lib/*/gstreamer-1.0/libgstrtponvif.so"),
    ),
}
"""Debian's packages, and where one of their files lies."""


class Request(Struct, frozen=True):
    """As the child reads it; `start` and `stop` are nanoseconds since 1970."""

    location: str
    user: str
    password: str
    start: int
    stop: int
    silence_s: float
    most_s: float

    def __repr__(self) -> str:
        return f"Request({self.location})"


def missing_packages() -> list[str]:
    """Debian's packages that replay needs and this machine has not."""
    absent = [name for name, places in NEEDED.items() if not any(glob.glob(place) for place in places)]
    return absent if any(map(os.path.exists, PYTHONS)) else ["python3", *absent]


async def replay(location: str, user: str, password: str, span: Span, silence_s: float) -> AsyncGenerator[Frame, None]:
    """What the recorder replays of the span, with its own times. Raises SystemFault."""
    most_s = 2 * span.length.total_seconds() + 30.0  # connectors.md 7
    # Whole seconds, outwards: recorders refuse parts of seconds that clients write in another way than they do.
    times = (math.floor(span.start.timestamp()) * 10**9, math.ceil(span.end.timestamp()) * 10**9)
    request = Request(location, user, password, *times, silence_s, most_s)
    child = await _started()
    try:
        assert child.stdin is not None
        with contextlib.suppress(ConnectionError):
            child.stdin.write(msgspec.json.encode(request) + b"\n")
            await child.stdin.drain()
        async for frame in _frames(child, span, silence_s, most_s):
            yield frame
    finally:
        await _end(child)


async def cut(frames: AsyncIterator[Frame], end: datetime) -> AsyncGenerator[Frame, None]:
    """From the first key frame to the first picture after the end. What a recorder sends before it helps nobody."""
    begun = False
    last = datetime.min.replace(tzinfo=UTC)
    try:
        async for one in frames:
            picture = one.codec != "aac"
            begun = begun or (picture and one.key)
            if begun:
                yield one
            if begun and picture:
                last = one.at
                if last > end:
                    return
    except Unreachable:
        if last + AFTER < end:
            raise
        # All was sent, and the recorder fell silent instead of saying so.


def parts(found: Sequence[Stretch]) -> list[tuple[str, Span]]:
    """What is to be replayed: of each recording from its first stretch to its last, oldest first."""
    spans: dict[str, Span] = {}
    for one in found:
        before = spans.get(one.recording, one.span)
        spans[one.recording] = Span(min(before.start, one.span.start), max(before.end, one.span.end))
    return sorted(spans.items(), key=lambda part: part[1].start)


async def _started() -> asyncio.subprocess.Process:
    python = next(filter(os.path.exists, PYTHONS), PYTHONS[0])
    code = str(files(__package__) / "replay_child.py")
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        return await asyncio.create_subprocess_exec(
            python, "-I", code, stdin=pipe, stdout=pipe, stderr=nowhere, env={}, limit=1024 * 1024
        )
    except OSError as error:
        raise ProtocolFault(f"{python}, which reads recordings, cannot be started: {error.strerror}") from error


async def _frames(
    child: asyncio.subprocess.Process, span: Span, silence_s: float, most_s: float
) -> AsyncGenerator[Frame, None]:
    """The time that counts is that in which the recorder is waited for, not that of whoever takes the frames."""
    left_s, left_bytes = most_s, LEAST_BYTES + int(span.length.total_seconds() * BYTES_PER_S)
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        message = await _message(child, min(silence_s, left_s))
        left_s -= clock() - began
        if message is None:
            return
        left_bytes -= len(message.data)
        if left_bytes < 0:
            raise ProtocolFault("the recorder sends more than a recording of this length can have")
        if left_s <= 0:
            raise Unreachable(f"the replay was not over after {most_s:.0f} s")
        yield message


async def _message(child: asyncio.subprocess.Process, wait_s: float) -> Frame | None:
    """None: the end."""
    assert child.stdout is not None
    try:
        async with asyncio.timeout(wait_s):
            header = await child.stdout.readexactly(HEADER.size)
            kind, codec, key, at, length = HEADER.unpack(header)
            if length > FRAME_LIMIT:
                raise ProtocolFault(f"the recorder sends a frame of {length} bytes")
            data = await child.stdout.readexactly(length)
    except TimeoutError:
        raise Unreachable(f"the recorder sends nothing of the replay for {wait_s:.0f} s") from None
    except asyncio.IncompleteReadError:
        raise ProtocolFault("the process that reads recordings ended unexpectedly") from None
    if kind == b"E":
        return None
    if kind != b"F":
        raise _fault(kind, data)
    return frame(codec, key, at, data)


def frame(codec: int, key: int, at: int, data: bytes) -> Frame:
    """Raises ProtocolFault."""
    try:
        when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=round(at / 1000))
        return Frame(when, CODECS[codec], bool(key) and is_key(CODECS[codec], data), data)
    except (IndexError, OverflowError):
        raise ProtocolFault("the recorder sends a frame of no possible time") from None


def is_key(codec: Codec, data: bytes) -> bool:
    """By the first unit that holds a picture: the bindings also mark a frame that only follows parameter sets."""
    if codec not in ("h264", "h265"):
        return True
    for unit in _UNIT.finditer(data):
        first = unit[1][0]
        kind = first & 31 if codec == "h264" else first >> 1 & 63
        if (1 <= kind <= 5) if codec == "h264" else kind <= 31:
            return kind == 5 if codec == "h264" else 16 <= kind <= 23
    return False


def _fault(kind: bytes, data: bytes) -> SystemFault:
    text = one_line(data.decode("utf-8", "replace"))
    if kind == b"L":
        return LoginRefused(f"the recorder refuses the login for its replay: {text}")
    return (Unreachable if kind == b"U" else ProtocolFault)(f"the recorder does not replay: {text}")


async def _end(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.kill()
    assert child.stdout is not None
    while await child.stdout.read(1024 * 1024):
        pass
    await child.wait()
    assert child.stdin is not None
    child.stdin.close()
