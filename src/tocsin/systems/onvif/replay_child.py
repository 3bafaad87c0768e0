"""Reads a recording by ONVIF replay, in a process of its own under the system's Python, which has GStreamer's bindings.

Nothing of this package is there. The request comes as JSON on stdin, so that a password is in no list of processes;
what was recorded goes to stdout, each message a header and its data: see HEADER. It limits itself before it begins.
"""

import contextlib
import json
import os
import resource
import struct
import sys
import threading
import time
from typing import Any

HEADER = struct.Struct(">cBBqI")
"""What it is: F frame, E end, U unreachable, L login refused, P protocol; codec; key frame; nanoseconds since 1970;
length of the data.
"""
CODECS = ("h264", "h265", "jpeg", "aac")
ENCODINGS = {"H264": 0, "H265": 1, "JPEG": 2, "MPEG4-GENERIC": 3}
READERS = (
    "rtph264depay ! video/x-h264,stream-format=byte-stream,alignment=au",
    "rtph265depay ! video/x-h265,stream-format=byte-stream,alignment=au",
    "rtpjpegdepay",
    "rtpmp4gdepay ! aacparse ! audio/mpeg,stream-format=adts,framed=true",
)
MEMORY = 2 * 1024**3
SINCE_1900_NS = 2_208_988_800 * 10**9
LATENCY_MS = 200
QUEUED = 50


class Child:
    """One replay. `request`: location, user, password, start and stop (ns since 1970), silence_s, most_s."""

    def __init__(self, request: dict[str, Any], gst: Any) -> None:
        self.request = request
        self.gst = gst
        self.writing = threading.Lock()
        self.pipeline = gst.Pipeline.new(None)

    def run(self) -> None:
        source = self._source()
        self.pipeline.add(source)
        begin, end = (self.request[name] + SINCE_1900_NS for name in ("start", "stop"))
        flags = self.gst.SeekFlags.FLUSH | self.gst.SeekFlags.ACCURATE
        sought = self.gst.SeekType.SET
        source.send_event(self.gst.Event.new_seek(1.0, self.gst.Format.TIME, flags, sought, begin, sought, end))
        self.pipeline.set_state(self.gst.State.PLAYING)
        self._watch()

    def _source(self) -> Any:
        source = self.gst.ElementFactory.make("rtspsrc")
        source.set_property("location", self.request["location"])
        source.set_property("onvif-mode", True)
        source.set_property("onvif-rate-control", False)
        source.set_property("latency", LATENCY_MS)
        source.set_property("tcp-timeout", int(self.request["silence_s"] * 1_000_000))
        source.set_property("teardown-timeout", 0)
        self.gst.util_set_object_arg(source, "protocols", "tcp")
        if self.request["user"]:
            source.set_property("user-id", self.request["user"])
            source.set_property("user-pw", self.request["password"])
        source.connect("pad-added", self._stream)
        return source

    def _stream(self, source: Any, pad: Any) -> None:
        """A track: one of ours is read, the others are let go."""
        encoding = pad.get_current_caps().get_structure(0).get_string("encoding-name")
        codec = ENCODINGS.get(encoding)
        described = "fakesink sync=false"
        if codec is not None:
            sink = f"appsink name=sink sync=false emit-signals=true max-buffers={QUEUED}"
            described = f"queue ! rtponvifparse ! {READERS[codec]} ! {sink}"
        reader = self.gst.parse_bin_from_description(described, True)
        self.pipeline.add(reader)
        if codec is not None:
            reader.get_by_name("sink").connect("new-sample", self._sample, codec)
        pad.link(reader.get_static_pad("sink"))
        reader.sync_state_with_parent()

    def _sample(self, sink: Any, codec: int) -> Any:
        buffer = sink.emit("pull-sample").get_buffer()
        if buffer.pts != self.gst.CLOCK_TIME_NONE:
            key = not buffer.has_flags(self.gst.BufferFlags.DELTA_UNIT)
            self._write(b"F", codec, key, buffer.pts - SINCE_1900_NS, buffer.extract_dup(0, buffer.get_size()))
        return self.gst.FlowReturn.OK

    def _watch(self) -> None:
        kinds = self.gst.MessageType.ERROR | self.gst.MessageType.EOS
        until = time.monotonic() + self.request["most_s"]
        while time.monotonic() < until:
            message = self.pipeline.get_bus().timed_pop_filtered(self.gst.SECOND, kinds)
            if message is None:
                continue
            if message.type == self.gst.MessageType.EOS:
                self._write(b"E", 0, False, 0, b"")
            else:
                error, _ = message.parse_error()
                self._write(_kind(error), 0, False, 0, error.message.encode()[:300])
            return
        self._write(b"U", 0, False, 0, b"it took too long")

    def _write(self, kind: bytes, codec: int, key: bool, at: int, data: bytes) -> None:
        with self.writing:
            try:
                _write_all(HEADER.pack(kind, codec, key, at, len(data)) + data)
            except (OSError, struct.error):
                os._exit(1)  # nobody reads any more


def _write_all(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def _kind(error: Any) -> bytes:
    """By the codes of GStreamer's resource errors: 15 is the login, 5, 6, 7, 9 and 13 are the connection."""
    if "resource" not in error.domain:
        return b"P"
    return {15: b"L", 5: b"U", 6: b"U", 7: b"U", 9: b"U", 13: b"U"}.get(error.code, b"P")


def main() -> None:
    for limit, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CORE, 0)):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (most, most))
    request = json.loads(sys.stdin.buffer.readline(100_000))
    import gi

    gi.require_version("Gst", "1.0")
    from gi.repository import Gst

    Gst.init(None)
    Child(request, Gst).run()
    os._exit(0)


if __name__ == "__main__":
    main()
