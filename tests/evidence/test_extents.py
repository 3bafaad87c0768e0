"""First and last recordings for the list of devices: what is not known in time is left out."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from tests.evidence.archives.test_systems import Recorder
from tests.media.video.conftest import BEGAN

from tocsin.engine.systems import Span
from tocsin.evidence import extents as room
from tocsin.evidence.archives.file_names import FileNames
from tocsin.evidence.archives.folder import FolderArchive, FolderRules
from tocsin.evidence.archives.systems import Located, SystemArchive
from tocsin.evidence.extents import extents

HELD = Span(BEGAN, BEGAN + timedelta(days=30))


class Slow(Recorder):
    """Tells of camera 1, and of the others never."""

    def __init__(self) -> None:
        super().__init__([])
        self.asked: list[Sequence[str]] = []
        self.ended = False

    async def extents(self, native_keys: Sequence[str]) -> AsyncGenerator[tuple[str, Span], None]:
        self.asked.append(native_keys)
        try:
            for key in native_keys:
                if key == "1":
                    yield key, HELD
            await asyncio.Event().wait()
        finally:
            self.ended = True


def of(system: Recorder) -> SystemArchive:
    return SystemArchive(lambda device: Located(system, device[-1]) if device.startswith("xp:") else None, audio=True)


async def test_what_came_in_time_counts_and_the_asking_ends() -> None:
    slow = Slow()
    assert await extents([of(slow)], ["xp:1", "xp:2", "door"], limit_s=0.05) == {"xp:1": HELD}
    assert (slow.asked, slow.ended) == ([["1", "2"]], True)


async def test_no_more_devices_than_so_many_are_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_ASKED", 1)
    slow = Slow()
    await extents([of(slow)], ["xp:3", "xp:1"], limit_s=0.05)
    assert slow.asked == [["3"]]


async def test_an_archive_that_cannot_be_read_does_not_keep_the_others_from_telling(tmp_path: Path) -> None:
    rules = FolderRules(tmp_path / "none", FileNames.parse("{device}_{start:%Y%m%d_%H%M%S}", BEGAN.tzinfo), {}, True)
    found = await extents([of(Slow()), FolderArchive("nvr", rules)], ["cam", "xp:1"], limit_s=0.05)
    assert found == {"xp:1": HELD}
