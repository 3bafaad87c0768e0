"""What was recorded, frame by frame, and every trap of connectors.md 4.9 on the way."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine.systems import Frame, NotSupported, ProtocolFault, Span, SystemFault, UnknownDevice, Unreachable
from tocsin.standins.milestone import archive
from tocsin.standins.milestone.site import identity
from tocsin.standins.milestone.switches import Assumptions, Fault
from tocsin.systems.milestone import cutting
from tocsin.systems.milestone.cutting import Cut, Unseen

CAMERA = identity("camera", 3)
NINE = datetime(2025, 3, 8, 9, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NINE + timedelta(seconds=seconds)


def ms(seconds: float) -> int:
    return round(at(seconds).timestamp() * 1000)


async def exported(one: Any, begin: float, end: float, camera: str = CAMERA) -> list[Frame]:
    return [frame async for frame in one.system.export(camera, Span(at(begin), at(end)))]


def times(frames: list[Frame]) -> list[float]:
    return [round((frame.at - NINE).total_seconds(), 1) for frame in frames]


def decoded(frames: list[Frame]) -> int:
    """How many pictures an independent decoder finds in the frames as they are."""
    form = {"h264": "h264", "h265": "hevc", "jpeg": "mjpeg"}[frames[0].codec]
    with av.open(io.BytesIO(b"".join(frame.data for frame in frames)), format=form) as container:
        return sum(1 for _ in container.decode(video=0))


async def taken_over(frames: AsyncIterator[Frame], seen: list[Frame]) -> None:
    async for frame in frames:
        seen.append(frame)


async def nobody_connected(one: Any) -> None:
    async with asyncio.timeout(5):
        await one.site.recorder.idle.wait()


ANSWERS = ["multipart", "packets", "wrapped", "single"]


@pytest.mark.parametrize("answers", ANSWERS)
async def test_from_the_key_frame_before_to_the_first_frame_behind(bench: Any, answers: Any) -> None:
    one = await bench(assumptions=Assumptions(answers=answers))
    frames = await exported(one, 1.0, 5.0)
    assert times(frames) == [round(n / 5, 1) for n in range(27)]  # 0.0 to 5.2
    assert [n for n, frame in enumerate(frames) if frame.key] == [0, 10, 20]
    assert {frame.codec for frame in frames} == {"h264"}
    assert decoded(frames) == len(frames)
    await nobody_connected(one)


@pytest.mark.parametrize(("video", "codec"), [("h264-b", "h264"), ("h265", "h265"), ("jpeg", "jpeg")])
async def test_every_kind_of_recording(bench: Any, video: Any, codec: str) -> None:
    one = await bench(assumptions=Assumptions(video=video))
    frames = await exported(one, 1.0, 5.0)
    assert {frame.codec for frame in frames} == {codec}
    assert frames[0].key
    assert decoded(frames) == len(frames)
    wanted = {round(n / 5, 1) for n in range(0 if video != "jpeg" else 5, 26)}
    assert wanted <= set(times(frames))


async def test_pictures_that_come_in_another_order_than_they_are_seen_are_all_there(bench: Any) -> None:
    one = await bench(assumptions=Assumptions(video="h264-b"))
    for end in (4.2, 4.4, 4.6):
        seen = times(await exported(one, 2.0, end))
        assert seen != sorted(seen)
        assert set(seen) >= {round(n / 5, 1) for n in range(10, round(end * 5) + 1)}


async def test_a_start_within_a_gap_begins_behind_it(bench: Any) -> None:
    one = await bench()
    one.site.recorder.gaps.append((ms(10), ms(20)))
    frames = await exported(one, 14.0, 21.0)
    assert times(frames) == [round(20 + n / 5, 1) for n in range(7)]
    assert frames[0].key


@pytest.mark.parametrize("answers", ANSWERS)
@pytest.mark.parametrize("gap", ["before", "after", "nothing"])
async def test_whatever_a_gap_is_answered_with(bench: Any, gap: Any, answers: Any) -> None:
    one = await bench(assumptions=Assumptions(gap=gap, answers=answers))
    one.site.recorder.gaps.append((ms(10), ms(20)))
    if gap == "nothing":
        # Where the recorder then begins with its oldest picture there is nothing to be had of it: see page.md.
        one.site.recorder.archive(CAMERA).gaps.append((0, ms(10)))
    assert times(await exported(one, 14.0, 20.5)) == [20.0, 20.2, 20.4, 20.6]


async def test_a_gap_in_the_middle_is_passed(bench: Any) -> None:
    one = await bench()
    one.site.recorder.gaps.append((ms(2), ms(3600)))
    assert times(await exported(one, 0.0, 3601.0)) == [
        *[round(n / 5, 1) for n in range(10)],
        *[round(3600 + n / 5, 1) for n in range(7)],
    ]


async def test_nothing_was_recorded(bench: Any) -> None:
    one = await bench()
    one.site.recorder.gaps.append((0, ms(100)))
    one.site.recorder.archive(CAMERA).until_ms = ms(90)
    assert await exported(one, 0.0, 10.0) == []


@pytest.mark.parametrize("answers", ANSWERS)
@pytest.mark.parametrize("end", ["repeated", "nothing"])
async def test_the_end_of_the_recording_is_the_end(bench: Any, answers: Any, end: Any) -> None:
    one = await bench(assumptions=Assumptions(answers=answers, end=end))
    one.site.recorder.archive(CAMERA).until_ms = ms(6)
    assert times(await exported(one, 4.0, 600.0)) == [round(4 + n / 5, 1) for n in range(10)]


async def test_what_is_being_recorded_is_waited_for(bench: Any) -> None:
    one = await bench()
    recording = one.site.recorder.archive(CAMERA)
    now = datetime.now(UTC)
    newest = round(now.timestamp()) // 2 * 2000
    recording.until_ms = newest
    seen = []
    async with aclosing(one.system.export(CAMERA, Span(now - timedelta(seconds=3), now))) as frames:
        async for frame in frames:
            seen.append(frame)
            if frame.at.timestamp() * 1000 >= newest - 200:
                recording.until_ms = newest + 4000
    assert seen[-1].at > now
    assert len({frame.at for frame in seen}) == len(seen)


async def test_each_camera_has_its_own_recording(bench: Any) -> None:
    one = await bench()
    first, second = [await exported(one, 0.0, 1.0, identity("camera", n)) for n in (1, 2)]
    assert [frame.at for frame in first] == [frame.at for frame in second]
    assert [frame.data for frame in first] != [frame.data for frame in second]


async def test_a_camera_that_is_not_there(bench: Any) -> None:
    one = await bench()
    with pytest.raises(UnknownDevice):
        await exported(one, 0.0, 1.0, "nobody")


async def test_a_recorder_that_ends_in_the_middle(bench: Any) -> None:
    one = await bench()
    one.site.recorder.cut_after = 4
    seen: list[Frame] = []
    with pytest.raises(Unreachable, match="closed the connection"):
        await taken_over(one.system.export(CAMERA, Span(at(0), at(60))), seen)
    assert times(seen) == [round(n / 5, 1) for n in range(20)]


async def test_a_recorder_that_falls_silent(bench: Any) -> None:
    one = await bench(export_timeout="300ms")
    frames = one.system.export(CAMERA, Span(at(0), at(60)))
    assert (await anext(frames)).key
    one.site.recorder.delay_s = 30.0
    with pytest.raises(Unreachable, match=r"has not answered for 0\.3 s in the middle of an export"):
        await taken_over(frames, [])


async def test_a_recorder_that_never_answers_is_given_up(bench: Any) -> None:
    one = await bench(export_timeout="300ms")
    one.site.recorder.delay_s = 30.0
    with pytest.raises(Unreachable, match=r"has not answered for 0\.3 s"):
        await exported(one, 0.0, 1.0)


async def test_closing_it_closes_the_connection(bench: Any) -> None:
    one = await bench()
    async with aclosing(one.system.export(CAMERA, Span(at(0), at(86_400)))) as frames:
        assert (await anext(frames)).key
        assert not one.site.recorder.idle.is_set()
    await nobody_connected(one)


async def test_a_long_export_outlives_its_token(bench: Any) -> None:
    one = await bench()
    seen = 0
    async with aclosing(one.system.export(CAMERA, Span(at(0), at(86_400)))) as frames:
        async for _ in frames:
            seen += 1
            if seen in (1, 11, 21):  # two hours for each group of pictures: a token lasts four
                one.clock.skipped_s += 2 * 3600
            if seen == 41:
                break
    methods = [told["recorder"] for told in one.told if "recorder" in told]
    assert methods.count("connect") == 1
    assert methods.count("connectupdate") >= 2


async def test_while_no_new_token_is_to_be_had_the_old_one_does(bench: Any) -> None:
    one = await bench()
    async with aclosing(one.system.export(CAMERA, Span(at(0), at(8)))) as frames:
        await anext(frames)
        one.clock.skipped_s += 2 * 3600 + 1
        one.site.gateway.faults = [Fault("ServerCommand", "503", 0)]
        assert len([frame async for frame in frames]) == 41


async def test_a_recorder_that_does_not_admit_us(bench: Any) -> None:
    one = await bench()
    one.site.recorder._good = lambda token: False
    with pytest.raises(SystemFault, match="does not admit us: Not authorized"):
        await exported(one, 0.0, 1.0)


async def test_video_that_is_not_exported_is_named(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(archive.CODECS, "h264", 0x000F)
    one = await bench()
    with pytest.raises(NotSupported, match="the recording is AV1, which is not exported"):
        await exported(one, 0.0, 1.0)


def frame(seconds: float, key: bool = False, size: int = 1) -> Frame:
    return Frame(at(seconds), "h264", key, b"x" * size)


def test_a_start_without_a_key_frame_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "MOST_WAITING", 1000)
    cut = Cut(Span(at(100), at(200)))
    cut.take([frame(n / 100, n == 0) for n in range(1000)])
    with pytest.raises(ProtocolFault, match="no key frame"):
        cut.take([frame(10.0)])


def test_sound_does_not_begin_an_export() -> None:
    cut = Cut(Span(at(1), at(2)))
    sound = Frame(at(1.1), "aac", True, b"a")
    assert cut.take([sound, frame(1.2), frame(1.4, True), sound]) == [frame(1.4, True), sound]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 4)), max_size=30))
def test_nothing_comes_twice_and_nothing_backwards(answers: list[tuple[int, int]]) -> None:
    unseen = Unseen()
    given_ = [one for n, count in answers for one in unseen.of(n, [frame(n + k / 10) for k in range(count)])]
    assert [one.at for one in given_] == sorted({one.at for one in given_})
