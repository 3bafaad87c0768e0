"""Recordings in a folder, named by camera and time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.media.video.conftest import BEGAN, RATE, Unit, coded, nal_units, packets, recording

from tocsin.engine.systems import Span
from tocsin.evidence.archives.file_names import FileNames
from tocsin.evidence.archives.folder import FolderArchive, FolderRules
from tocsin.evidence.archives.stretches import Recorded, pieces, stretches
from tocsin.evidence.contracts import Impossible, NotNow, UnknownCamera
from tocsin.media.video_plan import Piece

NAMES = FileNames.parse("{device}/{start:%Y%m%d_%H%M%S}*.mp4", UTC)
LENGTH = timedelta(seconds=5)
S = 1_000_000


def archive(folder: Path, **devices: str) -> FolderArchive:
    return FolderArchive("nvr", FolderRules(folder, NAMES, devices, audio=False))


@pytest.fixture(scope="module")
def units() -> list[Unit]:
    return coded(5 * RATE)


@pytest.fixture
def folder(tmp_path: Path, units: list[Unit]) -> Path:
    """Two files one behind the other, then a minute's gap, then a third; one that is still being written."""
    cam = tmp_path / "archive" / "cam1"
    cam.mkdir(parents=True)
    for after in (0, 5, 70):
        recording(cam / f"{BEGAN + timedelta(seconds=after):%Y%m%d_%H%M%S}_x.mp4", units)
    (cam / f"{BEGAN + timedelta(seconds=75):%Y%m%d_%H%M%S}.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    (cam / "notes.txt").write_text("no recording")
    return tmp_path / "archive"


async def test_stretches_end_at_gaps(folder: Path) -> None:
    found = await archive(folder).recordings("cam1", Span(BEGAN + timedelta(seconds=2), BEGAN + timedelta(hours=1)))
    assert found == [
        Span(BEGAN + timedelta(seconds=2), BEGAN + timedelta(seconds=10)),
        Span(BEGAN + timedelta(seconds=70), BEGAN + timedelta(seconds=75)),
    ]


async def test_a_file_across_the_boundary_of_two(folder: Path, tmp_path: Path, units: list[Unit]) -> None:
    span = Span(BEGAN + timedelta(seconds=3), BEGAN + timedelta(seconds=7))
    made = await archive(folder).fetch("cam1", span, tmp_path / "out.mp4", print)
    assert (made.start, made.mime) == (span.start, "video/mp4")
    assert abs(made.end - span.end) < timedelta(seconds=0.2)
    assert made.origin == "folder nvr: 20260308_050000_x.mp4 and 1 more"
    kept = [nal_units(bytes(packet), prefixed=True) for packet in packets(made.path)]
    assert kept[: 2 * RATE] == [nal_units(unit.data) for unit in units[3 * RATE :]]


async def test_names_of_cameras_can_be_given_ids(folder: Path) -> None:
    named = archive(folder, cam1="xp:camera:1")
    assert (named.holds("xp:camera:1"), named.holds("cam1"), named.holds("cam2")) == (True, False, False)
    assert await named.recordings("xp:camera:1", Span(BEGAN, BEGAN + LENGTH)) == [Span(BEGAN, BEGAN + LENGTH)]


async def test_a_picture_of_a_moment_and_the_newest_one(folder: Path) -> None:
    for at in (BEGAN + timedelta(seconds=3.5), None):
        taken = await archive(folder).picture("cam1", at)
        assert taken.data.startswith(b"\xff\xd8\xff")
        assert taken.origin.startswith("folder nvr: 20260308_0")
        assert taken.at is not None
        assert at in (None, taken.at)
    with pytest.raises(Impossible, match="no recording"):
        await archive(folder).picture("cam1", BEGAN - timedelta(days=1))
    with pytest.raises(UnknownCamera):
        await archive(folder).picture("cam2")


async def test_nothing_there_and_no_folder(folder: Path, tmp_path: Path) -> None:
    span = Span(BEGAN + timedelta(hours=2), BEGAN + timedelta(hours=3))
    assert await archive(folder).recordings("cam1", span) == []
    with pytest.raises(Impossible, match="no recording"):
        await archive(folder).fetch("cam1", span, tmp_path / "out.mp4", print)
    with pytest.raises(NotNow, match="cannot be read"):
        await archive(tmp_path / "gone").recordings("cam1", span)


@pytest.mark.parametrize(
    ("pattern", "path", "device", "start"),
    [
        ("{device}/{start:%Y-%m-%d_%H-%M-%S}.mp4", "gate/2026-03-08_05-00-01.mp4", "gate", "2026-03-08T03:00:01"),
        ("{start:%Y%m%dT%H%M%S%z}-{device}.mkv", "20260308T050001Z-a b.mkv", "a b", "2026-03-08T05:00:01"),
        ("{start:%Y/%m/%d/%H-%M}-{device}.*", "2026/03/08/05-00-7.mp4", "7", "2026-03-08T03:00:00"),
        ("{device}_{start:%s}.ts", "cam_1_1772946000.ts", "cam_1", "2026-03-08T05:00:00"),
    ],
)
def test_names(pattern: str, path: str, device: str, start: str) -> None:
    found = FileNames.parse(pattern, ZoneInfo("Europe/Tallinn")).read(path)
    assert found is not None
    assert (found.device, found.start) == (device, datetime.fromisoformat(start).replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("{device}.mp4", "once"),
        ("{start:%Y%m%d%H%M}.mp4", "once"),
        ("{device}/{start:%Y-%m-%d}.mp4", "needs %H"),
        ("{device}/{start:%Y%m%d%H%M%p}.mp4", "%p is not known"),
        ("{device}/{name}/{start:%Y%m%d%H%M}.mp4", "stands alone"),
    ],
)
def test_patterns_that_cannot_be_used_say_why(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        FileNames.parse(pattern, UTC)


@given(st.text(max_size=60))
def test_any_name_is_read_or_left(path: str) -> None:
    found = NAMES.read(path)
    assert found is None or found.device


SECONDS = st.integers(0, 60)


@given(st.lists(st.tuples(SECONDS, SECONDS), max_size=8), SECONDS, SECONDS)
def test_pieces_cover_the_stretches(given_files: list[tuple[int, int]], first: int, length: int) -> None:
    def at(second: int) -> datetime:
        return BEGAN + timedelta(seconds=second)

    files = [Recorded(str(n), at(start), at(start + long), "s") for n, (start, long) in enumerate(given_files)]
    span = Span(at(first), at(first + length + 1))
    found = stretches(files, span)
    assert all(span.start <= one.start < one.end <= span.end for one in found)
    assert bool(found) == any(one.start < span.end and one.end > span.start and one.end > one.start for one in files)
    assert shown_by(pieces(files, span)) == sorted(
        {second for start, long in given_files for second in range(start, start + long)}
        & set(range(first, first + length + 1))
    )


def shown_by(cut: list[Piece]) -> list[int]:
    """The seconds since BEGAN, as often and in the order as they are in the file."""
    begins = round(BEGAN.timestamp()) * S
    spans = [(one.at_us - begins + one.start_us, one.at_us - begins + one.end_us) for one in cut]
    return [second for start, end in spans for second in range(start // S, end // S)]


async def test_the_first_and_the_last_recording_of_each_camera(folder: Path, units: list[Unit]) -> None:
    other = folder / "cam2"
    other.mkdir()
    recording(other / f"{BEGAN:%Y%m%d_%H%M%S}.mp4", units)
    found = {device: span async for device, span in archive(folder).extents(["cam1", "cam2", "cam3"])}
    being_written = BEGAN + timedelta(seconds=75)
    assert found == {"cam1": Span(BEGAN, being_written), "cam2": Span(BEGAN, BEGAN + LENGTH)}
    named = archive(folder, cam2="gate")
    assert [device async for device, _ in named.extents(["gate", "cam1"])] == ["gate"]
    with pytest.raises(NotNow, match="cannot be read"):
        await anext(archive(folder / "nowhere").extents(["cam1"]))
