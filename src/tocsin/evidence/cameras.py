"""Which archive answers for a device, and whether the site shares it at all."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from tocsin.engine.systems import Span
from tocsin.evidence.contracts import Archive, Taken, UnknownCamera

ASSUMED_BYTES_PER_S = 1_000_000.0
"""Of a camera whose recordings were never fetched: 8 Mbit/s."""


class Cameras(NamedTuple):
    """`shared`: whether a device, by its stable id, may be seen by the registry; `called`: its name for people;
    `look`: learns of devices that have come since.
    """

    archives: Sequence[Archive]
    shared: Callable[[str], bool]
    called: Callable[[str], str]
    look: Callable[[], Awaitable[None]]
    photos_of: Callable[[str, Span], Awaitable[Sequence[Taken]]]
    """Of a device's events near a time, the oldest first, each with its time; none where they may not be used."""
    rates: dict[str, float]
    """Bytes per second of video, by device, as last fetched."""

    async def archive(self, device: str) -> Archive:
        """Raises UnknownCamera."""
        await self.look()
        if self.shared(device):
            for archive in self.archives:
                if archive.holds(device):
                    return archive
        raise UnknownCamera("unknown device")

    async def photos(self, device: str, span: Span) -> Sequence[Taken]:
        """Raises NotNow."""
        return await self.photos_of(device, span) if self.shared(device) else []

    def expected_bytes(self, device: str, seconds: float) -> int:
        return int(seconds * self.rates.get(device, ASSUMED_BYTES_PER_S))

    def fetched(self, device: str, seconds: float, size: int) -> None:
        if seconds > 0:
            self.rates[device] = size / seconds
