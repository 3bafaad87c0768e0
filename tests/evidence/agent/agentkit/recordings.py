"""Recordings as a test describes them (contracts.Archive)."""

import asyncio
import hashlib
import random
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tocsin.engine.systems import Span
from tocsin.evidence.contracts import Fetched, Impossible, NotNow, Taken, UnknownCamera

START = datetime(2026, 3, 4, 8, 0, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def span(start: float, end: float) -> Span:
    return Span(at(start), at(end))


def content(device: str, wanted: Span, bytes_per_s: int) -> bytes:
    """The same for the same camera and time, always."""
    seed = int.from_bytes(hashlib.sha256(f"{device} {wanted}".encode()).digest()[:8], "big")
    size = int(wanted.length.total_seconds() * bytes_per_s)
    return b"\0\0\0\x18ftyp" + random.Random(seed).randbytes(size)


class Recordings:
    """`held`: what there is, by device. `faults`: raised by fetches, one each. `gate`: a fetch waits for it."""

    def __init__(self, bytes_per_s: int = 1000) -> None:
        self.held: dict[str, list[Span]] = {}
        self.bytes_per_s = bytes_per_s
        self.faults: list[Exception] = []
        self.asked: list[Span] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.away = False

    def holds(self, device: str) -> bool:
        return device in self.held

    async def recordings(self, device: str, wanted: Span) -> Sequence[Span]:
        if device not in self.held:
            raise UnknownCamera(device)
        if self.away:
            raise NotNow("the recorder cannot be reached")
        found = [Span(max(one.start, wanted.start), min(one.end, wanted.end)) for one in self.held[device]]
        return [one for one in found if one.start < one.end]

    async def extents(self, devices: Sequence[str]) -> AsyncGenerator[tuple[str, Span], None]:
        for device in devices:
            if held := self.held.get(device):
                yield device, Span(held[0].start, held[-1].end)

    async def fetch(self, device: str, wanted: Span, into: Path, told: Callable[[float], None]) -> Fetched:
        self.asked.append(wanted)
        if self.faults:
            raise self.faults.pop(0)
        told(wanted.length.total_seconds() / 2)
        await self.gate.wait()
        into.write_bytes(content(device, wanted, self.bytes_per_s))
        told(wanted.length.total_seconds())
        return Fetched(into, "video/mp4", wanted.start, wanted.end, f"recorder of {device}")

    async def picture(self, device: str, when: datetime | None = None) -> Taken:
        if device not in self.held:
            raise Impossible("no picture")
        return Taken(b"\xff\xd8\xff\xe0 picture of " + device.encode(), f"recorder of {device}")
