"""The states as they change: all hardware in turn, at once what the event log points to (connectors.md 5.7, 5.8)."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence

from tocsin.engine.contracts import Clock
from tocsin.engine.systems import NotSupported, ProtocolFault
from tocsin.model.inventory import FoundState
from tocsin.systems.onguard import status
from tocsin.systems.onguard.event_log import EventLog
from tocsin.systems.onguard.events import LoggedEvent, device_of, points_at
from tocsin.systems.onguard.hardware import UPDATES_AT_ONCE, Hardware, Panel
from tocsin.systems.onguard.session import IDLE_S, Session
from tocsin.systems.onguard.settings import OnGuardHealthSettings

READ_S = 3.0
"""What reading a panel and its devices is reckoned to take."""


class Watch:
    """Follows one session. Everything raises SystemFault."""

    def __init__(
        self, session: Session, hardware: Hardware, log: EventLog, settings: OnGuardHealthSettings, clock: Clock
    ) -> None:
        self._session = session
        self._hardware = hardware
        self._log = log
        self._settings = settings
        self._clock = clock
        self._panels: dict[str, Panel] = {}
        self._hint_at = math.inf

    async def begin(self) -> None:
        """Find the end of the event log: what comes after it counts."""
        self._hint_at = math.inf
        if self._settings.mode != "events":
            return
        try:
            await self._log.begin()
        except (NotSupported, ProtocolFault):
            return  # polling alone, until the next session
        self._hint_at = self._clock.monotonic()

    async def follow(self) -> AsyncIterator[FoundState]:
        """Until something fails. The first cycle begins after one has passed: the baseline is being read."""
        async for state in self._until(self._clock.monotonic() + self._hardware.cycle_s()):
            yield state
        while True:
            async for state in self._cycle():
                yield state

    async def _cycle(self) -> AsyncIterator[FoundState]:
        """Everything once, spread evenly."""
        started, length_s = self._clock.monotonic(), self._hardware.cycle_s()
        panels = await self._hardware.panels()
        self._panels = {panel.key: panel for panel in panels}
        for state in await self._hardware.recorders():
            yield state
        batches = in_batches(panels, length_s, self._settings.settle + READ_S)
        for n, batch in enumerate(batches, 1):
            await self._hardware.refresh(batch)
            for state in await self._hardware.states(batch):
                yield state
            async for state in self._until(started + length_s * n / len(batches)):
                yield state
        async for state in self._until(started + length_s):
            yield state

    async def _until(self, due: float) -> AsyncIterator[FoundState]:
        while (now := self._clock.monotonic()) < due:
            if now >= self._hint_at:
                for state in await self._pointed():
                    yield state
                self._hint_at = self._clock.monotonic() + self._settings.hint_every
            await asyncio.sleep(max(0.0, min(due, self._hint_at, now + IDLE_S) - self._clock.monotonic()))
            await self._session.keep_alive()

    async def _pointed(self) -> list[FoundState]:
        events = await self._log.more()
        found: list[FoundState] = []
        for kind, key in self._targets(events):
            found += await self._looked_at(kind, key)
        if events:
            self._log.last = events[-1].serial_number
        return found

    def _targets(self, events: Sequence[LoggedEvent]) -> list[tuple[str, str]]:
        """Each device once; those on a panel that is looked at anyhow are looked at with it."""
        pointed = [device_of(event, self._hardware.knows) for event in events if points_at(event, self._settings.hints)]
        panels = {key for kind, key in pointed if kind == "panel"}
        return [one for one in dict.fromkeys(pointed) if one[0] == "panel" or one[1].split("-")[0] not in panels]

    async def _looked_at(self, kind: str, key: str) -> list[FoundState]:
        if kind == "panel":
            known = self._panels.get(key, Panel(key, "", status.UNTOLD))
            return await self._hardware.states([known], hinted=True)
        if kind in status.ASKED:
            return await self._hardware.state(kind, key)
        return await self._hardware.recorders() if kind == "camera" else []


def in_batches(panels: Sequence[Panel], length_s: float, each_s: float) -> list[Sequence[Panel]]:
    """Panels in groups that are asked one after the other within the cycle; two at a time if there is time for that."""
    size = max(UPDATES_AT_ONCE, math.ceil(len(panels) * each_s / length_s))
    return [panels[n : n + size] for n in range(0, len(panels), size)]
