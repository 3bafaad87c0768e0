"""MAC, serial and firmware of the boxes: one request each, so they are kept (connectors.md 4.5)."""

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from msgspec import Struct

from tocsin.engine.contracts import Clock
from tocsin.engine.systems import LoginRefused, NotSupported, SystemFault
from tocsin.model.inventory import Note
from tocsin.systems.milestone.resources import DriverSettings, Hardware, read_driver_settings
from tocsin.systems.milestone.rest import Rest

AT_ONCE = 8
KEEP_S = 7 * 86400.0
ENOUGH_REFUSALS = 5
"""So many boxes refused and none read: this version cannot tell."""
PATHS = ("hardwareDriverSettings/{}", "hardware/{}/settings")
"""Now and on older servers."""


class _Kept(Struct, frozen=True):
    settings: DriverSettings
    last_modified: str
    read_at: float
    """Monotonic."""


class DriverSettingsCache:
    """Reads what is new or changed in the background; an inventory waits for it only so long."""

    def __init__(self, rest: Rest, clock: Clock) -> None:
        self._rest = rest
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._paths: tuple[str, ...] = PATHS
        self._refusals = 0
        self._failures: dict[str, str] = {}
        self._filling: asyncio.Task[None] | None = None

    async def fill(self, boxes: Sequence[Hardware], wait_s: float) -> list[Note]:
        """Read what is missing of these boxes, waiting at most `wait_s`."""
        self._forget_others(boxes)
        if self._filling is None or self._filling.done():
            self._failures = {}
            self._filling = asyncio.create_task(self._fill([box for box in boxes if not self._fresh(box)]))
        await asyncio.wait((self._filling,), timeout=wait_s)
        return self._notes(boxes)

    def known(self) -> Mapping[str, DriverSettings]:
        """By hardware key; what is older than a change of its box too, until it is read anew."""
        return {key: kept.settings for key, kept in self._kept.items()}

    async def aclose(self) -> None:
        if self._filling is not None:
            self._filling.cancel()
            await asyncio.gather(self._filling, return_exceptions=True)

    async def _fill(self, boxes: Sequence[Hardware]) -> None:
        waiting = list(reversed(boxes))

        async def reader() -> None:
            while waiting and not self._hopeless():
                try:
                    await self._read(waiting.pop())
                except LoginRefused as refused:
                    self._failures[""] = str(refused)
                    waiting.clear()

        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, len(boxes))):
                group.create_task(reader())

    async def _read(self, box: Hardware) -> None:
        try:
            settings = await self._asked(box)
        except NotSupported:
            self._refusals += 1
            settings = DriverSettings()
        except LoginRefused:
            raise
        except SystemFault as fault:
            self._failures[box.key] = str(fault)
            return
        self._kept[box.key] = _Kept(settings, box.last_modified, self._clock.monotonic())

    async def _asked(self, box: Hardware) -> DriverSettings:
        """The way that worked last is tried first. Raises SystemFault."""
        for path in self._paths[:-1]:
            try:
                return read_driver_settings(await self._rest.one(path.format(quote(box.id, safe=""))))
            except NotSupported:
                continue
        last = self._paths[-1]
        settings = read_driver_settings(await self._rest.one(last.format(quote(box.id, safe=""))))
        self._paths = (last, *(path for path in PATHS if path != last))
        return settings

    def _hopeless(self) -> bool:
        return self._refusals >= ENOUGH_REFUSALS and not any(
            kept.settings != DriverSettings() for kept in self._kept.values()
        )

    def _fresh(self, box: Hardware) -> bool:
        kept = self._kept.get(box.key)
        return (
            kept is not None
            and kept.last_modified == box.last_modified
            and self._clock.monotonic() - kept.read_at < KEEP_S
        )

    def _forget_others(self, boxes: Sequence[Hardware]) -> None:
        there = {box.key for box in boxes}
        self._kept = {key: kept for key, kept in self._kept.items() if key in there}

    def _notes(self, boxes: Sequence[Hardware]) -> list[Note]:
        if self._hopeless():
            return [Note("this server does not tell the boxes' MAC addresses, serial numbers and firmware")]
        missing = sum(box.key not in self._kept for box in boxes)
        if not missing:
            return []
        why = next(iter(self._failures.values()), "they follow with the next reading")
        return [Note(f"MAC address, serial and firmware are missing for {missing} of {len(boxes)} boxes: {why}")]
