"""Who must be heard from, and has been silent for too long (dc09.md 11)."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime

from tocsin.engine.contracts import Clock, SourceState, Supervised
from tocsin.telemetry.occurrences import SupervisionLost, SupervisionRestored
from tocsin.telemetry.record import Recorder

LOOK_EVERY_S = 1.0

Changed = Callable[[str, Supervised, bool], None]
"""Source, what is supervised, and whether it is heard again."""


class _Watched:
    def __init__(self, source: str, subject: Supervised, now: float) -> None:
        self.source = source
        self.subject = subject
        self.heard_at = now
        self.last_heard: datetime | None = None
        self.lost = False
        self.lost_at = now


class SupervisionWatch:
    """Life signs of supervised accounts. At the start everybody has one full interval to be heard."""

    def __init__(self, clock: Clock, record: Recorder, changed: Changed) -> None:
        self._clock = clock
        self._record = record
        self._changed = changed
        self._watched: dict[tuple[str, str], _Watched] = {}

    def watch(self, source: str, subjects: Iterable[Supervised]) -> None:
        now = self._clock.monotonic()
        for subject in subjects:
            self._watched[source, subject.subject] = _Watched(source, subject, now)

    def heard(self, source: str, subject: str) -> None:
        """A valid message of the subject came."""
        one = self._watched.get((source, subject))
        if one is None:
            return
        one.heard_at = self._clock.monotonic()
        one.last_heard = self._clock.now()
        if one.lost:
            one.lost = False
            self._record(SupervisionRestored(source, subject))
            self._changed(source, one.subject, True)

    def lost(self) -> frozenset[tuple[str, str]]:
        """Source and subject of whoever is declared lost."""
        return frozenset(key for key, one in self._watched.items() if one.lost)

    def carry_on(self, lost: frozenset[tuple[str, str]]) -> None:
        """These were declared lost before a reload; their next message restores them."""
        for key, one in self._watched.items():
            one.lost = key in lost

    def states(self) -> list[tuple[str, SourceState]]:
        return [
            (one.source, SourceState(one.subject.subject, not one.lost, one.last_heard))
            for one in self._watched.values()
        ]

    async def run(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Declare lost whoever has been silent for longer than interval and allowance."""
        now = self._clock.monotonic()
        for one in self._watched.values():
            silent_s = now - one.heard_at
            if not one.lost and now > self._lost_after(one):
                one.lost, one.lost_at = True, now
                self._record(SupervisionLost(one.source, one.subject.subject, round(silent_s, 1)))
                self._changed(one.source, one.subject, False)

    def _lost_after(self, one: _Watched) -> float:
        """A second path takes the first's figure from the moment that was lost, never before its time."""
        subject = one.subject
        usual = one.heard_at + subject.interval_s + subject.allowance_s
        first = self._watched.get((one.source, subject.first)) if subject.first else None
        if first is None or not first.lost:
            return usual
        return min(usual, max(one.heard_at, first.lost_at) + subject.alone_s + subject.allowance_s)
