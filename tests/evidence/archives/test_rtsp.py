"""Recordings that an RTSP server plays: gst-rtsp-server as the recorder."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.media.video.conftest import BEGAN, RATE, Unit, coded, nal_units, packets, recording

from tocsin.engine.systems import Span
from tocsin.evidence.archives.rtsp import RtspArchive, RtspRules, with_login, written
from tocsin.evidence.contracts import NotNow, UnknownCamera

SERVER = Path(__file__).with_name("rtsp_server.py")
PYTHON = "/usr/bin/python3"
served = pytest.mark.skipif(
    not any(Path("/usr/lib").glob("*/girepository-1.0/GstRtspServer-1.0.typelib")),
    reason="gst-rtsp-server is not installed (Debian: gir1.2-gst-rtsp-server-1.0)",
)
SPAN = Span(BEGAN, BEGAN + timedelta(seconds=5))
LATER = BEGAN + timedelta(days=1)


class Now:
    def now(self) -> datetime:
        return LATER

    def monotonic(self) -> float:
        return 0.0


@contextmanager
def recorder(path: Path, *login: str) -> Iterator[str]:
    process = subprocess.Popen([PYTHON, str(SERVER), str(path), *login], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"rtsp://127.0.0.1:{int(process.stdout.readline())}/play"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def units() -> list[Unit]:
    return coded(5 * RATE, reordered=0)


def archive(url: str, user: str = "", password: str = "") -> RtspArchive:
    rules = RtspRules({"gate": url}, user, password, UTC, 5.0, audio=False)
    return RtspArchive("nvr", rules, Now())


@served
async def test_what_is_played_is_kept_picture_for_picture(units: list[Unit], tmp_path: Path) -> None:
    with recorder(recording(tmp_path / "held.mp4", units), "viewer:secret word") as url:
        address = url + "?from={start:%Y%m%dT%H%M%SZ}"
        made = await archive(address, "viewer", "secret word").fetch("gate", SPAN, tmp_path / "a.mp4", print)
        assert made.start == BEGAN
        assert abs(made.end - SPAN.end) <= timedelta(seconds=0.2)
        kept = [nal_units(bytes(packet), prefixed=True) for packet in packets(made.path)]
        sent = [nal_units(unit.data) for unit in units]
        assert [nals[-1] for nals in kept] == [nals[-1] for nals in sent][: len(kept)]
        assert len(kept) >= len(sent) - 3
        with pytest.raises(NotNow) as refused:
            await archive(address, "viewer", "wrong word").fetch("gate", SPAN, tmp_path / "b.mp4", print)
        assert "wrong" not in str(refused.value)


async def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(NotNow, match="nvr plays nothing of gate"):
        await archive("rtsp://127.0.0.1:9/x").fetch("gate", SPAN, tmp_path / "a.mp4", print)
    assert list(tmp_path.iterdir()) == []


async def test_what_is_still_to_come_is_not_held() -> None:
    held = archive("rtsp://192.0.2.7/x")
    assert await held.recordings("gate", SPAN) == [SPAN]
    assert await held.recordings("gate", Span(LATER, LATER + timedelta(hours=1))) == []
    with pytest.raises(UnknownCamera):
        await held.fetch("yard", SPAN, Path("unused"), print)


def test_the_address_has_the_time_in_the_recorders_zone() -> None:
    url = "rtsp://192.0.2.7/play?s={start:%Y-%m-%dT%H:%M:%S}&e={end:%H%M%S}"
    assert written(url, SPAN, ZoneInfo("Europe/Tallinn")) == "rtsp://192.0.2.7/play?s=2026-03-08T07:00:00&e=070005"
    assert with_login("rtsp://192.0.2.7/play", "a@b", "p/w") == "rtsp://a%40b:p%2Fw@192.0.2.7/play"
