"""The child process of avi.py: JPEGs on stdin, a clip on stdout. Frames are copied, not decoded."""

import io
from fractions import Fraction

import av

from tocsin.media.in_child import run, split


def mux(data: bytes, frame_rate: int, width: int, height: int) -> bytes:
    """The clip with one MJPG stream and an index. Raises OSError, ValueError."""
    tick = Fraction(1, frame_rate)
    written = io.BytesIO()
    with av.open(written, "w", format="avi") as container:
        stream = container.add_mux_stream("mjpeg", rate=frame_rate, width=width, height=height)
        stream.time_base = tick  # else it counts in 1/600 s, with empty frames between the pictures
        for n, picture in enumerate(split(data)):
            packet = av.Packet(picture)
            packet.stream, packet.time_base = stream, tick
            packet.pts = packet.dts = n
            packet.duration = 1
            packet.is_keyframe = True
            container.mux_one(packet)
    return written.getvalue()


if __name__ == "__main__":
    run(mux)
