"""Stations that are told by mail: how fast a backlog with pictures goes out over the one connection there is."""

import base64
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from benchmarks.figure import Figure, new_folder, wait_drained
from benchmarks.process import Gateway, free_port, once, serving

COUNT = 1000
IMMIX = """
[[destinations]]
name = "immix"
type = "immix"
hosts = ["127.0.0.1:{port}"]
tls = {{ mode = "off" }}
account = "S12345"
photos = {{ wait = "0s" }}
retry = {{ longest = "1s" }}
"""


def mails() -> Iterator[Figure]:
    """Events with one photo of about 15 kB, kept while the server is away, then sent; smtplib into the same server."""
    folder = new_folder()
    photo = photo_file(folder)
    ours = _ours(folder, photo)
    made, ready = _smtplib(photo), _smtplib(photo, "--ready")
    shown = f"{ours:.0f}/s from the store, each receipt kept"
    yield Figure(
        "mails with a photo, one connection", ours / made, "x", 0.7, shown, f"smtplib, made and sent {made:.0f}/s"
    )
    yield Figure(
        "the same against one mail sent again", ours / ready, "x", None, shown, f"smtplib, only sent {ready:.0f}/s"
    )


def _ours(folder: Path, photo: Path) -> float:
    """Mails a second of the whole gateway."""
    port = free_port()
    with Gateway(folder, IMMIX.format(port=port)) as gateway:
        for n in range(COUNT):
            gateway.post("/api/v1/events", _event(n, photo), "application/json")
        with serving("benchmarks.mail_sink", "server", "--port", port) as sink:
            sink.line()
            wait_drained(gateway)
            seen = sink.stop()
    assert seen["mails"] >= COUNT
    assert seen["connections"] <= 2
    return float(seen["mails"] / seen["seconds"])


def _smtplib(photo: Path, *how: str) -> float:
    with serving("benchmarks.mail_sink", "server") as sink:
        port = sink.line()["port"]
        once("benchmarks.mail_sink", "smtplib", "--port", port, "--count", COUNT, "--photo", photo, *how)
        seen = sink.stop()
    return float(seen["mails"] / seen["seconds"])


def photo_file(folder: Path) -> Path:
    """Noise of which JPEG keeps about 15 kB."""
    grain = Image.frombytes("L", (160, 120), random.Random(1).randbytes(160 * 120)).resize((320, 240))
    written = io.BytesIO()
    grain.convert("RGB").save(written, "JPEG", quality=35)
    target = folder / "photo.jpg"
    target.write_bytes(written.getvalue())
    return target


def _event(n: int, photo: Path) -> bytes:
    data = base64.b64encode(photo.read_bytes()).decode()
    photos = [{"content_type": "image/jpeg", "data": data}]
    event = {"id": f"bench-{n:06d}", "kind": "motion", "device_id": f"device-{n % 50}", "photos": photos}
    return json.dumps(event).encode()
