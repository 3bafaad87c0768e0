"""A recorder that plays a file over RTSP, by gst-rtsp-server: run by the system's Python, which has the bindings.

Arguments: the file, and perhaps "USER:PASSWORD", demanded by Digest. Prints its port. Any address is the file.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PLAYED = '( filesrc location="{}" ! qtdemux ! h264parse ! rtph264pay name=pay0 config-interval=0 )'
ALLOWED = "viewer, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"


class AnyTime(GstRtspServer.RTSPMountPoints):
    """The time stands in the address."""

    def do_make_path(self, url):
        return "/play"


def main():
    Gst.init(None)
    server = GstRtspServer.RTSPServer.new()
    server.set_address("127.0.0.1")
    server.set_service("0")
    factory = GstRtspServer.RTSPMediaFactory.new()
    factory.set_launch(PLAYED.format(sys.argv[1]))
    if len(sys.argv) > 2:
        auth = GstRtspServer.RTSPAuth.new()
        auth.set_supported_methods(2)
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "viewer")
        user, _, password = sys.argv[2].partition(":")
        auth.add_digest(user, password, token)
        server.set_auth(auth)
        factory.add_role_from_structure(Gst.Structure.from_string(ALLOWED)[0])
    points = AnyTime()
    server.set_mount_points(points)
    points.add_factory("/play", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main()
