"""Clips as an independent reader sees them (Debian's ffmpeg)."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.media.test_avi import picture

from tocsin.media.avi import clip

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not installed (Debian: ffmpeg)")


def probed(file: Path) -> dict[str, Any]:
    what = ("-show_streams", "-count_packets", "-of", "json")
    done = subprocess.run(["ffprobe", "-v", "error", *what, str(file)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    (stream,) = json.loads(done.stdout)["streams"]
    return dict(stream)


@needs_ffmpeg
@pytest.mark.parametrize("rate", [1, 5])
async def test_count_size_and_rate_are_right_and_frames_are_the_jpegs(tmp_path: Path, rate: int) -> None:
    pictures = [picture(n, 160, 120) for n in range(6)]
    made = await clip(pictures, rate)
    assert isinstance(made, bytes), made
    file = tmp_path / "clip.avi"
    file.write_bytes(made)
    stream = probed(file)
    assert (stream["codec_name"], stream["codec_tag_string"]) == ("mjpeg", "MJPG")
    assert (stream["width"], stream["height"], stream["nb_read_packets"]) == (160, 120, "6")
    assert stream["r_frame_rate"] == f"{rate}/1"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(file), "-c", "copy", "-f", "image2", str(tmp_path / "%d.jpg")], check=True
    )
    assert [(tmp_path / f"{n}.jpg").read_bytes() for n in range(1, 7)] == pictures
