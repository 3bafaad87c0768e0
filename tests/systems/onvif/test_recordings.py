"""Recordings: found by searches of a stand-in that counts them, replayed by a real ONVIF server of GStreamer's."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.systems.onvif.conftest import PASSWORD, Scene, Scenes, cameras

from tocsin.engine.systems import (
    Frame,
    LoginRefused,
    NotSupported,
    ProtocolFault,
    Span,
    SystemFault,
    UnknownDevice,
    Unreachable,
)
from tocsin.standins.onvif_recordings import Kept, RecordingService
from tocsin.systems.onvif import archive, recorded, replay, soap, system
from tocsin.systems.onvif.recorded import Change, Recording, stretches

T = datetime(2025, 3, 8, 5, tzinfo=UTC)
SERVER = Path(__file__).with_name("replay_server.py")
TYPELIB = "GstRtspServer-1.0.typelib"
served = pytest.mark.skipif(
    bool(replay.missing_packages()) or not any(Path("/usr/lib").glob(f"*/girepository-1.0/{TYPELIB}")),
    reason="no GStreamer (Debian: gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-{good,bad,ugly} python3-gi)",
)


def at(seconds: float) -> datetime:
    return T + timedelta(seconds=seconds)


def span(first: float, last: float) -> Span:
    return Span(at(first), at(last))


def kept(*ends: tuple[float, float], token: str = "R1", source: str = "VS1") -> Kept:
    return Kept(token, tuple((at(first), at(last)) for first, last in ends), source)


async def recorder(scene: Scenes, *held: Kept, sources: int = 1, replay_at: str = "") -> tuple[Scene, RecordingService]:
    [camera] = cameras(1, sources=sources)
    camera.recordings = RecordingService(held, replay_at)
    return await scene([camera], devices=[{"key": "gate"}]), camera.recordings


async def test_the_stretches_are_found_and_every_search_is_ended(scene: Scenes) -> None:
    it, service = await recorder(scene, kept((0, 20), (30, 40)))
    assert await it.system.recordings("gate", span(-60, 600)) == [span(0, 20), span(30, 40)]
    assert await it.system.recordings("gate", span(10, 35)) == [span(10, 20), span(30, 35)]
    assert await it.system.recordings("gate", span(22, 28)) == []
    assert (service.begun, service.searches) == (6, {})


async def test_without_a_history_a_recording_is_one_stretch(scene: Scenes) -> None:
    it, service = await recorder(scene, kept((0, 20), (30, 40)))
    service.history = False
    assert await it.system.recordings("gate", span(-60, 600)) == [span(0, 40)]


async def test_each_camera_has_its_own(scene: Scenes) -> None:
    held = kept((0, 20), token="R1", source="VS1"), kept((5, 50), token="R2", source="VS2")
    it, _ = await recorder(scene, *held, sources=2)
    assert await it.system.recordings("gate:VS1", span(0, 60)) == [span(0, 20)]
    assert await it.system.recordings("gate:VS2", span(0, 60)) == [span(5, 50)]
    with pytest.raises(UnknownDevice):
        await it.system.recordings("gate:VS3", span(0, 60))


async def test_a_device_that_records_nothing_says_so(scene: Scenes) -> None:
    it = await scene(cameras(1), devices=[{"key": "gate"}])
    with pytest.raises(NotSupported, match="has no service for searching recordings"):
        await it.system.recordings("gate", span(0, 60))


async def test_a_search_that_never_ends_is_ended(scene: Scenes, monkeypatch: pytest.MonkeyPatch) -> None:
    it, service = await recorder(scene, kept((0, 20)))
    service.endless = True
    monkeypatch.setattr(archive, "LONGEST_SEARCH", 5)
    with pytest.raises(ProtocolFault, match="does not end its search"):
        await it.system.recordings("gate", span(0, 60))
    assert (service.begun, service.searches) == (1, {})


@asynccontextmanager
async def server(stretches: str, *login: str) -> AsyncIterator[str]:
    command = ["/usr/bin/python3", str(SERVER), str(int(T.timestamp())), stretches, *login]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        port = int(await asyncio.wait_for(process.stdout.readline(), 60))
        yield f"rtsp://127.0.0.1:{port}/recording"
    finally:
        process.kill()
        await process.wait()


async def exported(it: Scene, wanted: Span) -> list[Frame]:
    async with aclosing(it.system.export("gate", wanted)) as frames:
        return [one async for one in frames]


def children() -> set[int]:
    """Processes of this one that read a recording."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            if b"replay_child.py" in (entry / "cmdline").read_bytes():
                found.add(int(entry.name))
        except OSError:
            continue
    return found


@served
async def test_a_span_is_exported_with_the_recorders_own_times(scene: Scenes) -> None:
    async with server("0-20,30-40", f"viewer:{PASSWORD}") as uri:
        it, _ = await recorder(scene, kept((0, 20), (30, 40)), replay_at=uri)
        frames = await exported(it, span(5.5, 35))
        assert frames[0].key
        assert (frames[0].at, frames[-1].at) == (at(5), at(35.1))
        assert [round((one.at - T).total_seconds(), 1) for one in frames] == [
            *(n / 10 for n in range(50, 200)),
            *(n / 10 for n in range(300, 352)),
        ]
        assert [one.at.microsecond for one in frames if one.key] == [0] * 21
        assert all(one.codec == "h264" and one.data[:4] == b"\0\0\0\1" for one in frames)
        assert children() == set()


@served
async def test_the_export_ends_with_the_recording(scene: Scenes) -> None:
    async with server("0-20", f"viewer:{PASSWORD}") as uri:
        it, _ = await recorder(scene, kept((0, 20)), replay_at=uri)
        frames = await exported(it, span(18, 60))
        assert [round((one.at - T).total_seconds(), 1) for one in frames] == [n / 10 for n in range(180, 200)]
        assert await exported(it, span(30, 60)) == []


@served
async def test_whoever_stops_reading_ends_the_child_which_shows_no_password(scene: Scenes) -> None:
    async with server("0-20", f"viewer:{PASSWORD}") as uri:
        it, _ = await recorder(scene, kept((0, 20)), replay_at=uri)
        async with aclosing(it.system.export("gate", span(0, 20))) as frames:
            assert (await anext(frames)).key
            [child] = children()
            shown = Path(f"/proc/{child}/cmdline").read_bytes() + Path(f"/proc/{child}/environ").read_bytes()
            assert b"sesame" not in shown
            assert os.environ["PATH"].encode() not in shown
        assert children() == set()


@served
@pytest.mark.parametrize(
    ("path", "login", "fault", "words"),
    [
        ("/recording", "viewer:another", LoginRefused, "refuses the login"),
        ("/nothing", f"viewer:{PASSWORD}", ProtocolFault, "Not found"),
    ],
)
async def test_what_the_recorder_refuses(
    scene: Scenes, path: str, login: str, fault: type[SystemFault], words: str
) -> None:
    async with server("0-2", login) as uri:
        it, _ = await recorder(scene, kept((0, 2)), replay_at=uri.replace("/recording", path))
        with pytest.raises(fault, match=words):
            await exported(it, span(0, 2))
        assert children() == set()


@served
async def test_a_recorder_that_is_silent_or_gone(scene: Scenes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "SILENCE_S", 1.0)
    came: list[asyncio.StreamWriter] = []
    quiet = await asyncio.start_server(lambda _, writer: came.append(writer), "127.0.0.1", 0)
    port = quiet.sockets[0].getsockname()[1]
    it, service = await recorder(scene, kept((0, 20)), replay_at=f"rtsp://127.0.0.1:{port}/recording")
    with pytest.raises(Unreachable, match="sends nothing of the replay for 1 s"):
        await exported(it, span(0, 20))
    quiet.close()
    for writer in came:
        writer.close()
    await quiet.wait_closed()
    with pytest.raises(Unreachable, match="does not replay"):
        await exported(it, span(0, 20))
    service.replay_at = "http://127.0.0.1/recording"
    with pytest.raises(ProtocolFault, match="not RTSP"):
        await exported(it, span(0, 20))
    assert children() == set()


async def test_without_gstreamer_there_is_no_export_and_the_check_says_what_to_install(
    scene: Scenes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(replay.NEEDED, "gstreamer1.0-plugins-bad", ("/nonexistent/*.so",))
    it, _ = await recorder(scene, kept((0, 20)))
    assert "export" not in it.system.capabilities
    assert "recordings" in it.system.capabilities
    with pytest.raises(NotSupported, match=r"apt-get install gstreamer1\.0-plugins-bad"):
        await exported(it, span(0, 20))
    step = (await it.system.check())[-1]
    assert (step.what, step.ok) == ("recordings", True)
    assert step.hint == "apt-get install gstreamer1.0-plugins-bad"


def test_stretches_from_what_a_device_tells() -> None:
    one = Recording("R1", ("VS1",), at(0), at(100), ("V",))

    def found(*changed: tuple[float, bool], track: str = "V") -> Sequence[Span]:
        told = [Change("R1", track, at(when), present) for when, present in changed]
        return [each.span for each in stretches([one], told, span(0, 100))]

    assert found() == [span(0, 100)]
    assert found((0, True), (20, False), (30, True)) == [span(0, 20), span(30, 100)]
    assert found((30, True), (20, False), (0, True)) == [span(0, 20), span(30, 100)]  # in any order
    assert found((20, False)) == []
    assert found((20, False), track="A") == [span(0, 100)]  # of its sound only
    assert found((0, True), (0, True), (20, False), (20, False)) == [span(0, 20)]
    assert stretches([Recording("R", (), None, None)], [], span(0, 9)) == [recorded.Stretch("R", span(0, 9))]
    assert recorded.merged(stretches([one, Recording("R2", (), at(90), at(120))], [], span(0, 200))) == [span(0, 120)]


async def test_only_whole_pictures_from_a_key_frame_on_are_given() -> None:
    async def sent(*what: tuple[float, bool], silent: bool = False) -> AsyncIterator[Frame]:
        for when, key in what:
            yield Frame(at(when), "h264", key, b"")
        if silent:
            raise Unreachable("silent")

    async def times(frames: AsyncIterator[Frame], end: float) -> list[float]:
        return [(one.at - T).total_seconds() async for one in replay.cut(frames, at(end))]

    assert await times(sent((0, False), (1, True), (2, False), (3, False), (4, False)), 2.5) == [1, 2, 3]
    assert await times(sent((0, True), (9, False), silent=True), 10) == [0, 9]
    with pytest.raises(Unreachable):
        await times(sent((0, True), silent=True), 10)


@pytest.mark.parametrize(
    ("codec", "data", "key"),
    [
        ("h264", "00000001 0910 00000001 67f4 00000001 68eb 000001 6588", True),
        ("h264", "00000001 67f4 00000001 68eb 000001 419a", False),
        ("h265", "00000001 4001 00000001 2601", True),
        ("h265", "00000001 0201", False),
        ("h264", "00000001 67f4", False),
        ("jpeg", "ffd8", True),
    ],
)
def test_key_frames_are_told_by_their_first_picture_unit(codec: replay.Codec, data: str, key: bool) -> None:
    assert replay.is_key(codec, bytes.fromhex(data)) is key


@given(st.integers(0, 255), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=60))
def test_any_message_of_the_child_is_a_frame_or_a_fault(codec: int, when: int, data: bytes) -> None:
    try:
        one = replay.frame(codec, 1, when, data)
    except ProtocolFault:
        return
    assert one.data == data


_TEXTS = st.sampled_from(["", "Video", "2025-03-08T05:00:00Z", "9999-12-31T23:59:59-23:00", "true", "R1", "<&"])


@given(st.lists(st.tuples(st.sampled_from(["RecordingInformation", "Result", "Source", "Track", "TrackType", "DataFrom",
       "DataTo", "EarliestRecording", "Time", "Topic", "RecordingToken"]), _TEXTS), max_size=12))  # fmt: skip
def test_any_answer_to_a_search_is_read(parts: list[tuple[str, str]]) -> None:
    from lxml import etree

    root = etree.Element("GetRecordingSearchResultsResponse")
    place = root
    for name, text in parts:
        place = etree.SubElement(place if len(name) > 6 else root, name)
        place.text = text
    body = etree.tostring(root).decode()
    answer = soap.answer(f'<s:Envelope xmlns:s="{soap.ENVELOPE}"><s:Body>{body}</s:Body></s:Envelope>'.encode())
    found = recorded.recordings(answer)
    assert isinstance(stretches(found, recorded.changes(answer), span(0, 10)), list)
    assert isinstance(recorded.is_over(answer), bool)


async def extents(scene: Scene, *keys: str) -> dict[str, Span]:
    return {key: found async for key, found in scene.system.extents(keys)}


async def test_the_first_and_the_last_recording_take_one_search_for_a_device(scene: Scenes) -> None:
    it, service = await recorder(scene, kept((0, 20), (30, 40)), kept((50, 60), token="R2", source="VS2"), sources=2)
    keys = [one.native_key async for one in it.system.devices() if getattr(one, "kind", "") == "camera"]
    assert await extents(it, *keys, "nobody") == dict(zip(keys, [span(0, 40), span(50, 60)], strict=True))
    assert (service.begun, service.searches) == (1, {})


async def test_without_recordings_or_without_their_end_nothing_is_told(scene: Scenes) -> None:
    it, _ = await recorder(scene)
    assert await extents(it, "gate") == {}, "nothing is asked of what was never read"
    await it.system.recordings("gate", span(0, 1))
    assert await extents(it, "gate") == {}
    assert recorded.extent([Recording("R", (), at(0), None)]) is None
    assert recorded.extent([Recording("R", (), at(0), at(9)), Recording("S", (), at(-5), at(3))]) == span(-5, 9)
