"""Recordings copied into MP4: nothing of the pictures is changed, and times are the recorder's."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.media.video.conftest import RATE, Unit, coded, nal_units, packets, recording

from tocsin.media.child import NotMade
from tocsin.media.frames import record
from tocsin.media.mp4 import Limits, cut, limits_for, muxed, probed
from tocsin.media.video_plan import CutPlan, FramesPlan, Piece, Written

pytestmark = pytest.mark.asyncio
S = 1_000_000


async def records(units: Sequence[Unit], codec: str = "h264") -> AsyncIterator[bytes]:
    for unit in units:
        yield record(unit.at_us, codec, unit.key, unit.data)  # type: ignore[arg-type]


def boxes(path: Path) -> list[bytes]:
    """The kinds of the file's outer boxes, in order."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        found.append(data[at + 4 : at + 8])
        at += int.from_bytes(data[at : at + 4], "big")
    return found


async def test_access_units_keep_their_bytes_order_and_times(units: list[Unit], tmp_path: Path) -> None:
    told: list[float] = []
    into = tmp_path / "a.mp4"
    made = await muxed(FramesPlan(str(into)), records(units), limits_for(5), told.append)
    assert made == Written(units[0].at_us, units[0].at_us + 5 * S, 5 * RATE)
    found = packets(into)
    assert [nal_units(bytes(packet), prefixed=True) for packet in found] == [nal_units(unit.data) for unit in units]
    begins = min(packet.pts for packet in found)
    shown = [round((packet.pts - begins) * packet.time_base * S) for packet in found]
    assert shown == [unit.at_us - units[0].at_us for unit in units]
    assert [packet.is_keyframe for packet in found] == [unit.key for unit in units]
    assert boxes(into).index(b"moov") < boxes(into).index(b"mdat")
    assert list(tmp_path.iterdir()) == [into]


async def test_h265_is_tagged_as_players_expect_it(tmp_path: Path) -> None:
    units = coded(RATE, "libx265", 0)
    into = tmp_path / "a.mp4"
    assert isinstance(await muxed(FramesPlan(str(into)), records(units, "h265"), limits_for(1), print), Written)
    assert b"hvc1" in into.read_bytes()
    kept = [nal_units(bytes(packet), prefixed=True) for packet in packets(into)]
    sent = [nal_units(unit.data) for unit in units]
    assert kept == [[unit for unit in nals if not is_parameter_set(unit)] for nals in sent]
    assert all(unit in into.read_bytes() for nals in sent for unit in nals if is_parameter_set(unit))


def is_parameter_set(nal: bytes) -> bool:
    """H.265: with this tag they stand in the file's head, once."""
    return nal[0] >> 1 in (32, 33, 34)


async def test_what_comes_before_the_first_key_frame_is_left_out(units: list[Unit], tmp_path: Path) -> None:
    into = tmp_path / "a.mp4"
    made = await muxed(FramesPlan(str(into)), records(units[3:]), limits_for(5), print)
    assert isinstance(made, Written)
    assert (made.first_us, len(packets(into))) == (units[RATE].at_us, 4 * RATE)


async def test_a_part_of_files_begins_at_a_key_frame(units: list[Unit], tmp_path: Path) -> None:
    first, second = recording(tmp_path / "1.mp4", units), recording(tmp_path / "2.mp4", units)
    at = units[0].at_us
    pieces = (Piece(str(first), at, int(2.5 * S), 5 * S), Piece(str(second), at + 5 * S, 0, int(1.4 * S)))
    into = tmp_path / "cut.mp4"
    made = await cut(CutPlan(str(into), pieces), limits_for(5), print)
    assert isinstance(made, Written)
    assert made.first_us == at + 2 * S
    assert abs(made.end_us - (at + int(6.4 * S))) <= S // 10
    kept = [nal_units(bytes(packet), prefixed=True) for packet in packets(into)]
    assert kept[: 3 * RATE] == [nal_units(unit.data) for unit in units[2 * RATE :]]
    assert kept[3 * RATE :] == [nal_units(unit.data) for unit in units[: len(kept) - 3 * RATE]]
    times = [packet.pts for packet in packets(into)]
    assert len(set(times)) == len(times)


async def test_the_index_of_a_part_is_in_front_in_the_room_left_for_it(units: list[Unit], tmp_path: Path) -> None:
    source, into = recording(tmp_path / "1.mp4", units), tmp_path / "cut.mp4"
    made = await cut(CutPlan(str(into), (Piece(str(source), units[0].at_us, 0, 5 * S),)), limits_for(5), print)
    assert isinstance(made, Written)
    assert boxes(into) == [b"ftyp", b"moov", b"free", b"free", b"mdat"]


async def test_an_index_larger_than_its_room_is_put_in_front_all_the_same(units: list[Unit], tmp_path: Path) -> None:
    """A recording that announces few pictures, and one behind it with very many."""
    at = units[0].at_us
    sparse = recording(tmp_path / "1.mp4", [Unit(at + n * S, n == 0, units[n].data) for n in range(5)], 1)
    small, many = min(units, key=lambda unit: len(unit.data)).data, 40_000
    dense = [units[0], *(Unit(at + n * S // RATE, False, small) for n in range(1, many))]
    length_us = many * S // RATE
    pieces = (
        Piece(str(sparse), at, 0, 5 * S),
        Piece(str(recording(tmp_path / "2.mp4", dense)), at + 5 * S, 0, length_us),
    )
    into = tmp_path / "cut.mp4"
    made = await cut(CutPlan(str(into), pieces), limits_for(1600), print)
    assert isinstance(made, Written)
    assert made.frames > many
    assert boxes(into) == [b"ftyp", b"moov", b"free", b"mdat"]


async def test_a_file_tells_its_length_and_sort(units: list[Unit], tmp_path: Path) -> None:
    found = await probed(recording(tmp_path / "1.mp4", units))
    again = await probed(recording(tmp_path / "2.mkv", units[: 2 * RATE]))
    assert not isinstance(found, NotMade)
    assert not isinstance(again, NotMade)
    assert (round(found.seconds, 1), found.codec, round(again.seconds, 1)) == (5.0, "h264", 2.0)


@pytest.mark.parametrize(
    "data", [b"", b"no video at all", b"\0" * 5000, b"#EXTM3U\nhttp://192.0.2.1/a.ts\n", b"ffconcat version 1.0\n"]
)
async def test_what_is_no_recording_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(data)
    assert isinstance(await probed(path), NotMade)
    made = await cut(CutPlan(str(tmp_path / "out.mp4"), (Piece(str(path), 0, 0, S),)), limits_for(1), print)
    assert isinstance(made, NotMade)
    assert made.reason
    assert list(tmp_path.iterdir()) == [path]


async def test_no_frames_are_no_file(tmp_path: Path) -> None:
    made = await muxed(FramesPlan(str(tmp_path / "a.mp4")), records([]), limits_for(1), print)
    assert made == NotMade("there is no key frame in it")


async def test_a_recorder_that_breaks_off_leaves_nothing(units: list[Unit], tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        async for one in records(units[:40]):
            yield one
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        await muxed(FramesPlan(str(tmp_path / "a.mp4")), broken(), limits_for(5), print)
    assert list(tmp_path.iterdir()) == []


async def test_a_file_that_grows_too_large_is_given_up(units: list[Unit], tmp_path: Path) -> None:
    made = await muxed(FramesPlan(str(tmp_path / "a.mp4")), records(units), Limits(30, most_bytes=5000), print)
    assert isinstance(made, NotMade)
    assert list(tmp_path.iterdir()) == []
