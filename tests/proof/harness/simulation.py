"""The engine with scripted stations, senders and disk on virtual time; a seed decides everything (DESIGN.md 10.2).

`simulate(seed, hours)` returns a Report, or raises Violation whose text names the seed that replays it.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from harness.flaky_store import FlakyStore, Trouble
from harness.ledger import Ledger
from harness.memory_store import MemoryStore
from harness.scripted import REFUSED_TEXT, ScriptedStation, by_account, by_device, one_line
from harness.senders import PHOTO, Sender, with_ids, with_nothing, with_repeats
from harness.virtual import VirtualClock, run_virtually
from tocsin.engine.backoff import Retry
from tocsin.engine.contracts import IntakeClosed, PhotoIn, Submission, Taken
from tocsin.engine.gateway import Gateway, GatewayParts, Member
from tocsin.engine.routing import Filter
from tocsin.model.delivery import OPEN_STATES, Delivery, DeliveryKey
from tocsin.model.event import Event
from tocsin.store.contract import DeliveryFilter, Store, StoreUnavailable
from tocsin.telemetry.occurrences import TaskFailed
from tocsin.telemetry.record import Occurrence

CALM_S = 4 * 3600
WATCHED_KINDS = frozenset({"motion", "tamper", "fire"})
DEFECTS = ("ZeroDivisionError",)
"""What stations raise on purpose; any other failed task is a defect of the engine."""


class Violation(AssertionError):
    """A promise was broken; the text names the seed."""


@dataclass(frozen=True)
class Report:
    """What happened in one simulation. `fingerprint` is equal for equal runs."""

    seed: int
    hours: float
    events: int
    states: dict[str, int]
    repeats: int
    restarts: int
    fingerprint: str


def simulate(seed: int, hours: float, store: Callable[[], Store] = MemoryStore) -> Report:
    """One gateway's life. Raises Violation."""

    async def main(clock: VirtualClock) -> Report:
        behind = store()
        await behind.open()
        try:
            return await World(seed, clock, behind).run(hours)
        finally:
            await behind.aclose()

    try:
        return run_virtually(main)
    except Exception as error:
        raise Violation(f"seed {seed}, {hours:g} h: {error}") from error


class Life:
    """One process: made from what the store kept, ended by a kill or in order."""

    def __init__(self, gateway: Gateway, store: FlakyStore) -> None:
        self.gateway = gateway
        self.store = store
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def kill(self) -> None:
        self.store.die()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class World:
    def __init__(self, seed: int, clock: VirtualClock, behind: Store) -> None:
        self.seed = seed
        self.clock = clock
        self.behind = behind
        self.ledger = Ledger()
        self.trouble = Trouble(self._random("disk"))
        self.restarts = 0
        self._chance = self._random("world")
        self._gateway_random = self._random("gateway")
        self.members = self._members()
        self.ledger.expires_s = {member.destination.name: member.retry.expire_s for member in self.members}
        self.senders = [
            Sender("http", self, clock, self._random("http"), 120, with_ids),
            Sender("panels", self, clock, self._random("panels"), 180, with_repeats),
            Sender("mail", self, clock, self._random("mail"), 600, with_nothing),
        ]
        self.life: Life | None = None
        self._alive = asyncio.Event()

    def _random(self, part: str) -> random.Random:
        return random.Random(f"{self.seed}/{part}")

    def _members(self) -> list[Member]:
        def station(name: str, addressing: Any, **named: Any) -> ScriptedStation:
            return ScriptedStation(name, addressing, self.clock, self._random(name), self.ledger, **named)

        return [
            Member(station("arc", by_account, supervision_s=60.0), "scripted", ""),
            Member(station("cloud", by_device, concurrency=8), "scripted", ""),
            Member(station("mail", one_line, concurrency=1), "scripted", "", retry=Retry(expire_s=3600)),
            Member(
                station("watch", by_device, concurrency=2),
                "scripted",
                "",
                Filter(kinds=WATCHED_KINDS),
                wants_photos=True,
            ),
        ]

    # The run

    async def run(self, hours: float) -> Report:
        await self._begin()
        troubles = [self.trouble.live(), self._restart(), self._operate()]
        troubles += [member.destination.live() for member in self.members]  # type: ignore[attr-defined]
        living = [asyncio.create_task(work) for work in (*troubles, *(sender.live() for sender in self.senders))]
        try:
            await asyncio.wait(living, timeout=hours * 3600, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in living:
                task.cancel()
            done = await asyncio.gather(*living, return_exceptions=True)
        for one in done:
            if isinstance(one, Exception):
                raise one
        await self._calm()
        await self._judge()
        assert self.life is not None
        await self.life.kill()
        return await self._report(hours)

    async def _begin(self) -> None:
        """A new process on what the store kept."""
        self.ledger.stopped()
        self.ledger.started_at = self.clock.now()
        store = FlakyStore(self.behind, self.trouble, self.clock, self.ledger)
        parts = GatewayParts(store, self.clock, self._gateway_random, self._recorded, _keep_photo)
        gateway = Gateway("simulated", parts, self.members)
        while True:
            try:
                await gateway.start()
                break
            except StoreUnavailable:
                await asyncio.sleep(1)
        self.life = Life(gateway, store)
        self.life.spawn(gateway.run())
        self._alive.set()

    def _recorded(self, occurrence: Occurrence) -> None:
        if isinstance(occurrence, TaskFailed) and not occurrence.error.startswith(DEFECTS):
            self.ledger.broken(f"{occurrence.task} failed: {occurrence.error}\n{occurrence.trace}")

    async def _restart(self) -> None:
        """Kill the process, or end it in order, and start it anew."""
        while True:
            await asyncio.sleep(self._chance.expovariate(1 / 4000))
            life = self.life
            assert life is not None
            if self._chance.random() < 0.3:
                await life.gateway.stop()
            self._alive.clear()
            await life.kill()
            self.restarts += 1
            await asyncio.sleep(self._chance.uniform(0.5, 60))
            await self._begin()

    async def _operate(self) -> None:
        """A person pauses, resumes, discards and tries again."""
        while True:
            await asyncio.sleep(self._chance.expovariate(1 / 900))
            deed = self._chance.choice((self._pause, self._discard, self._retry, self._test))
            try:
                await self._within_life(lambda gateway, deed=deed: deed(gateway))
            except (StoreUnavailable, IntakeClosed):
                continue

    async def _pause(self, gateway: Gateway) -> None:
        name = self._chance.choice(gateway.names())
        await gateway.pause(name, "eva")
        await asyncio.sleep(self._chance.uniform(1, 1200))
        await gateway.resume(name, "eva")

    async def _discard(self, gateway: Gateway) -> None:
        waiting = [key for key, one in self._waiting()]
        if waiting:
            await gateway.discard(self._chance.choice(waiting), "eva")

    async def _retry(self, gateway: Gateway) -> None:
        aside = DeliveryFilter(limit=30, states=frozenset({"rejected", "expired", "discarded"}))
        found = await gateway.store.deliveries(aside)
        if found:
            await gateway.retry(self._chance.choice(list(found)).key, "eva")

    async def _test(self, gateway: Gateway) -> None:
        await gateway.test(self._chance.choice(gateway.names()), "eva")

    def _waiting(self) -> list[tuple[DeliveryKey, Any]]:
        return [
            (DeliveryKey(seq, name), line)
            for name, lines in sorted(self.ledger.waiting.items())
            for seq, line in sorted(lines.items())
        ]

    # What senders reach

    async def submit(self, submissions: Sequence[Submission]) -> Sequence[Taken]:
        return await self._within_life(lambda gateway: gateway.intake.accept_many(submissions))

    async def amend(self, event_id: str) -> None:
        await self._within_life(lambda gateway: gateway.amend(event_id, None, "done", "http"))

    async def add_photo(self, event_id: str) -> None:
        await self._within_life(lambda gateway: gateway.add_photos(event_id, [PhotoIn(PHOTO)]))

    async def _within_life(self, work: Callable[[Gateway], Awaitable[Any]]) -> Any:
        """In the process that lives now; when it dies meanwhile, its peers see the connection break."""
        await self._alive.wait()
        life = self.life
        assert life is not None

        async def call() -> Any:
            return await work(life.gateway)

        task = life.spawn(call())
        try:
            return await task
        except asyncio.CancelledError:
            if life.store.dead and asyncio.current_task().cancelling() == 0:  # type: ignore[union-attr]
                raise IntakeClosed("the connection broke") from None
            raise

    # The end

    async def _calm(self) -> None:
        """All faults end; then everything owed must go out."""
        self.trouble.calm()
        for member in self.members:
            member.destination.weather = "fair"  # type: ignore[attr-defined]
        if not self._alive.is_set():
            await self._begin()
        assert self.life is not None
        for name in self.life.gateway.names():
            await self.life.gateway.resume(name, "eva")
        deadline = self.clock.monotonic() + CALM_S
        while self._waiting() and self.clock.monotonic() < deadline:
            await asyncio.sleep(30)
        await asyncio.sleep(60)

    async def _judge(self) -> None:
        ledger = self.ledger
        ledger.order()
        kept = Counter(event.raw for event in ledger.events.values())
        for sender in self.senders:
            for mark in sender.promised:
                if not kept[mark]:
                    ledger.broken(f"{mark} was acknowledged and is not kept")
                if sender.name == "http" and kept[mark] > 1:
                    ledger.broken(f"{mark} was kept {kept[mark]} times although its id says it is one")
        for seq in ledger.events:
            await self._judge_event(seq)
        if ledger.violations:
            worst_first = sorted(ledger.violations, key=lambda broken: "more urgent" in broken)
            shown = "\n".join([*worst_first[:9], *worst_first[9:][-1:]])
            raise Violation(f"{len(ledger.violations)} promises broken\n{shown}")

    async def _judge_event(self, seq: int) -> None:
        stored = await self.behind.event(self.ledger.events[seq].id)
        if stored is None or stored.seq != seq:
            self.ledger.broken(f"event {seq} is no longer in the store")
            return
        tested = stored.event.kind == "test" and stored.event.is_test
        for member in self.members:
            key = DeliveryKey(seq, member.destination.name)
            delivery = await self.behind.delivery(key)
            if delivery is None:
                if not tested:
                    self.ledger.broken(f"{key} is missing")
            elif wrong := self._wrong(delivery, stored.event, member):
                self.ledger.broken(f"{key} ({delivery.state}): {wrong}")

    def _wrong(self, delivery: Delivery, event: Event, member: Member) -> str:
        """What is wrong about a final state; empty when it is right."""
        name, state = member.destination.name, delivery.state
        taken = delivery.key in self.ledger.taken
        right: dict[str, bool] = {
            "delivered": taken,
            "rejected": event.text == f"{REFUSED_TEXT} {name}" or not delivery.address,
            "filtered": not taken and not _wanted(event, member),
            "discarded": delivery.key in self.ledger.by_hand,
            "expired": (self.clock.now() - event.accepted_at).total_seconds() > member.retry.expire_s,
        }
        if state in OPEN_STATES:
            return "still owed although all faults have ended"
        return "" if right.get(state, False) else f"this is not its state: taken by the station: {taken}"

    async def _report(self, hours: float) -> Report:
        ledger = self.ledger
        names = [member.destination.name for member in self.members]
        states: Counter[str] = Counter()
        for seq in ledger.events:
            found = [await self.behind.delivery(DeliveryKey(seq, name)) for name in names]
            states.update(one.state for one in found if one is not None)
        ledger.note(sorted(states.items()))
        return Report(
            self.seed, hours, len(ledger.events), dict(states), ledger.repeats, self.restarts, ledger.fingerprint
        )


def _wanted(event: Event, member: Member) -> bool:
    """Written anew, not asked of the engine."""
    name, kinds = member.destination.name, member.filter.kinds
    if event.device_id == f"destination:{name}":
        return False
    return event.kind != "snapshot" if kinds is None else event.kind in kinds


async def _keep_photo(photo: PhotoIn) -> bytes | str:
    return photo.data
