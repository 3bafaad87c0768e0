"""Recordings of on-prem systems as files of the spool."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.inventory.conftest import ScriptedSystem
from tests.media.video.conftest import BEGAN, RATE, Unit, coded, nal_units, packets

from tocsin.engine.systems import Frame, LoginRefused, NotSupported, Span, SystemFault, UnknownDevice, Unreachable
from tocsin.evidence.archives.systems import Located, SystemArchive
from tocsin.evidence.contracts import Impossible, NotNow, UnknownCamera

HOUR = Span(BEGAN, BEGAN + timedelta(hours=1))


class Recorder(ScriptedSystem):
    """Holds the units of one camera; raises `fault` after `before` of them."""

    capabilities = frozenset({"inventory", "photo", "recordings", "export"})

    def __init__(self, units: Sequence[Unit], fault: SystemFault | None = None, before: int = 0) -> None:
        super().__init__()
        self.units = units
        self.fault = fault
        self.before = before
        self.closed_early = False

    async def recordings(self, native_key: str, span: Span) -> Sequence[Span]:
        if self.fault:
            raise self.fault
        return [Span(BEGAN, BEGAN + timedelta(seconds=5))]

    async def export(self, native_key: str, span: Span) -> AsyncIterator[Frame]:
        try:
            for n, unit in enumerate(self.units):
                if self.fault and n == self.before:
                    raise self.fault
                at = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=unit.at_us)
                yield Frame(at, "h264", unit.key, unit.data)
        finally:
            self.closed_early = True

    async def photo(self, native_key: str, at: datetime | None = None) -> bytes:
        if self.fault:
            raise self.fault
        return b"\xff\xd8\xff\xd9"


@pytest.fixture(scope="module")
def units() -> list[Unit]:
    return coded(5 * RATE)


def archive(system: Recorder) -> SystemArchive:
    return SystemArchive(lambda device: Located(system, "1") if device == "xp:camera:1" else None, audio=True)


async def test_frames_become_a_file_with_true_times(units: list[Unit], tmp_path: Path) -> None:
    recorder = Recorder(units)
    told: list[float] = []
    made = await archive(recorder).fetch("xp:camera:1", HOUR, tmp_path / "a.mp4", told.append)
    assert (made.start, made.end, made.origin) == (BEGAN, BEGAN + timedelta(seconds=5), "scripted xp 1")
    assert [nal_units(bytes(packet), prefixed=True) for packet in packets(made.path)] == [
        nal_units(unit.data) for unit in units
    ]
    assert recorder.closed_early


@pytest.mark.parametrize(
    ("fault", "becomes"),
    [
        (Unreachable("no answer for 10 s"), NotNow),
        (LoginRefused("wrong password"), NotNow),
        (NotSupported("this version has no recordings"), Impossible),
        (UnknownDevice("no such camera"), UnknownCamera),
    ],
)
async def test_faults_say_who_must_wait(fault: SystemFault, becomes: type, units: list[Unit], tmp_path: Path) -> None:
    recorder = Recorder(units, fault, before=30)
    with pytest.raises(becomes):
        await archive(recorder).recordings("xp:camera:1", HOUR)
    with pytest.raises(becomes):
        await archive(recorder).fetch("xp:camera:1", HOUR, tmp_path / "a.mp4", print)
    with pytest.raises(becomes):
        await archive(recorder).picture("xp:camera:1")
    assert list(tmp_path.iterdir()) == []


async def test_a_recorder_without_pictures_in_the_span(tmp_path: Path) -> None:
    with pytest.raises(Impossible, match="there is no key frame in it"):
        await archive(Recorder([])).fetch("xp:camera:1", HOUR, tmp_path / "a.mp4", print)


async def test_a_device_nobody_has(units: list[Unit]) -> None:
    empty = archive(Recorder(units))
    assert not empty.holds("xp:camera:2")
    with pytest.raises(UnknownCamera):
        await empty.recordings("xp:camera:2", HOUR)
