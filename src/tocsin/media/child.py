"""Native work on foreign pictures in a bounded child process: whatever happens there costs a picture, never more."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence

from msgspec import Struct

from tocsin.media.in_child import GAVE_UP

_REASON_LIMIT = 400


class NotMade(Struct, frozen=True):
    """Why nothing was made, as a clause for people."""

    reason: str


async def made(
    module: str, numbers: Sequence[int], data: bytes, most: int, memory_bytes: int, seconds: float
) -> bytes | NotMade:
    """What the child module writes for `data`, at most `most` bytes; `memory_bytes` is its address space.

    It is started with memory, whole seconds and then `numbers` as arguments. Cancelling kills it.
    """
    bounds = (memory_bytes, max(1, round(seconds)))
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-m", module, *map(str, (*bounds, *numbers)),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=bare_environment(), limit=_REASON_LIMIT,
        )  # fmt: skip
    except OSError as error:
        return NotMade(f"the process that works on pictures cannot be started: {error.strerror}")
    try:
        async with asyncio.timeout(seconds):
            output, reason = await _talk(child, data, most)
            return _judged(await child.wait(), output, reason, most)
    except TimeoutError:
        return NotMade(f"working on it took longer than {seconds:g} s")
    finally:
        await ended(child)


async def _talk(child: asyncio.subprocess.Process, data: bytes, most: int) -> tuple[bytes, bytes]:
    """Feed the child and read what it says; one that writes more than it may is ended."""
    assert child.stdin is not None
    async with asyncio.TaskGroup() as all_three:
        all_three.create_task(_feed(child.stdin, data))
        output = all_three.create_task(_output(child, most))
        reason = all_three.create_task(reason_of(child))
    return output.result(), reason.result()


async def _feed(stream: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # it ended early; its exit code tells why
        stream.write(data)
        await stream.drain()
    stream.close()


async def _output(child: asyncio.subprocess.Process, most: int) -> bytes:
    assert child.stdout is not None
    output = await _start_of(child.stdout, most + 1)
    if len(output) > most:
        kill(child)
    await _drop(child.stdout)
    return output


async def reason_of(child: asyncio.subprocess.Process) -> bytes:
    assert child.stderr is not None
    reason = await _start_of(child.stderr, _REASON_LIMIT)
    await _drop(child.stderr)
    return reason


async def _start_of(stream: asyncio.StreamReader, most: int) -> bytes:
    try:
        return await stream.readexactly(most)
    except asyncio.IncompleteReadError as end:
        return end.partial


async def _drop(stream: asyncio.StreamReader) -> None:
    """Read to the end: as long as something is unread, the process does not count as ended."""
    while await stream.read(65_536):
        pass


def _judged(code: int, output: bytes, reason: bytes, most: int) -> bytes | NotMade:
    if len(output) > most:
        return NotMade(f"what came of it has more than {most} bytes")
    if code == GAVE_UP:
        return NotMade(printable(reason))
    if code != 0 or not output:
        return NotMade(f"the process that works on pictures failed on it (exit code {code})")
    return output


def printable(reason: bytes) -> str:
    """The clause a child gave up with."""
    text = reason.decode("utf-8", "replace").strip()
    return "".join(char if char.isprintable() else " " for char in text)


async def ended(child: asyncio.subprocess.Process) -> None:
    """However it came to this: the process is gone and its pipes are closed."""
    if child.returncode is None:
        kill(child)
    for stream in (child.stdout, child.stderr):
        assert stream is not None
        await _drop(stream)
    await child.wait()


def kill(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.kill()


def bare_environment() -> dict[str, str]:
    """No secret of the gateway reaches the child; Windows cannot start a process without SYSTEMROOT."""
    return {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
