"""The state of all hardware, panel by panel (connectors.md 5.7)."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from msgspec import Struct

from tocsin.engine.systems import LicenceRefused, LoginRefused, SystemFault, Unreachable
from tocsin.model.inventory import FoundDevice, FoundState
from tocsin.systems.onguard import status
from tocsin.systems.onguard.listing import Row, key_of
from tocsin.systems.onguard.reading import Reader, Site
from tocsin.systems.onguard.settings import OnGuardSettings
from tocsin.systems.onguard.status import Health
from tocsin.systems.onguard.together import together

UPDATES_AT_ONCE = 2
STATUS_AT_ONCE = 4
PER_SECOND = 5.0
"""A cycle is as long as asking for every device at this rate takes, so that no communication server is disturbed."""


class Panel(Struct, frozen=True):
    """A panel as it was listed at the beginning of a cycle."""

    key: str
    workstation: str
    listed: Health


class Hardware:
    """Asks devices for their status words. Everything raises SystemFault when the system cannot be asked at all."""

    def __init__(self, reader: Reader, settings: OnGuardSettings) -> None:
        self._reader = reader
        self._settle_s = settings.health.settle
        self._cascade = settings.health.cascade_offline
        self._every_s = settings.health.every
        self._updating = asyncio.Semaphore(UPDATES_AT_ONCE)
        self._asking = asyncio.Semaphore(STATUS_AT_ONCE)
        self._updated: dict[str, dict[str, bool]] = defaultdict(dict)
        self._below: dict[tuple[str, str], list[FoundDevice]] = {}
        self._all: frozenset[tuple[str, str]] = frozenset()
        self._asked = 0

    def take(self, site: Site) -> None:
        """What devices there are, and which hang on which."""
        self._below = defaultdict(list)
        for device in site.devices:
            if device.parent is not None:
                self._below[device.parent].append(device)
        self._all = frozenset((device.kind, device.native_key) for device in site.devices)
        self._asked = sum(device.kind in status.ASKED for device in site.devices)
        self._updated.clear()

    def cycle_s(self) -> float:
        """The time in which everything is asked once."""
        return max(self._every_s, self._asked / PER_SECOND)

    def knows(self, kind: str, key: str) -> bool:
        return (kind, key) in self._all

    async def panels(self) -> list[Panel]:
        rows = await self._reader.panels()
        return [Panel(key_of(row, ["ID"]), str(row.get("Workstation") or ""), _listed(row)) for row in rows]

    async def recorders(self) -> list[FoundState]:
        """Recorders, and the cameras on them."""
        found: list[FoundState] = []
        for row in await self._reader.recorders():
            key, health = key_of(row, ["id"]), status.by_flag(row.get("is_online"))
            found.append(status.found("recorder", key, health))
            found += self._inheriting("recorder", key, health)
        return found

    async def refresh(self, panels: Sequence[Panel]) -> None:
        """Have panels report to their communication servers, and wait until they have."""
        await together(self._refresh(panel) for panel in panels)
        await asyncio.sleep(self._settle_s)

    async def states(self, panels: Sequence[Panel], hinted: bool = False) -> list[FoundState]:
        """Of panels and all that hangs on them."""
        found = await together(self._panel(panel, hinted) for panel in panels)
        return [state for states in found for state in states]

    async def state(self, kind: str, key: str) -> list[FoundState]:
        """Of one device below a panel, to which an event has pointed."""
        health = await self._health(kind, key, status.UNTOLD)
        return [status.found(kind, key, health, hinted=True), *self._inheriting(kind, key, health)]

    async def _refresh(self, panel: Panel) -> None:
        async with self._updating:
            try:
                await self._reader.execute("panel", panel.key, "UpdateHardwareStatus")
            except (LoginRefused, LicenceRefused, Unreachable):
                raise
            except SystemFault:
                self._updated[panel.workstation][panel.key] = False
            else:
                self._updated[panel.workstation][panel.key] = True

    async def _panel(self, panel: Panel, hinted: bool) -> list[FoundState]:
        health = await self._health("panel", panel.key, panel.listed)
        if status.is_frozen(health.state in ("online", "degraded"), list(self._updated[panel.workstation].values())):
            health = status.FROZEN
        found = [status.found("panel", panel.key, health, hinted=hinted)]
        if health.state not in ("online", "degraded"):
            return found + self._inheriting("panel", panel.key, health)
        below = await together(self._child(one, health, hinted) for one in self._below.get(("panel", panel.key), []))
        return found + [state for states in below for state in states]

    async def _child(self, device: FoundDevice, parent: Health, hinted: bool) -> list[FoundState]:
        kind, key = device.kind, device.native_key
        asked = kind in status.ASKED
        health = await self._health(kind, key, status.UNTOLD) if asked else status.inherited(parent, self._cascade)
        return [status.found(kind, key, health, asked, hinted), *self._inheriting(kind, key, health)]

    def _inheriting(self, kind: str, key: str, parent: Health) -> list[FoundState]:
        health = status.inherited(parent, self._cascade)
        found: list[FoundState] = []
        for one in self._below.get((kind, key), []):
            found.append(status.found(one.kind, one.native_key, health, own=False))
            found += self._inheriting(one.kind, one.native_key, health)
        return found

    async def _health(self, kind: str, key: str, otherwise: Health) -> Health:
        """By its status word; `otherwise` where OnGuard does not give one."""
        async with self._asking:
            try:
                return status.health(kind, await self._reader.word(kind, key))
            except (LoginRefused, LicenceRefused, Unreachable):
                raise
            except SystemFault:
                return otherwise


def _listed(row: Row) -> Health:
    return status.by_flag(row.get("IsOnline"))
