"""Two hours of H.264 copied into an MP4 with its index in front: the agent's cutting against ffmpeg, both synced."""

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figure import Figure, new_folder
from tocsin.media.mp4 import NotMade, cut, limits_for
from tocsin.media.video_plan import CutPlan, Piece

HOURS, PIECE_S, PAIRS = 2, 10, 3
RATE = "4M"
WHOLE_S = HOURS * 3600


def remuxing() -> Iterator[Figure]:
    """A recording of 4 Mbit/s; who comes first takes turns."""
    if shutil.which("ffmpeg") is None:
        print("remuxing: not measured, Debian's ffmpeg is not installed")
        return
    folder = new_folder()
    recording = _recording(folder)
    ratios = []
    for number in range(PAIRS):
        theirs_s = _ffmpeg(recording, folder) if number % 2 else 0.0
        ours_s = asyncio.run(_ours(recording, folder))
        theirs_s = theirs_s or _ffmpeg(recording, folder)
        ratios.append(ours_s / theirs_s)
    size_gb = recording.stat().st_size / 1e9
    shutil.rmtree(folder)
    yield Figure(
        "Two hours of 4 Mbit/s H.264 into one MP4",
        sorted(ratios)[PAIRS // 2],
        "x",
        1.2,
        f"{ours_s:.1f} s for {size_gb:.1f} GB",
        f"ffmpeg -c copy -movflags +faststart {theirs_s:.1f} s",
        most=True,
    )


def _recording(folder: Path) -> Path:
    """One piece is encoded; the rest repeats it."""
    piece, whole = folder / "piece.mp4", folder / "recording.mp4"
    encoding = f"-c:v libx264 -preset ultrafast -g 50 -b:v {RATE} -minrate {RATE} -maxrate {RATE} -bufsize 8M"
    picture = f"testsrc2=size=1280x720:rate=25:duration={PIECE_S},noise=alls=60:allf=t,format=yuv420p"
    _run("-f", "lavfi", "-i", picture, *encoding.split(), "-x264-params", "nal-hrd=cbr", str(piece))
    _run("-stream_loop", str(WHOLE_S // PIECE_S - 1), "-i", str(piece), "-c", "copy", str(whole))
    return whole


def _ffmpeg(recording: Path, folder: Path) -> float:
    into = folder / "theirs.mp4"
    began = time.perf_counter()
    _run("-i", str(recording), "-c", "copy", "-movflags", "+faststart", str(into))
    with into.open("rb") as file:
        os.fsync(file.fileno())
    spent = time.perf_counter() - began
    into.unlink()
    return spent


async def _ours(recording: Path, folder: Path) -> float:
    into = folder / "ours.mp4"
    plan = CutPlan(str(into), (Piece(str(recording), 0, 0, WHOLE_S * 1_000_000),))
    began = time.perf_counter()
    written = await cut(plan, limits_for(WHOLE_S), lambda _: None)
    spent = time.perf_counter() - began
    if isinstance(written, NotMade):
        raise RuntimeError(str(written))
    assert written.frames == WHOLE_S * 25, written
    into.unlink()
    return spent


def _run(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True)
