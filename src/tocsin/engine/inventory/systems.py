"""All systems of a gateway: their runs, the watch of their states, and what is told of both."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct

from tocsin.engine.apart import Apart, at_once
from tocsin.engine.commands import Commands
from tocsin.engine.contracts import Clock, Intake, Randomness, Submission
from tocsin.engine.devices import DeviceBook
from tocsin.engine.hub import Change, Hub
from tocsin.engine.inventory.book import InventoryBook
from tocsin.engine.inventory.carrying import Carrying, CarryParts
from tocsin.engine.inventory.entering import Entering
from tocsin.engine.inventory.identities import Identities, Identity
from tocsin.engine.inventory.rules import SystemRules
from tocsin.engine.inventory.runs import Elsewhere, RunParts, SystemRuns, TooSoon, Wish
from tocsin.engine.inventory.source import SourceState, SourceWatch
from tocsin.engine.inventory.source_telling import SourceTelling, TellingParts
from tocsin.engine.inventory.telling import Customers, aged_health, customers_of
from tocsin.engine.inventory.turns import Turns
from tocsin.engine.inventory.watch import HealthWatch, WatchParts
from tocsin.engine.lease import LeaseKeeper
from tocsin.engine.systems import System
from tocsin.model.canonical import KeptDevice, Run
from tocsin.model.event import Event, InventoryNotice
from tocsin.store.contract import Store, StoreUnavailable
from tocsin.telemetry.record import Recorder

EVENT_RUNS_EVERY_S = 300.0
LOOK_EVERY_S = 1.0
END_LIMIT_S = 10.0
READ_AT_ONCE = 4
PATIENCE_S = 10.0
"""How long a system may read before it no longer counts among those that read at once."""
LEARNED_AT_ONCE = 2
"""Systems of which everything kept is looked through at once."""
LOOKED_BACK = 10
"""So many runs, for the last that was no dry run."""
Work = tuple[str, str, Callable[[], Awaitable[None]]]
Learn = Callable[[Sequence[KeptDevice], Mapping[Identity, str], Identities], None]
__all__ = ["Elsewhere", "SystemStatus", "Systems", "SystemsParts", "TooSoon", "Wish"]


class SystemsParts(NamedTuple):
    """`node` owns leases."""

    store: Store
    clock: Clock
    randomness: Randomness
    record: Recorder
    new_id: Callable[[], str]
    devices: DeviceBook
    intake: Intake
    hub: Hub
    book: InventoryBook
    node: str
    lease_ttl_s: float
    commands: Commands
    apart: Apart = at_once


class SystemStatus(Struct, frozen=True):
    """One system as people see it. `devices` counts by status, unmapped ones among them. `last_sync`: the last run that
    ended and was no dry run; `next_sync`: None while another node reads it.
    """

    name: str
    type: str
    source: SourceState
    owned: bool
    devices: Mapping[str, int]
    unmapped: int
    last_complete_sync: datetime | None
    last_event: datetime | None
    reconcile_corrections: int
    held: int
    running: Run | None
    last_run: Run | None
    last_sync: Run | None = None
    next_sync: datetime | None = None


class Systems:
    """`add` before `load`; then `works` go on until cancelled. Unknown names raise KeyError."""

    def __init__(self, parts: SystemsParts) -> None:
        self._parts = parts
        self._members: dict[str, _Member] = {}
        self._turns = Turns(READ_AT_ONCE, PATIENCE_S)
        self._learning = asyncio.Semaphore(LEARNED_AT_ONCE)
        self.book = parts.book

    def add(self, system: System, rules: SystemRules) -> None:
        self._members[rules.name] = _Member(system, rules, self._parts, self._turns, self._learning)

    def names(self) -> list[str]:
        return list(self._members)

    async def load(self) -> None:
        """What the store holds. Raises StoreUnavailable."""
        for member in self._members.values():
            await member.load()

    def works(self) -> list[Work]:
        return [work for member in self._members.values() for work in member.works()]

    async def aclose(self) -> None:
        await asyncio.gather(*(member.aclose() for member in self._members.values()))

    async def sync(self, name: str, wish: Wish) -> tuple[Run, bool]:
        """The run that does it, and whether it was there already. Raises TooSoon, Elsewhere, StoreUnavailable."""
        return await self._members[name].runs.request(wish)

    async def run(self, run_id: str) -> Run | None:
        """A run as it is now."""
        for member in self._members.values():
            current = member.runs.current()
            if current is not None and current.id == run_id:
                return current
        return await self._parts.store.run(run_id)

    async def runs(self, name: str, limit: int) -> list[Run]:
        """The last ones, newest first; the one under way with how far it is."""
        current = self._members[name].runs.current()
        found = await self._parts.store.runs(name, limit)
        return [current if current and one.id == current.id else one for one in found]

    async def status(self, name: str) -> SystemStatus:
        return await self._members[name].status()

    def sources(self) -> list[tuple[str, str, SourceState]]:
        """Name, type and state of each, from memory."""
        return [(name, member.rules.type, member.source.state) for name, member in self._members.items()]

    async def statuses(self) -> list[SystemStatus]:
        return [await member.status() for member in self._members.values()]


class _Member:
    """One system with everything that goes on around it."""

    def __init__(
        self, system: System, rules: SystemRules, parts: SystemsParts, turns: Turns, learning: asyncio.Semaphore
    ) -> None:
        self.rules = rules
        self._system = system
        self._parts = parts
        self._learning = learning
        name = rules.name
        self._keeper = LeaseKeeper(
            parts.store, parts.clock, f"system/{name}", parts.node, parts.lease_ttl_s, self._taken
        )
        self._epoch: int | None = None
        self._begun, self._new_here = asyncio.Event(), asyncio.Event()
        self._begun.set()
        self.source = SourceWatch(name, parts.clock, parts.record, self._source_changed)
        shared = (parts.store, parts.clock)
        self.runs = SystemRuns(
            system,
            rules,
            RunParts(
                *shared,
                parts.randomness,
                parts.record,
                parts.new_id,
                self._kept,
                self._changed,
                self.owned,
                self._elsewhere,
                parts.apart,
                turns.turn,
            ),
            self.source,
        )
        accept = parts.intake.accept_many
        self._telling = SourceTelling(rules, self.source, TellingParts(*shared, accept, lambda: self._customers.owned))
        self.watch = HealthWatch(
            system,
            rules,
            WatchParts(*shared, parts.record, accept, self._unknown, self._tell_again, self.owned, self._elsewhere),
            self.source,
        )
        told = (parts.commands, *shared, parts.record, self._identity_of, self.owned)
        self._carrying = Carrying(system, CarryParts(*told))
        self._entering = Entering(rules, self._takes_orders(), parts.devices, parts.clock, parts.apart)
        self._identities = Identities(name)
        self._customers = Customers()
        self._last_event_run = -EVENT_RUNS_EVERY_S
        parts.book.watch(rules, self.watch)

    async def load(self) -> None:
        await self.runs.load()
        await self._learn(await self._parts.store.inventory(self.rules.name), self.watch.take_over)

    def works(self) -> list[Work]:
        name = self.rules.name
        watched = self.rules.health.mode != "off" and self._system.capabilities & {"events", "baseline"}
        return [
            (f"{name} lease", "system", self._own),
            (f"{name} inventory", "system", self.runs.run),
            (f"{name} state", "system", self._telling.run),
            *([(f"{name} health", "system", self._watch)] if watched else []),
            *([(f"{name} alarms", "system", self._alarms)] if self._heeds_alarms() else []),
            *([(f"{name} orders", "system", self._carrying.run)] if self._takes_orders() else []),
        ]

    async def aclose(self) -> None:
        await self._keeper.release()
        await self._system.aclose()

    async def status(self) -> SystemStatus:
        name, store = self.rules.name, self._parts.store
        states, unmapped = await self._census()
        standing = await store.standing(name)
        runs = await store.runs(name, LOOKED_BACK)
        return SystemStatus(
            name=name,
            type=self.rules.type,
            source=self.source.state,
            owned=self.owned(),
            devices=states,
            unmapped=unmapped,
            last_complete_sync=standing.last_complete_sync if standing else None,
            last_event=self.source.last_event,
            reconcile_corrections=self.watch.corrections,
            held=len(standing.held) if standing else 0,
            running=self.runs.current(),
            last_run=runs[0] if runs else None,
            last_sync=next((run for run in runs if run.ended and not run.dry_run), None),
            next_sync=self.runs.next_at() if self.owned() else None,
        )

    async def _census(self) -> tuple[Counter[str], int]:
        """How many devices are in which state, and how many are nobody's: from memory, for it is asked often."""
        book, watch = self._parts.book, self.watch
        if not self.owned():
            kept = [one for one in await book.of_system(self.rules.name) if one.removal is None]
            states = Counter[str](one.health.state if one.health else "unknown" for one in kept)
            return states, sum(not one.record.customer_id for one in kept)
        owned, known, now = self._customers.owned, watch.healths(), self._parts.clock.now()
        confirmed, stale_s = watch.confirmed_at(), self.rules.health.stale_s

        def count() -> Counter[str]:
            states = Counter[str](aged_health(one, now, stale_s, confirmed).state for one in known.values())
            states["unknown"] += sum(owned.values()) - len(known)
            return +states

        return await book.apart(count), owned.get("", 0)

    def owned(self) -> bool:
        """Whether this node has the system, and knows what was left of it."""
        return self._keeper.lease is not None and self._begun.is_set()

    def _elsewhere(self) -> bool:
        return self._keeper.elsewhere

    def _taken(self) -> None:
        """The lease is had anew. If nobody else had it since, everything is known."""
        epoch = self._keeper.newest.epoch if self._keeper.newest else 0
        if self._epoch is None or epoch > self._epoch + 1:
            self._begun.clear()
            self._new_here.set()
        self._epoch = epoch

    async def _own(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keeper.run())
            group.create_task(self._begin())

    async def _begin(self) -> None:
        """What others have told of the system, and what they left unfinished, is read before anything is done."""
        store, name = self._parts.store, self.rules.name
        while True:
            await self._new_here.wait()
            try:
                await self.runs.begin()
                async with self._learning:
                    await self._learn(await store.inventory(name), self.watch.begin)
            except StoreUnavailable:
                await asyncio.sleep(LOOK_EVERY_S)
                continue
            self._new_here.clear()
            self._begun.set()

    def _heeds_alarms(self) -> bool:
        return bool(self.rules.alarms) and "alarms" in self._system.capabilities

    def _takes_orders(self) -> bool:
        return "commands" in self._system.capabilities

    def _identity_of(self, device_id: str) -> tuple[str, str] | None:
        return self._identities.identity_of(device_id)

    async def _watch(self) -> None:
        await self.runs.known.wait()
        await self.watch.run()

    async def _alarms(self) -> None:
        """By one node. What it has heard is not given up because the store is away: only when another node listens."""
        await self.runs.known.wait()
        while True:
            while not self.owned():
                await asyncio.sleep(LOOK_EVERY_S)
            hearing = asyncio.create_task(self._system.alarms(self._parts.intake))
            try:
                while not self._elsewhere():
                    await asyncio.wait([hearing], timeout=LOOK_EVERY_S)
                    if hearing.done():
                        return await hearing
            finally:
                hearing.cancel()
                await asyncio.wait([hearing], timeout=END_LIMIT_S)

    async def _unknown(self) -> bool:
        """States of devices that are not listed: the inventory has changed. One run at most every five minutes; whether
        it was asked for.
        """
        now = self._parts.clock.monotonic()
        if now - self._last_event_run < EVENT_RUNS_EVERY_S:
            return False
        try:
            await self.runs.request(Wish("event", fresh=True, why="a state of a device that is not listed"))
        except (Elsewhere, StoreUnavailable):
            return False
        self._last_event_run = now
        return True

    async def _kept(self, run: Run, kept: Sequence[KeptDevice] | None) -> None:
        if kept is not None:
            await self._learn(kept, self.watch.take_over)
        elif not self._entering.stand():
            kept = await self._parts.store.inventory(self.rules.name)
        if kept is not None:
            await self._entering.enter(kept)
        await self._tell(run.id)

    async def _learn(self, kept: Sequence[KeptDevice], learn: Learn) -> None:
        """What of all that is kept stays in memory. Raises StoreUnavailable."""
        issued = await self._parts.store.identities(self.rules.name)
        known = await self._parts.apart(lambda: (customers_of(kept), Identities(self.rules.name, issued)))
        self._customers, self._identities = known
        learn(kept, issued, self._identities)

    async def _tell_again(self) -> None:
        """Raises IntakeClosed, StoreUnavailable."""
        standing = await self._parts.store.standing(self.rules.name)
        if standing is not None:
            await self._tell(standing.last_run)

    async def _tell(self, run_id: str) -> None:
        """Every customer's inventory is owed to the clouds, whole; those who lost devices come first."""
        now, name = self._parts.clock.now(), self.rules.name
        told = [
            Submission(
                Event(
                    "", "info", now, now, name, text=f"inventory of {name}", notice=InventoryNotice(name, one, run_id)
                )
            )
            for one in self._customers.told
        ]
        if told:
            await self._parts.intake.accept_many(told)

    def _changed(self, run: Run) -> None:
        self._parts.hub.publish(Change("run", run.id, {"system": run.system, "state": run.state}))

    def _source_changed(self, state: SourceState) -> None:
        self._parts.hub.publish(Change("system", self.rules.name, {"status": state.status, "error": state.error}))
        self._telling.changed()
