"""Making a JPEG smaller in a bounded child process: whatever its decoder does, it costs a picture, never more."""

import asyncio
import contextlib
import os
import sys

from msgspec import Struct

from tocsin.media.jpeg import JpegFacts, NoJpeg, jpeg_facts

_REASON_LIMIT = 400
_GAVE_UP = 3


class ReduceLimits(Struct, frozen=True):
    """What one reduction may cost. `megapixels` of the incoming picture; memory is the child's address space."""

    input_bytes: int = 32_000_000
    megapixels: int = 64
    memory_bytes: int = 768_000_000
    seconds: float = 10.0


DEFAULT_LIMITS = ReduceLimits()


class NotReduced(Struct, frozen=True):
    """Why there is no smaller picture, as a clause for people."""

    reason: str


async def reduced(data: bytes, limit: int, limits: ReduceLimits = DEFAULT_LIMITS) -> bytes | NotReduced:
    """The picture as a JPEG of at most `limit` bytes, without EXIF; as it came if it is small enough already.

    Orientation is applied, then quality and dimensions are lowered until it fits. Cancelling kills the child.
    """
    facts = jpeg_facts(data)
    problem = _problem(facts, len(data), limits)
    if problem:
        return NotReduced(problem)
    if len(data) <= limit:
        return data
    return await _in_child(data, limit, limits)


def _problem(facts: JpegFacts | NoJpeg, size: int, limits: ReduceLimits) -> str:
    if isinstance(facts, NoJpeg):
        return facts.reason
    if size > limits.input_bytes:
        return f"it has {size} bytes, more than the {limits.input_bytes} that are looked at"
    if facts.width * facts.height > limits.megapixels * 1_000_000:
        return f"it has {facts.width}×{facts.height} pixels, more than {limits.megapixels} megapixels"
    return ""


async def _in_child(data: bytes, limit: int, limits: ReduceLimits) -> bytes | NotReduced:
    numbers = (limit, limits.megapixels * 1_000_000, limits.memory_bytes, max(1, round(limits.seconds)))
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-m", "tocsin.media.reduce_child", *map(str, numbers),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=_bare_environment(), limit=_REASON_LIMIT,
        )  # fmt: skip
    except OSError as error:
        return NotReduced(f"the process that makes pictures smaller cannot be started: {error.strerror}")
    try:
        async with asyncio.timeout(limits.seconds):
            output, reason = await _talk(child, data, limit)
            return _judged(await child.wait(), output, reason, limit)
    except TimeoutError:
        return NotReduced(f"making it smaller took longer than {limits.seconds:g} s")
    finally:
        await _end(child)


async def _talk(child: asyncio.subprocess.Process, data: bytes, limit: int) -> tuple[bytes, bytes]:
    """Feed the child and read at most one byte more than what is allowed."""
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    async with asyncio.TaskGroup() as both:
        both.create_task(_feed(child.stdin, data))
        output = both.create_task(_read(child.stdout, limit + 1))
        reason = both.create_task(_read(child.stderr, _REASON_LIMIT))
    return output.result(), reason.result()


async def _feed(stream: asyncio.StreamWriter, data: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # it ended early; its exit code tells why
        stream.write(data)
        await stream.drain()
    stream.close()


async def _read(stream: asyncio.StreamReader, most: int) -> bytes:
    try:
        return await stream.readexactly(most)
    except asyncio.IncompleteReadError as end:
        return end.partial


def _judged(code: int, output: bytes, reason: bytes, limit: int) -> bytes | NotReduced:
    if code == _GAVE_UP:
        text = reason.decode("utf-8", "replace").strip()
        return NotReduced("".join(char if char.isprintable() else " " for char in text))
    if code != 0:
        return NotReduced(f"the picture decoder failed on it (exit code {code})")
    if len(output) > limit or isinstance(jpeg_facts(output), NoJpeg):
        return NotReduced("the picture decoder gave no usable smaller picture")
    return output


async def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
    await child.wait()


def _bare_environment() -> dict[str, str]:
    """No secret of the gateway reaches the child; Windows cannot start a process without SYSTEMROOT."""
    return {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}


class Reducer:
    """Reductions a few at a time, so that a flood of large pictures cannot take the machine.

    `waiting` is how many may stand in line; more are refused at once.
    """

    def __init__(self, at_once: int = 2, waiting: int = 32, limits: ReduceLimits = DEFAULT_LIMITS) -> None:
        self._slots = asyncio.Semaphore(at_once)
        self._room = at_once + waiting
        self._limits = limits

    async def reduced(self, data: bytes, limit: int) -> bytes | NotReduced:
        """As the function of the same name."""
        if self._room <= 0:
            return NotReduced("too many pictures are being made smaller at the moment")
        self._room -= 1
        try:
            async with self._slots:
                return await reduced(data, limit, self._limits)
        finally:
            self._room += 1
