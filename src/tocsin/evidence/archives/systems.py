"""Recordings and pictures that on-prem systems hold (connectors.md 4.9, 6.6)."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, cast

from tocsin.engine.systems import Frame, Span, System, SystemFault
from tocsin.evidence.archives.faults import of_system, of_video
from tocsin.evidence.archives.instants import instant, microseconds
from tocsin.evidence.contracts import Fetched, Taken, UnknownCamera
from tocsin.media.child import NotMade
from tocsin.media.frames import record
from tocsin.media.mp4 import limits_for, muxed
from tocsin.media.video_plan import FramesPlan

LONGEST_EXPORT_S = 24 * 3600.0
"""A recorder may be slower than real time; what stands still is ended by the connector (clearance.md 13.6)."""


class Located(NamedTuple):
    """A device where it is."""

    system: System
    native_key: str


class SystemArchive:
    """`locate` finds a device by the id that discovery publishes."""

    def __init__(self, locate: Callable[[str], Located | None], audio: bool) -> None:
        self._locate = locate
        self._audio = audio

    def holds(self, device: str) -> bool:
        found = self._locate(device)
        return found is not None and not {"recordings", "photo"}.isdisjoint(found.system.capabilities)

    async def recordings(self, device: str, span: Span) -> Sequence[Span]:
        system, key = self._found(device)
        if "recordings" not in system.capabilities:
            return []
        try:
            return await system.recordings(key, span)
        except SystemFault as fault:
            raise of_system(system.name, fault) from None

    async def extents(self, devices: Sequence[str]) -> AsyncGenerator[tuple[str, Span], None]:
        """One system after the other."""
        located = {device: found for device in devices if (found := self._locate(device)) is not None}
        for system in dict.fromkeys(found.system for found in located.values()):
            if "recordings" not in system.capabilities:
                continue
            called = {found.native_key: device for device, found in located.items() if found.system is system}
            told = cast("AsyncGenerator[tuple[str, Span], None]", system.extents(list(called)))
            async with aclosing(told):
                async for key, span in told:
                    yield called[key], span

    async def fetch(self, device: str, span: Span, into: Path, told: Callable[[float], None]) -> Fetched:
        system, key = self._found(device)
        origin = f"{system.type} {system.name} {key}"
        limits = limits_for(span.length.total_seconds(), LONGEST_EXPORT_S)
        try:
            async with aclosing(_records(system, key, span)) as records:
                made = await muxed(FramesPlan(str(into), self._audio), records, limits, told)
        except SystemFault as fault:
            raise of_system(system.name, fault) from None
        if isinstance(made, NotMade):
            raise of_video(origin, made)
        return Fetched(into, "video/mp4", instant(made.first_us), instant(made.end_us), origin)

    async def picture(self, device: str, at: datetime | None = None) -> Taken:
        system, key = self._found(device)
        try:
            return Taken(await system.photo(key, at), f"{system.type} {system.name} {key}", at)
        except SystemFault as fault:
            raise of_system(system.name, fault) from None

    def _found(self, device: str) -> Located:
        found = self._locate(device)
        if found is None:
            raise UnknownCamera("unknown device")
        return found


async def _records(system: System, key: str, span: Span) -> AsyncGenerator[bytes, None]:
    async with aclosing(cast("AsyncGenerator[Frame, None]", system.export(key, span))) as frames:
        async for one in frames:
            yield record(microseconds(one.at), one.codec, one.key, one.data)
