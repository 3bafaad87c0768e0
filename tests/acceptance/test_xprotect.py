"""The real program between an XProtect site and a station: motion arrives with the picture of its moment."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import Program

from tocsin.engine.clock import LoopClock
from tocsin.media.jpeg import JpegFacts, jpeg_facts
from tocsin.standins.dc09 import Station
from tocsin.standins.ftpes import FtpStandin
from tocsin.standins.milestone.site import Plan, identity
from tocsin.standins.milestone.standin import MilestoneStandin
from tocsin.standins.milestone.switches import Login

CONFIGURATION = """
[api]
listen = "127.0.0.1:API_PORT"
[[destinations]]
name = "arc"
type = "dc09"
hosts = ["127.0.0.1:DC09_PORT"]
account = "9280"
supervision = "off"
filter = { kinds = ["motion"] }
[destinations.photos]
by = "ftp"
hosts = ["127.0.0.1:FTP_PORT"]
user = "tocsin"
password = "tocsin"
tls = { mode = "off" }
wait = "20s"
[[systems]]
name = "xp"
type = "milestone"
url = "http://127.0.0.1:XP_PORT"
username = "tocsin"
password = "a&b"
alarms = ["motion"]
"""


async def test_motion_arrives_with_its_picture(program: Callable[[str], Program], tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    receiver = Station(LoopClock(), random.Random(1))
    pictures = FtpStandin("127.0.0.1:0", lambda _: None, LoopClock(), folder=str(tmp_path))
    site = MilestoneStandin("127.0.0.1:0", told.append, LoopClock(), Plan(4, 2), Login("tocsin", "a&b"))
    text = CONFIGURATION
    for mark, peer in (("DC09_PORT", receiver), ("FTP_PORT", pictures), ("XP_PORT", site)):
        text = text.replace(mark, str(await peer.start()))
    tocsin = program(text)
    try:
        async with tocsin.running():
            await tocsin.until("/api/v1/systems", lambda _: len(site.events.subscribed("cameras")) == 2)
            assert await site.happens("motion", 3)
            assert await site.happens("still", 3)
            found = await tocsin.until("/api/v1/events?kind=motion", _both_delivered)
    finally:
        for end in (receiver.aclose, pictures.aclose, site.aclose):
            await end()
    begun = next(one for one in found["items"] if one["state"] == "new")
    assert begun["device_id"] == f"xp:camera:{identity('camera', 3)}"
    [picture] = (tmp_path / "9280").iterdir()
    assert isinstance(jpeg_facts(picture.read_bytes()), JpegFacts)
    motion, still = receiver.messages
    assert (motion["data"], still["data"]) == ("#9280|NBA", "#9280|NBR")
    assert [value for field, value in motion["fields"] if field in ("L", "U")] == ["Camera 3", f"9280/{picture.name}"]
    assert [one["recorder"] for one in told if "recorder" in one] == ["connect", "goto"]


def _both_delivered(found: Any) -> bool:
    states = [one["state"] for event in found["items"] for one in event["deliveries"]]
    return states == ["delivered"] * 2
