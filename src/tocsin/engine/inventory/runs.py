"""Reading one system's inventory: on schedule, by hand or by a program; never twice at once (connectors.md 2.1)."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from tocsin.engine.apart import Apart, at_once
from tocsin.engine.contracts import Clock, IntakeClosed, Randomness
from tocsin.engine.inventory.cron import Cron, jittered
from tocsin.engine.inventory.difference import compare, settled_until
from tocsin.engine.inventory.ending import ending
from tocsin.engine.inventory.identities import Identity
from tocsin.engine.inventory.reading import imprint, snapshot
from tocsin.engine.inventory.rules import SystemRules
from tocsin.engine.inventory.source import SourceWatch
from tocsin.engine.systems import ProtocolFault, System, SystemFault, Unreachable
from tocsin.model.canonical import Counts, KeptDevice, Run, SystemStanding, Trigger
from tocsin.model.inventory import FoundDevice, Note
from tocsin.store.contract import Store, StoreUnavailable
from tocsin.store.inventory import InventoryChange
from tocsin.telemetry.occurrences import SyncEnded
from tocsin.telemetry.record import Recorder

RUN_LIMIT_S = 1800.0
MOST_DEVICES = 100_000
RPC_EVERY_S = 60.0
AGAIN_S = 60.0
"""After a run of which nobody could be told, because the store could not write."""
LOOK_EVERY_S = 1.0
MOST_UNWRITTEN = 20


class TooSoon(Exception):
    """A program asked again within a minute; `after_s` says when it may."""

    def __init__(self, system: str, after_s: float) -> None:
        super().__init__(f"{system} was read less than a minute ago at a program's wish; again in {after_s:.0f} s")
        self.after_s = after_s


class Elsewhere(Exception):
    """Another node owns this system."""


class Wish(Struct, frozen=True):
    """What somebody asks of a run. `fresh`: one that begins after this moment, not one under way."""

    trigger: Trigger = "manual"
    dry_run: bool = False
    accept_removals: bool = False
    fresh: bool = False
    why: str = ""


class Settled(Struct, frozen=True):
    """The last reading, if the same once more changes nothing: until when that is so, and what a run then says."""

    imprint: bytes
    until: datetime
    counts: Counts
    notes: tuple[str, ...]


class RunParts(NamedTuple):
    """`kept` is told of each run that was taken over, with all that is kept now; None: as after the run before. `mine`:
    this node owns the system; `elsewhere`: another one does. `turn` is held while all its devices are in memory.
    """

    store: Store
    clock: Clock
    randomness: Randomness
    record: Recorder
    new_id: Callable[[], str]
    kept: Callable[[Run, Sequence[KeptDevice] | None], Awaitable[None]]
    changed: Callable[[Run], None]
    mine: Callable[[], bool]
    elsewhere: Callable[[], bool] = lambda: False
    apart: Apart = at_once
    turn: Callable[[], contextlib.AbstractAsyncContextManager[None]] = contextlib.nullcontext


class SystemRuns:
    """`load`, then `run` until cancelled; `begin` when the system becomes this node's."""

    def __init__(self, system: System, rules: SystemRules, parts: RunParts, source: SourceWatch) -> None:
        self._system = system
        self._rules = rules
        self._parts = parts
        self._source = source
        self._queue: deque[Run] = deque()
        self._under_way: Run | None = None
        self._unwritten: deque[Run] = deque(maxlen=MOST_UNWRITTEN)
        self._seen = 0
        self._woken = asyncio.Event()
        self._due = 0.0
        self._last_rpc = -RPC_EVERY_S
        self._settled: Settled | None = None
        self._begins = 0
        self.known = asyncio.Event()
        """Set as soon as something is known of the system's devices."""

    async def load(self) -> None:
        """Raises StoreUnavailable."""
        if await self._parts.store.standing(self._rules.name) is not None:
            self.known.set()

    async def begin(self) -> None:
        """A run that an earlier process or another node left unfinished has failed. Raises StoreUnavailable."""
        await self.load()
        self._settled = None
        self._begins += 1
        own = {run.id for run in (*self._queue, *([self._under_way] if self._under_way else []))}
        for run in await self._parts.store.runs(self._rules.name, 10):
            if not run.ended and run.id not in own:
                await self._end(run, "the gateway was stopped")

    async def run(self) -> None:
        while True:
            await self._perform(await self._next())

    def current(self) -> Run | None:
        """The run under way, with how many devices it has seen."""
        run = self._under_way
        return replace(run, counts=replace(run.counts, seen=self._seen)) if run else None

    def next_at(self) -> datetime:
        """When the schedule reads it again; a system in trouble may ask for patience."""
        wait_s = max(self._due - self._parts.clock.monotonic(), self._source.wait_s(), 0.0)
        return self._parts.clock.now() + timedelta(seconds=wait_s)

    async def request(self, wish: Wish) -> tuple[Run, bool]:
        """The run that does it, and whether it was under way or waiting already. Raises TooSoon, Elsewhere."""
        if not self._parts.mine():
            raise Elsewhere(f"{self._rules.name} is read by another node of this gateway; ask that one")
        running = [self._under_way] if self._under_way and not wish.fresh else []
        for run in (*running, *self._queue):
            if (run.dry_run, run.accept_removals) == (wish.dry_run, wish.accept_removals):
                return run, True
        if wish.trigger == "rpc":
            self._limit()
        run = self._new(wish)
        self._queue.append(run)  # at once: who asks while it is being written shall join it
        try:
            await self._parts.store.put_run(run)
        except StoreUnavailable:
            with contextlib.suppress(ValueError):
                self._queue.remove(run)
            raise
        self._woken.set()
        return run, False

    def _limit(self) -> None:
        now = self._parts.clock.monotonic()
        if now - self._last_rpc < RPC_EVERY_S:
            raise TooSoon(self._rules.name, RPC_EVERY_S - (now - self._last_rpc))
        self._last_rpc = now

    def _new(self, wish: Wish) -> Run:
        now = self._parts.clock.now()
        chosen = {"dry_run": wish.dry_run, "accept_removals": wish.accept_removals, "why": wish.why[:200]}
        return Run(self._parts.new_id(), self._rules.name, wish.trigger, "queued", now, **chosen)  # type: ignore[arg-type]

    async def _next(self) -> Run:
        """What is asked for goes first and at once; the schedule leaves a system in trouble alone for a while."""
        await self._settle()
        while not self._queue:
            wait_s = max(self._due - self._parts.clock.monotonic(), self._source.wait_s())
            if wait_s <= 0 and self._parts.mine():
                return self._new(Wish("schedule"))
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S if self._unwritten or wait_s <= 0 else wait_s):
                    await self._woken.wait()
            await self._settle()
        return self._queue.popleft()

    async def _settle(self) -> None:
        """The ends of runs that could not be written; one whose writing was in doubt may have its own already."""
        with contextlib.suppress(StoreUnavailable):
            while self._unwritten:
                kept = await self._parts.store.run(self._unwritten[0].id)
                if kept is None or not kept.ended:
                    await self._put(self._unwritten[0])
                self._unwritten.popleft()

    async def _perform(self, run: Run) -> None:
        began = self._parts.clock.monotonic()
        self._seen = 0
        self._under_way = run = replace(run, state="running", started_at=self._parts.clock.now())
        try:
            await self._put(run)
            async with self._parts.turn():
                ended = await self._ended(run)
        except StoreUnavailable as error:
            self._due = self._parts.clock.monotonic() + AGAIN_S
            ended = self._failed(run, str(error))
            self._unwritten.append(ended)
        except Exception as error:
            self._unwritten.append(self._failed(run, f"internal error: {type(error).__name__}: {error}"))
            raise
        finally:
            self._under_way = None
        self._parts.changed(ended)
        counts, seconds = ended.counts, self._parts.clock.monotonic() - began
        said = (counts.seen, counts.added, counts.changed, counts.removed)
        self._parts.record(SyncEnded(self._rules.name, run.id, ended.state, seconds, *said))

    async def _ended(self, run: Run) -> Run:
        found, fault = await self._read()
        if not run.dry_run:
            self._due = self._parts.clock.monotonic() + self._interval_s()
        if fault is not None:
            self._source.failed("inventory", fault)
            self._due = min(self._due, self._parts.clock.monotonic() + self._source.wait_s())
            if not found:
                return await self._end(run, str(fault), type(fault).__name__)
            found.append(Note(f"the reading broke off: {fault}", partial=True))
        else:
            self._source.worked("inventory")
        if self._parts.elsewhere():
            return await self._end(run, "another node reads this system now")
        return await self._take_over(run, found)

    async def _read(self) -> tuple[list[FoundDevice | Note], SystemFault | None]:
        """All that the system told, and why it told no more."""
        found: list[FoundDevice | Note] = []
        try:
            async with asyncio.timeout(RUN_LIMIT_S), ending(self._system.devices()) as devices:
                async for one in devices:
                    found.append(one)
                    self._seen += isinstance(one, FoundDevice)
                    if self._seen > MOST_DEVICES:
                        raise ProtocolFault(f"it lists more than {MOST_DEVICES} devices")
        except TimeoutError:
            return found, Unreachable(f"the inventory was not complete after {RUN_LIMIT_S / 60:.0f} minutes")
        except SystemFault as fault:
            return found, fault
        return found, None

    async def _take_over(self, run: Run, found: list[FoundDevice | Note]) -> Run:
        told = await self._parts.apart(lambda: imprint(found))
        now, settled, begins = self._parts.clock.now(), self._settled, self._begins
        if settled is not None and settled.imprint == told and now < settled.until:
            before, change = None, _unchanged(run, settled, now)
        else:
            before, change = await self._compared(run, found, now)
        found.clear()  # of a large system they take much memory, and the store may hesitate
        if run.dry_run:
            await self._put(change.run)
            return change.run
        self._settled = None
        await self._parts.store.keep_inventory(change)
        self._under_way = None  # it has ended for whoever asks from now on: what they changed it has not seen
        try:
            after = None if before is None else _after(before, change)
            await self._parts.kept(change.run, after)
        except (IntakeClosed, StoreUnavailable):  # whoever cannot be told now is told by the next run, which comes soon
            self._due = self._parts.clock.monotonic() + AGAIN_S
        else:
            settled = settled if after is None else await self._parts.apart(lambda: _settled(change.run, told, after))
            self._settled = settled if begins == self._begins else None
        self.known.set()
        return change.run

    async def _compared(
        self, run: Run, found: Sequence[FoundDevice | Note], now: datetime
    ) -> tuple[Sequence[KeptDevice], InventoryChange]:
        """What was kept, and what the run changes of it."""
        name, store = self._rules.name, self._parts.store
        kept, issued = await store.inventory(name), await store.identities(name)
        standing = await store.standing(name) or SystemStanding(name)
        return kept, await self._parts.apart(lambda: _change(self._rules, run, found, kept, issued, standing, now))

    async def _end(self, run: Run, why: str, error_class: str = "") -> Run:
        ended = self._failed(run, why, error_class)
        await self._put(ended)
        return ended

    def _failed(self, run: Run, why: str, error_class: str = "") -> Run:
        counts = Counts(seen=self._seen)
        now, error = self._parts.clock.now(), why[:1000]
        return replace(run, state="failed", finished_at=now, counts=counts, error=error, error_class=error_class)

    async def _put(self, run: Run) -> None:
        await self._parts.store.put_run(run)
        self._parts.changed(run)

    def _interval_s(self) -> float:
        schedule = self._rules.schedule
        if not schedule.cron:
            return jittered(schedule.every_s, self._parts.randomness.random())
        now = self._parts.clock.now()
        return (Cron.parse(schedule.cron).after(now, ZoneInfo(schedule.time_zone)) - now).total_seconds()


def _change(
    rules: SystemRules,
    run: Run,
    found: Sequence[FoundDevice | Note],
    kept: Sequence[KeptDevice],
    issued: Mapping[Identity, str],
    standing: SystemStanding,
    now: datetime,
) -> InventoryChange:
    """What the run leaves behind. Pure, and long where there are many devices."""
    read = snapshot(rules, found, issued)
    result = compare(rules, {one.record.id: one for one in kept}, read, standing, now, run.accept_removals)
    ended = replace(
        run,
        state=result.state,
        finished_at=now,
        counts=result.counts,
        notes=tuple(result.notes),
        differences=tuple(result.differences),
    )
    return InventoryChange(
        rules.name,
        replace(result.standing, last_run=run.id),
        ended,
        result.changed,
        result.forgotten,
        {identity: id_ for identity, id_ in read.identities.items() if identity not in issued},
    )


def _after(before: Sequence[KeptDevice], change: InventoryChange) -> list[KeptDevice]:
    """What is kept now, by id."""
    after = {one.record.id: one for one in (*before, *change.devices)}
    gone = frozenset(change.forgotten)
    return [after[id_] for id_ in sorted(after) if id_ not in gone]


def _unchanged(run: Run, settled: Settled, now: datetime) -> InventoryChange:
    """What is left behind by a run that was told what the one before was told."""
    ended = replace(run, state="succeeded", finished_at=now, counts=settled.counts, notes=settled.notes)
    return InventoryChange(run.system, SystemStanding(run.system, now, run.id), ended)


def _settled(run: Run, told: bytes, kept: Sequence[KeptDevice]) -> Settled | None:
    """None where the same once more would change something."""
    until = settled_until(kept, run.finished_at or run.started_at)
    if run.state != "succeeded" or until is None:
        return None
    return Settled(told, until, replace(run.counts, added=0, changed=0, removed=0, missing=0), run.notes)
