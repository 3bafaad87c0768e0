"""One OnGuard: joins the session, the inventory, the states and the events."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from tocsin.engine.contracts import CheckStep, Intake
from tocsin.engine.systems import (
    Capability,
    Frame,
    LicenceRefused,
    LoginRefused,
    Misconfigured,
    NotSupported,
    Span,
    SystemFault,
)
from tocsin.model.inventory import FoundDevice, FoundState, Marker, Note
from tocsin.systems.onguard.alarms import Alarms
from tocsin.systems.onguard.checking import check
from tocsin.systems.onguard.commands import Commands
from tocsin.systems.onguard.event_log import EventLog
from tocsin.systems.onguard.hardware import Hardware
from tocsin.systems.onguard.reading import Reader, Site
from tocsin.systems.onguard.session import Session
from tocsin.systems.onguard.settings import OnGuardSettings
from tocsin.systems.onguard.watching import Watch
from tocsin.systems.surroundings import SystemSurroundings

PAUSES_S = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


class OnGuardSystem:
    """See engine.systems.System."""

    type = "onguard"

    def __init__(self, settings: OnGuardSettings, around: SystemSurroundings) -> None:
        self.name = settings.name
        self.capabilities: frozenset[Capability] = _capabilities(settings)
        self._settings = settings
        self._around = around
        self._session = Session(settings, around.clock)
        self._reader = Reader(self._session, settings)
        self._hardware = Hardware(self._reader, settings)
        self._commands = Commands(self._reader)
        self._alarms = Alarms(self._session, settings, around, self._hardware.knows)
        self._known = False
        self.pauses_s = PAUSES_S

    async def check(self) -> Sequence[CheckStep]:
        return await check(self._settings, self._around, self._session, self._reader, self._hardware)

    async def devices(self) -> AsyncIterator[FoundDevice | Note]:
        site = await self._read()
        for device in site.devices:
            yield device
        for note in site.notes:
            yield note

    async def baseline(self) -> AsyncIterator[FoundState]:
        await self._acquainted()
        panels = await self._hardware.panels()
        await self._hardware.refresh(panels)
        for state in [*await self._hardware.states(panels), *await self._hardware.recorders()]:
            yield state

    async def states(self) -> AsyncIterator[FoundState | Marker]:
        """Raises LoginRefused, LicenceRefused and Misconfigured, which trying again does not heal."""
        blind, failures = False, 0
        watch = self._watch()
        while True:
            try:
                await self._acquainted()
                await watch.begin()
                yield "new_session"
                yield "live"
                blind, failures = False, 0
                async for state in watch.follow():
                    yield state
            except (LoginRefused, LicenceRefused, Misconfigured):
                raise
            except SystemFault:
                if not blind:
                    yield "blind"
                blind = True
            await asyncio.sleep(self.pauses_s[min(failures, len(self.pauses_s) - 1)])
            failures += 1

    async def alarms(self, intake: Intake) -> None:
        if self._settings.alarms:
            await self._alarms.run(intake)

    async def photo(self, native_key: str, at: datetime | None = None) -> bytes:
        raise NotSupported("OpenAccess gives no pictures; take them from the recorder")

    async def recordings(self, native_key: str, span: Span) -> Sequence[Span]:
        raise NotSupported("OnGuard holds no video")

    async def extents(self, native_keys: Sequence[str]) -> AsyncIterator[tuple[str, Span]]:
        nothing: tuple[tuple[str, Span], ...] = ()
        for one in nothing:
            yield one

    def export(self, native_key: str, span: Span) -> AsyncIterator[Frame]:
        raise NotSupported("OnGuard holds no video")

    async def command(self, kind: str, native_key: str, order: str) -> str:
        if not self._settings.commands:
            raise NotSupported(f"orders are switched off for {self.name}; commands = true allows them")
        return await self._commands.carry_out(kind, native_key, order)

    async def aclose(self) -> None:
        await self._session.aclose()

    def _watch(self) -> Watch:
        log = EventLog(self._session, self._settings.zone())
        return Watch(self._session, self._hardware, log, self._settings.health, self._around.clock)

    async def _acquainted(self) -> None:
        """States say nothing without knowing what hangs on what."""
        if not self._known:
            await self._read()

    async def _read(self) -> Site:
        site = await self._reader.site()
        self._hardware.take(site)
        self._known = True
        return site


def _capabilities(settings: OnGuardSettings) -> frozenset[Capability]:
    found: set[Capability] = {"inventory", "baseline", "events"}
    found |= {"alarms"} if settings.alarms else set()
    return frozenset(found | ({"commands"} if settings.commands else set()))


def build(settings: OnGuardSettings, around: SystemSurroundings) -> OnGuardSystem:
    return OnGuardSystem(settings, around)
