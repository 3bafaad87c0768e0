"""Recordings as one MP4 with its index in front, copied in a bounded child process (clearance.md 8.1)."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from tocsin.media.child import NotMade, bare_environment, ended, printable, reason_of
from tocsin.media.in_child import GAVE_UP
from tocsin.media.video_plan import CutPlan, FramesPlan, PlayPlan, Probed, Progress, Written

MEMORY_BYTES = 2 * 1024**3
LEAST_S = 30.0
PER_SECOND_OF_VIDEO = 2.0
LONGEST_LINE = 4096
Last = TypeVar("Last", Written, Probed)
Child = asyncio.subprocess.Process


class Limits(Struct, frozen=True):
    """`seconds`: of wall clock; `computing_s`: of processor time; `most_bytes`: of the file."""

    seconds: float
    computing_s: float = LEAST_S
    most_bytes: int = 64 * 1024**3


def limits_for(video_s: float, seconds: float | None = None) -> Limits:
    """For so much video. `seconds`: for a source that has deadlines of its own."""
    computing_s = video_s * PER_SECOND_OF_VIDEO + LEAST_S
    return Limits(computing_s if seconds is None else seconds, computing_s)


async def cut(plan: CutPlan, limits: Limits, told: Callable[[float], None]) -> Written | NotMade:
    """Parts of files, one behind the other. `told` hears how many seconds are written. Leaves no file when nothing was
    made, nor when it is cancelled.
    """
    return await _written(plan, None, limits, told)


async def muxed(
    plan: FramesPlan, records: AsyncIterator[bytes], limits: Limits, told: Callable[[float], None]
) -> Written | NotMade:
    """Access units as `frames.record` writes them. What `records` raises is passed on."""
    return await _written(plan, records, limits, told)


async def played(plan: PlayPlan, limits: Limits, told: Callable[[float], None]) -> Written | NotMade:
    """What an RTSP server plays."""
    return await _written(plan, None, limits, told)


async def probed(path: Path) -> Probed | NotMade:
    """What a file contains."""
    line = os.fsencode(path) + b"\n"
    return await _talked("tocsin.media.probe_child", line, None, Limits(LEAST_S), Probed, lambda _: None)


async def _written(
    plan: CutPlan | FramesPlan | PlayPlan,
    records: AsyncIterator[bytes] | None,
    limits: Limits,
    told: Callable[[float], None],
) -> Written | NotMade:
    # A gateway that is killed leaves a child that goes on writing: the next one's must be another file.
    into, part = Path(plan.into), Path(f"{plan.into}.{os.getpid()}.part")
    line = msgspec.json.encode(msgspec.structs.replace(plan, into=str(part))) + b"\n"
    try:
        found = await _talked("tocsin.media.mp4_child", line, records, limits, Written, told)
        if isinstance(found, Written):
            await asyncio.to_thread(_finish, part, into)
        return found
    finally:
        _remove(part)


def _remove(part: Path) -> None:
    part.unlink(missing_ok=True)


def _finish(part: Path, into: Path) -> None:
    """On disk before it has its name."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(into)


async def _talked(
    module: str,
    line: bytes,
    records: AsyncIterator[bytes] | None,
    limits: Limits,
    last: type[Last],
    told: Callable[[float], None],
) -> Last | NotMade:
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-m", module, str(MEMORY_BYTES), str(max(1, round(limits.computing_s))),
            str(limits.most_bytes),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=bare_environment(), limit=LONGEST_LINE,
        )  # fmt: skip
    except OSError as error:
        return NotMade(f"the process that works on video cannot be started: {error.strerror}")
    try:
        async with asyncio.timeout(limits.seconds):
            return await _conversed(child, line, records, last, told)
    except TimeoutError:
        return NotMade(f"working on it took longer than {limits.seconds:g} s")
    finally:
        await ended(child)


async def _conversed(
    child: Child, line: bytes, records: AsyncIterator[bytes] | None, last: type[Last], told: Callable[[float], None]
) -> Last | NotMade:
    """What is fed, what is said and what is complained of flow at once; what `records` raises ends all three."""
    fed = asyncio.create_task(_fed(child, line, records))
    said = asyncio.create_task(_said(child, last, told))
    reason = asyncio.create_task(reason_of(child))
    try:
        await fed
        found = await said
        return _judged(await child.wait(), found, await reason)
    finally:
        for task in (fed, said, reason):
            task.cancel()
        await asyncio.wait([fed, said, reason])


async def _fed(child: Child, line: bytes, records: AsyncIterator[bytes] | None) -> None:
    assert child.stdin is not None
    taken = await _taken(child.stdin, line)
    if records is not None and taken:
        async for one in records:
            if not await _taken(child.stdin, one):
                break
    child.stdin.close()


async def _taken(stream: asyncio.StreamWriter, data: bytes) -> bool:
    """False when the child has ended early; its exit code tells why."""
    try:
        stream.write(data)
        await stream.drain()
    except ConnectionError:
        return False
    return True


async def _said(child: Child, last: type[Last], told: Callable[[float], None]) -> Last | None:
    assert child.stdout is not None
    found: Last | None = None
    while line := await child.stdout.readline():
        one = msgspec.json.decode(line, type=Progress | last)
        if isinstance(one, Progress):
            told(one.seconds)
        else:
            found = one
    return found


def _judged(code: int, found: Last | None, reason: bytes) -> Last | NotMade:
    if code == GAVE_UP:
        return NotMade(printable(reason))
    if code != 0 or found is None:
        return NotMade(f"the process that works on video failed on it (exit code {code})")
    return found
