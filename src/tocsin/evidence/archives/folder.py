"""A folder of recordings, one file after the other, as recorders export them: the simplest real archive."""

import asyncio
import os
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from tocsin.engine.systems import Span
from tocsin.evidence.archives.faults import of_video
from tocsin.evidence.archives.file_names import FileNames
from tocsin.evidence.archives.instants import instant, microseconds
from tocsin.evidence.archives.stretches import Recorded, pieces, stretches
from tocsin.evidence.contracts import Fetched, Impossible, NotNow, Taken, UnknownCamera
from tocsin.media.child import NotMade
from tocsin.media.mp4 import cut, limits_for, probed
from tocsin.media.still import recorded_picture
from tocsin.media.video_plan import CutPlan, Probed

MOST_FILES = 500_000
DEEPEST = 8
MOST_MEASURED = 20_000
AT_ONCE = 4
_LONGEST_FILE = timedelta(hours=24)


class FolderRules(NamedTuple):
    """`devices`: for names of cameras in file names the ids that the registry knows; others are ids themselves."""

    folder: Path
    names: FileNames
    devices: Mapping[str, str]
    audio: bool


class _File(NamedTuple):
    path: str
    start: datetime
    size: int
    mtime_ns: int


class FolderArchive:
    """Looks into the folder for each request: what recorders add or overwrite is seen."""

    def __init__(self, name: str, rules: FolderRules) -> None:
        self._name = name
        self._rules = rules
        self._written = {device: written for written, device in rules.devices.items()}
        self._measured: OrderedDict[_File, Probed | NotMade] = OrderedDict()
        self._slots = asyncio.Semaphore(AT_ONCE)

    def holds(self, device: str) -> bool:
        """Any device that is named in the settings; without such a list, any of which there may be files."""
        return device in self._written or not self._rules.devices

    async def recordings(self, device: str, span: Span) -> Sequence[Span]:
        return stretches(await self._recorded(device, span), span)

    async def extents(self, devices: Sequence[str]) -> AsyncGenerator[tuple[str, Span], None]:
        """One look at all names, and into the last file of each; while that is written its beginning counts."""
        ends = await asyncio.to_thread(self._ends, frozenset(devices))
        for device, (first, last) in ends.items():
            measured = await self._measure(last)
            seconds = measured.seconds if isinstance(measured, Probed) else 0.0
            if (end := last.start + timedelta(seconds=seconds)) > first.start:
                yield device, Span(first.start, end)

    def _ends(self, devices: Collection[str]) -> dict[str, tuple[_File, _File]]:
        """The first and the last file. Raises NotNow."""
        found: dict[str, tuple[_File, _File]] = {}
        for written, file in self._all():
            device = self._rules.devices.get(written, "" if self._rules.devices else written)
            if device in devices:
                first, last = found.get(device, (file, file))
                found[device] = (min(first, file, key=_begins), max(last, file, key=_begins))
        return found

    async def fetch(self, device: str, span: Span, into: Path, told: Callable[[float], None]) -> Fetched:
        files = pieces(await self._recorded(device, span), span)
        if not files:
            raise Impossible("no recording")
        plan = CutPlan(str(into), tuple(files), self._rules.audio)
        made = await cut(plan, limits_for(span.length.total_seconds()), told)
        origin = f"folder {self._name}: {Path(files[0].path).name}"
        origin += f" and {len(files) - 1} more" if len(files) > 1 else ""
        if isinstance(made, NotMade):
            raise of_video(origin, made)
        return Fetched(into, "video/mp4", instant(made.first_us), instant(made.end_us), origin)

    async def picture(self, device: str, at: datetime | None = None) -> Taken:
        """Recorded: the key frame at or before `at`, or the last one there is."""
        found = await asyncio.to_thread(self._files, device)
        before = [one for one in found if at is None or one.start <= at]
        for one in reversed(before[-3:]):  # the newest may still be written
            measured = await self._measure(one)
            if isinstance(measured, Probed):
                until_us = int(measured.seconds * 1_000_000)
                at_us = until_us if at is None else min(microseconds(at) - microseconds(one.start), until_us)
                made = await recorded_picture(Path(one.path), at_us)
                if isinstance(made, bytes):
                    origin = f"folder {self._name}: {Path(one.path).name}, the key frame at or before"
                    return Taken(made, origin, instant(microseconds(one.start) + at_us))
        raise Impossible("no recording") if found else UnknownCamera("unknown device")

    async def _recorded(self, device: str, span: Span) -> list[Recorded]:
        files = _candidates(await asyncio.to_thread(self._files, device), span)
        measured = await asyncio.gather(*(self._measure(one) for one in files))
        return [
            Recorded(one.path, one.start, one.start + timedelta(seconds=found.seconds), found.sort)
            for one, found in zip(files, measured, strict=True)
            if isinstance(found, Probed)
        ]

    async def _measure(self, file: _File) -> Probed | NotMade:
        """As long as the file is the same, once."""
        known = self._measured.get(file)
        if known is None:
            async with self._slots:
                known = await probed(Path(file.path))
            self._measured[file] = known
            while len(self._measured) > MOST_MEASURED:
                self._measured.popitem(last=False)
        return known

    def _files(self, device: str) -> list[_File]:
        """Of one device, oldest first. Raises NotNow."""
        written = self._written.get(device, device)
        return sorted((file for name, file in self._all() if name == written), key=_begins)

    def _all(self) -> list[tuple[str, _File]]:
        """By the camera's name in the file's. Raises NotNow."""
        try:
            return list(self._named())
        except OSError as error:
            raise NotNow(f"the folder {self._rules.folder} cannot be read: {error.strerror}") from None

    def _named(self) -> Iterator[tuple[str, _File]]:
        for n, (below, entry) in enumerate(_entries(self._rules.folder, "", 0)):
            if n >= MOST_FILES:
                raise NotNow(f"the folder {self._rules.folder} has more than {MOST_FILES} files")
            named = self._rules.names.read(below)
            if named is not None:
                facts = entry.stat(follow_symlinks=False)
                yield named.device, _File(entry.path, named.start, facts.st_size, facts.st_mtime_ns)


def _begins(file: _File) -> datetime:
    return file.start


def _candidates(files: Sequence[_File], span: Span) -> list[_File]:
    """Those that begin within the span, and the last one that began before it."""
    before = [one for one in files if span.start - _LONGEST_FILE < one.start <= span.start]
    return [*before[-1:], *(one for one in files if span.start < one.start < span.end)]


def _entries(folder: Path | str, below: str, depth: int) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Files with their path below the folder; links are not followed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                yield below + entry.name, entry
            elif entry.is_dir(follow_symlinks=False) and depth < DEEPEST:
                yield from _entries(entry.path, f"{below}{entry.name}/", depth + 1)
