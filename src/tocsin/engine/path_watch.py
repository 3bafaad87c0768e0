"""Proves every path to a station, so that a loss is seen although events go over another one (EN 50136)."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from tocsin.engine.contracts import Attempt, Destination, LinkDown, ManyPaths, Path, Rejected, TryLater
from tocsin.engine.path_times import PathTimes
from tocsin.engine.polling import EXCHANGE_LIMIT_S
from tocsin.engine.status import PathState
from tocsin.engine.surroundings import PumpParts
from tocsin.telemetry.occurrences import AttemptMade, PathLost, PathRestored

LOOK_EVERY_S = 1.0

PathChanged = Callable[[str, str, str], None]
"""Destination, path, and why it is lost; "" when it is back."""


class _Works(Protocol):
    """A pump, as far as it matters here."""

    @property
    def at_work(self) -> bool: ...


class PathWatch:
    """The paths of one destination. Works while its pump does: this node's turn, not paused."""

    def __init__(
        self,
        destination: ManyPaths,
        paths: Sequence[Path],
        parts: PumpParts,
        pump: _Works,
        changed: PathChanged,
    ) -> None:
        self._destination = destination
        self.name = destination.name
        self._paths = paths
        self._parts = parts
        self._clock = parts.clock
        self._pump = pump
        self._changed = changed
        self._times = PathTimes([path.poll_s for path in paths], parts.clock.monotonic())

    def lost(self) -> frozenset[tuple[str, str]]:
        """Destination and path of those declared lost."""
        return frozenset((self.name, path.name) for n, path in enumerate(self._paths) if self._times.lost[n])

    def carry_on(self, lost: frozenset[tuple[str, str]]) -> None:
        """These were declared lost before a reload."""
        self._times.lost[:] = [(self.name, path.name) in lost for path in self._paths]

    def states(self) -> tuple[PathState, ...]:
        return tuple(PathState(path.name, not self._times.lost[n]) for n, path in enumerate(self._paths))

    async def run(self) -> None:
        self._times.begin(self._clock.monotonic())
        async with asyncio.TaskGroup() as group:
            for n in range(len(self._paths)):
                group.create_task(self._keep_proved(n))

    async def _keep_proved(self, n: int) -> None:
        seen: float | None = None
        while True:
            now = self._clock.monotonic()
            if not self._pump.at_work:
                self._times.begin(now)
            elif (at := self._destination.proved_at(self._paths[n].name)) is not None and at != seen:
                seen = at
                self._worked(n, at)
            elif self._times.due(n) <= now:
                await self._prove(n)
                continue
            await asyncio.sleep(LOOK_EVERY_S)

    async def _prove(self, n: int) -> None:
        path = self._paths[n].name
        attempt = Attempt(self._clock, self._parts.store.photos, 0)
        try:
            async with asyncio.timeout(EXCHANGE_LIMIT_S):
                await self._destination.prove(path, attempt)
        except (LinkDown, TryLater, Rejected, TimeoutError) as error:
            self._parts.record(AttemptMade(self.name, "unreachable"))
            reason = str(error) or "no answer"
            if self._times.failed(n, self._clock.monotonic()):
                self._parts.record(PathLost(self.name, path, reason))
                self._changed(self.name, path, reason)
        else:
            self._parts.record(AttemptMade(self.name, "supervised"))
            self._worked(n, self._clock.monotonic())

    def _worked(self, n: int, at: float) -> None:
        if self._times.proved(n, at):
            self._parts.record(PathRestored(self.name, self._paths[n].name))
            self._changed(self.name, self._paths[n].name, "")


class PathWatches:
    """Those of all destinations that have several paths."""

    def __init__(self, watches: Iterable[PathWatch]) -> None:
        self._watches = {watch.name: watch for watch in watches}

    def works(self) -> list[tuple[str, str, Callable[[], Awaitable[None]]]]:
        """Name, kind and task of each, for supervision."""
        return [(f"paths of {name}", "task", watch.run) for name, watch in self._watches.items()]

    def lost(self) -> frozenset[tuple[str, str]]:
        return frozenset().union(*(watch.lost() for watch in self._watches.values()))

    def carry_on(self, lost: frozenset[tuple[str, str]]) -> None:
        for watch in self._watches.values():
            watch.carry_on(lost)

    def states(self, name: str) -> tuple[PathState, ...]:
        watch = self._watches.get(name)
        return watch.states() if watch else ()


def path_watches(
    destinations: Iterable[Destination], pumps: Mapping[str, _Works], parts: PumpParts, changed: PathChanged
) -> PathWatches:
    """Of those that have several paths."""
    many = [one for one in destinations if isinstance(one, ManyPaths)]
    return PathWatches(PathWatch(one, paths, parts, pumps[one.name], changed) for one in many if (paths := one.paths()))
