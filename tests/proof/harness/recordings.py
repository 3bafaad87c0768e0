"""A folder of recordings as a recorder exports them, with pictures that resemble nothing else: no two are alike, and
nothing of them can be packed.
"""

import random
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

BEGAN = datetime(2026, 3, 8, 5, 0, tzinfo=UTC)
RATE = 2
LENGTH_S = 20
"""Of a file; the next one follows without a gap."""
WIDTH, HEIGHT = 320, 240


def archive(folder: Path, cameras: int, files: int, missing: tuple[int, ...] = ()) -> None:
    """`{camera}/{start}.mp4`, each 20 s and about 3 MB. `missing`: numbers of files that no camera has."""
    for camera in range(1, cameras + 1):
        (folder / f"cam{camera}").mkdir(parents=True)
        for number in range(files):
            if number not in missing:
                start = BEGAN + timedelta(seconds=number * LENGTH_S)
                recording(folder / f"cam{camera}" / f"{start:%Y%m%d_%H%M%S}.mp4", random.Random(100 * camera + number))


def recording(path: Path, randomness: random.Random) -> None:
    """A key frame every two seconds."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, RATE)
        stream.options = {"preset": "ultrafast", "qp": "24", "g": str(2 * RATE), "sc_threshold": "0"}
        for n in range(RATE * LENGTH_S):
            container.mux(stream.encode(_noise(randomness, n)))
        container.mux(stream.encode(None))


def _noise(randomness: random.Random, number: int) -> Any:
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for plane in frame.planes:
        plane.update(randomness.randbytes(plane.buffer_size))
    frame.pts = number
    return frame
