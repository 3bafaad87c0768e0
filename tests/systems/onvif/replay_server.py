"""A recorder's replay server, by gst-rtsp-server: run by the system's Python, which has GStreamer's bindings.

Arguments: when the recording began (seconds since 1970), and how its stretches lie: "0-20,30-40" seconds from then.
A third, "USER:PASSWORD", is demanded by Digest. Prints its port. It holds 10 frames a second, a key frame each second.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

SINCE_1900_S = 2_208_988_800
FRAME_NS = 100_000_000
ENCODED = (
    "videotestsrc num-buffers={frames} pattern=ball ! video/x-raw,width=160,height=120,framerate=10/1 "
    "! x264enc key-int-max=10 bframes=0 threads=1 "
    "tune=zerolatency sliced-threads=false option-string=scenecut=0 "
    "! video/x-h264,stream-format=byte-stream,alignment=au "
    "! appsink name=sink sync=false"
)
CAPS = "video/x-h264,stream-format=byte-stream,alignment=au,framerate=10/1"
SOURCE = "appsrc name=source format=time stream-type=seekable is-live=false "
SOURCE += f"handle-segment-change=true block=true max-bytes=200000 caps={CAPS}"
ALLOWED = "viewer, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
PAID = (
    "queue ! h264parse ! rtph264pay config-interval=0 "
    "! rtponviftimestamp ntp-offset=0 set-e-bit=true set-t-bit=true drop-out-of-segment=false ! queue"
)


def encoded(frames):
    """Access units, and whether each is a key frame."""
    pipeline = Gst.parse_launch(ENCODED.format(frames=frames))
    sink = pipeline.get_by_name("sink")
    pipeline.set_state(Gst.State.PLAYING)
    found = []
    while (sample := sink.emit("pull-sample")) is not None:
        buffer = sample.get_buffer()
        found.append((buffer.extract_dup(0, buffer.get_size()), not buffer.has_flags(Gst.BufferFlags.DELTA_UNIT)))
    pipeline.set_state(Gst.State.NULL)
    return found


class Feed:
    """What is recorded, into an appsrc, from where it is sought."""

    def __init__(self, recorded, source):
        self.recorded, self.place = recorded, 0
        self.segment = Gst.Segment()
        self.lead = True
        source.connect("need-data", self.need)
        source.connect("seek-data", self.seek)

    def seek(self, source, position):
        before = [n for n, (at, _, key) in enumerate(self.recorded) if key and at <= position]
        after = [n for n, (at, _, key) in enumerate(self.recorded) if key and at > position]
        self.place = before[-1] if before else after[0] if after else len(self.recorded)
        self.segment = Gst.Segment()
        self.segment.init(Gst.Format.TIME)
        self.lead = True
        if self.place < len(self.recorded):  # what lies before the segment that was sought is thrown away
            self.segment.start = self.segment.time = self.segment.position = (
                self.recorded[self.place][0] - 10 * FRAME_NS
            )
        return True

    def need(self, source, length):
        if self.place >= len(self.recorded):
            source.emit("end-of-stream")
            return
        at, data, key = self.recorded[self.place]
        if self.lead:  # this server (1.22) loses what comes first after a seek
            self.lead, at = False, at - FRAME_NS
        else:
            self.place += 1
        buffer = Gst.Buffer.new_wrapped(data)
        buffer.pts = buffer.dts = at
        buffer.duration = FRAME_NS
        if not key:
            buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
        source.emit("push-sample", Gst.Sample.new(buffer, source.get_property("caps"), self.segment, None))


class Factory(GstRtspServer.RTSPOnvifMediaFactory):
    """The server looks for its payloader in what is called pay0."""

    def do_create_element(self, url):
        made = Gst.Bin.new(None)
        source = Gst.parse_bin_from_description(SOURCE, True)
        paid = Gst.parse_bin_from_description(PAID, True)
        paid.set_name("pay0")
        made.add(source)
        made.add(paid)
        source.link(paid)
        return made


def main():
    Gst.init(None)
    began = (int(sys.argv[1]) + SINCE_1900_S) * Gst.SECOND
    recorded = []
    for stretch in sys.argv[2].split(","):
        first, last = (int(part) for part in stretch.split("-"))
        for n, (data, key) in enumerate(encoded((last - first) * 10)):
            recorded.append((began + first * Gst.SECOND + n * FRAME_NS, data, key))
    server = GstRtspServer.RTSPOnvifServer.new()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = Factory()
    factory.set_media_gtype(GstRtspServer.RTSPOnvifMedia.__gtype__)
    feeds = []

    def configured(factory, media):
        feeds.append(Feed(recorded, media.get_element().get_by_name_recurse_up("source")))

    factory.connect("media-configure", configured)
    if len(sys.argv) > 3:
        auth = GstRtspServer.RTSPAuth.new()
        auth.set_supported_methods(2)
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        user, _, password = sys.argv[3].partition(":")
        auth.add_digest(user, password, token)
        server.set_auth(auth)
        factory.add_role_from_structure(
            Gst.Structure.from_string(
                "viewer, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
            )[0]
        )
    server.get_mount_points().add_factory("/recording", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main()
