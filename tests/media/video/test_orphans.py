"""A gateway that is killed leaves its child processes behind: what they still write spoils nothing."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from pathlib import Path

from tests.media.video.conftest import Unit

from tocsin.media.frames import record
from tocsin.media.mp4 import limits_for, muxed
from tocsin.media.video_plan import FramesPlan, Written

KILLED = """
import asyncio, sys
from tocsin.media.mp4 import limits_for, muxed
from tocsin.media.video_plan import FramesPlan

async def records():
    yield sys.stdin.buffer.read()
    print("fed", flush=True)
    await asyncio.Event().wait()

asyncio.run(muxed(FramesPlan(sys.argv[1]), records(), limits_for(60), print))
"""


async def records(units: Sequence[Unit]) -> AsyncIterator[bytes]:
    for unit in units:
        yield record(unit.at_us, "h264", unit.key, unit.data)


async def killed_after(into: Path, data: bytes) -> int:
    """The process id of a child that has been given so much, and then has lost its parent; it is stopped."""
    pipe = asyncio.subprocess.PIPE
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, into, stdin=pipe, stdout=pipe)
    assert parent.stdin is not None
    assert parent.stdout is not None
    parent.stdin.write(data)
    parent.stdin.close()
    assert await parent.stdout.readline() == b"fed\n"
    async with asyncio.timeout(30):
        while not list(into.parent.glob("*.part")):
            await asyncio.sleep(0.01)
    (child,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    os.kill(int(child), signal.SIGSTOP)
    parent.kill()
    await parent.wait()
    return int(child)


async def gone(pid: int) -> None:
    """Whoever inherits it may not have collected it."""
    async with asyncio.timeout(30):
        with contextlib.suppress(FileNotFoundError):
            while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                await asyncio.sleep(0.01)


async def test_an_orphan_writes_into_no_file_but_its_own(units: list[Unit], tmp_path: Path) -> None:
    into = tmp_path / "a.mp4"
    orphan = await killed_after(into, b"".join([one async for one in records(units)]))
    made = await muxed(FramesPlan(str(into)), records(units), limits_for(5), print)
    assert isinstance(made, Written)
    before = sha256(into.read_bytes()).hexdigest()
    os.kill(orphan, signal.SIGCONT)
    await gone(orphan)
    assert sha256(into.read_bytes()).hexdigest() == before
