"""All systems of a gateway: their runs, the watch of their states, and what is told of both."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from tocsin.engine.apart import Apart, at_once
from tocsin.engine.commands import Commands
from tocsin.engine.contracts import Clock, Intake, Randomness, Submission
from tocsin.engine.devices import DeviceBook
from tocsin.engine.hub import Change, Hub
from tocsin.engine.inventory.book import InventoryBook
from tocsin.engine.inventory.carrying import Carrying, CarryParts
from tocsin.engine.inventory.reading import identity_of
from tocsin.engine.inventory.rules import SystemRules
from tocsin.engine.inventory.runs import Elsewhere, RunParts, SystemRuns, TooSoon, Wish
from tocsin.engine.inventory.source import SourceState, SourceWatch
from tocsin.engine.inventory.source_telling import SourceTelling, TellingParts
from tocsin.engine.inventory.telling import aged_health, customers_of
from tocsin.engine.inventory.watch import HealthWatch, WatchParts
from tocsin.engine.lease import LeaseKeeper
from tocsin.engine.systems import System
from tocsin.model.canonical import DeviceRecord, KeptDevice, Run
from tocsin.model.device import Device
from tocsin.model.event import Event, InventoryNotice
from tocsin.store.contract import Store, StoreUnavailable
from tocsin.telemetry.record import Recorder

EVENT_RUNS_EVERY_S = 300.0
LOOK_EVERY_S = 1.0
END_LIMIT_S = 10.0
AT_A_STRETCH = 500
"""Devices that are entered in one transaction, so that an alarm's turn comes in between."""
LOOKED_BACK = 10
"""So many runs, for the last that was no dry run."""
Work = tuple[str, str, Callable[[], Awaitable[None]]]
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
        self.book = parts.book

    def add(self, system: System, rules: SystemRules) -> None:
        self._members[rules.name] = _Member(system, rules, self._parts)

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

    def __init__(self, system: System, rules: SystemRules, parts: SystemsParts) -> None:
        self.rules = rules
        self._system = system
        self._parts = parts
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
            ),
            self.source,
        )
        accept = parts.intake.accept_many
        self._telling = SourceTelling(rules, self.source, TellingParts(*shared, accept))
        self.watch = HealthWatch(
            system,
            rules,
            WatchParts(*shared, parts.record, accept, self._unknown, self._tell_again, self.owned, self._elsewhere),
            self.source,
        )
        told = (parts.commands, *shared, parts.record, self._identity_of, self.owned)
        self._carrying = Carrying(system, CarryParts(*told))
        self._identities: Mapping[str, tuple[str, str]] = {}
        self._last_event_run = -EVENT_RUNS_EVERY_S
        parts.book.watch(rules, self.watch)

    async def load(self) -> None:
        await self.runs.load()
        await self._take_over(await self._parts.store.inventory(self.rules.name))

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
            return Counter(one.health.state if one.health else "unknown" for one in kept), _unmapped(
                one.record for one in kept
            )
        records, healths, now = dict(watch.records), watch.healths(), self._parts.clock.now()
        confirmed, stale_s = watch.confirmed_at(), self.rules.health.stale_s

        def count() -> tuple[Counter[str], int]:
            aged = {id_: aged_health(one, now, stale_s, confirmed) for id_, one in healths.items()}
            states: Counter[str] = Counter(aged[id_].state if id_ in aged else "unknown" for id_ in records)
            return states, _unmapped(records.values())

        return await book.apart(count)

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
                kept, ids = await store.inventory(name), await store.identities(name)
            except StoreUnavailable:
                await asyncio.sleep(LOOK_EVERY_S)
                continue
            self._new_here.clear()
            self._identities = {id_: identity for identity, id_ in ids.items()}
            self.watch.begin(kept, ids)
            self._begun.set()

    def _heeds_alarms(self) -> bool:
        return bool(self.rules.alarms) and "alarms" in self._system.capabilities

    def _takes_orders(self) -> bool:
        return "commands" in self._system.capabilities

    def _identity_of(self, device_id: str) -> tuple[str, str] | None:
        return identity_of(self.rules.name, device_id, self._identities)

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

    async def _kept(self, run: Run, kept: Sequence[KeptDevice]) -> None:
        await self._take_over(kept)
        await self._enter_devices(kept)
        await self._tell(run.id, kept)

    async def _take_over(self, kept: Sequence[KeptDevice]) -> None:
        ids = await self._parts.store.identities(self.rules.name)
        self._identities = {id_: identity for identity, id_ in ids.items()}
        self.watch.take_over(kept, ids)

    async def _tell_again(self) -> None:
        """Raises IntakeClosed, StoreUnavailable."""
        standing = await self._parts.store.standing(self.rules.name)
        if standing is not None:
            await self._tell(standing.last_run, await self._parts.store.inventory(self.rules.name))

    async def _tell(self, run_id: str, kept: Sequence[KeptDevice]) -> None:
        """Every customer's inventory is owed to the clouds, whole; those who lost devices come first."""
        now, name = self._parts.clock.now(), self.rules.name
        told = [
            Submission(
                Event(
                    "", "info", now, now, name, text=f"inventory of {name}", notice=InventoryNotice(name, one, run_id)
                )
            )
            for one in await self._parts.apart(lambda: customers_of(kept))
            if one
        ]
        if told:
            await self._parts.intake.accept_many(told)

    async def _enter_devices(self, kept: Sequence[KeptDevice]) -> None:
        """So that alarms and health events find name and place; what people wrote about a device stays."""
        book, now = self._parts.devices, self._parts.clock.now()
        news = await self._parts.apart(lambda: [one for one in kept if self._entry(one)])
        for place in range(0, len(news), AT_A_STRETCH):
            stretch = news[place : place + AT_A_STRETCH]  # looked at again: somebody may have written meanwhile
            await book.keep([], [found for one in stretch if (found := self._entry(one))], now)
        for one in kept:
            known = book.get(one.record.id) if one.removal is not None else None
            if known is not None and known.origin == self.rules.name:
                await book.delete(known.id)

    def _entry(self, one: KeptDevice) -> Device | None:
        """What is to be entered; None where it stands there already, or is somebody else's."""
        known = self._parts.devices.get(one.record.id)
        if one.removal is not None or (known is not None and known.origin != self.rules.name):
            return None
        before = known or Device(one.record.id, origin=self.rules.name)
        orders = one.record.orders if self._takes_orders() else ()
        facts = {"name": one.record.name, "type": one.record.type, "customer_id": one.record.customer_id}
        entered = replace(before, area=before.area or self.rules.area, orders=orders, **facts)
        return entered if entered != known else None

    def _changed(self, run: Run) -> None:
        self._parts.hub.publish(Change("run", run.id, {"system": run.system, "state": run.state}))

    def _source_changed(self, state: SourceState) -> None:
        self._parts.hub.publish(Change("system", self.rules.name, {"status": state.status, "error": state.error}))
        self._telling.changed()


def _unmapped(records: Iterable[DeviceRecord]) -> int:
    return sum(not one.customer_id for one in records)
