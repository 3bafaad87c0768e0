"""A store that takes time, fails by a seed, and dies with its process; the real store behind it stays.

Two kinds of failure: it refuses before doing anything, or it does the work and the answer is lost (a commit in doubt).
A cancelled caller does not undo what the store has begun, as with a real writer in another thread.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from harness.ledger import Ledger
from tocsin.engine.contracts import Clock
from tocsin.model.command import Arming, Command
from tocsin.model.delivery import DeliveryKey, Due, Outcome, Owed
from tocsin.store.contract import Accepted, Arrival, CommandFilter, Lease, Store, StoreUnavailable

T = TypeVar("T")
_READS = {
    *("due", "photos", "event", "events", "delivery", "deliveries", "deliveries_of", "trace", "backlog"),
    *("last_delivered", "devices", "areas", "recent_repeats", "audit_entries", "link", "tests", "contact_record"),
    "recall",
}


class Trouble:
    """How the disk behaves at the moment; shared by all lives of the process."""

    def __init__(self, randomness: random.Random) -> None:
        self.random = randomness
        self.refusing = False
        self.in_doubt = 0.0
        """Chance that a change is made and its answer lost."""

    async def live(self) -> None:
        """Fail now and then, for seconds to minutes."""
        while True:
            await asyncio.sleep(self.random.expovariate(1 / 900))
            self.refusing = self.random.random() < 0.7
            self.in_doubt = 0.0 if self.refusing else 0.3
            await asyncio.sleep(self.random.uniform(0.5, 120))
            self.calm()

    def calm(self) -> None:
        self.refusing, self.in_doubt = False, 0.0


class FlakyStore:
    """tocsin.store.contract.Store for one life of the gateway."""

    def __init__(self, behind: Store, trouble: Trouble, clock: Clock, ledger: Ledger) -> None:
        self._behind = behind
        self._trouble = trouble
        self._clock = clock
        self._ledger = ledger
        self._order = asyncio.Lock()
        self._work: set[asyncio.Task[Any]] = set()
        self.dead = False

    def die(self) -> None:
        """The process is killed: what was not begun will never be."""
        self.dead = True

    def writable(self) -> bool:
        return not self._trouble.refusing and not self.dead

    async def accept(self, arrivals: Sequence[Arrival]) -> Sequence[Accepted]:
        async def kept() -> Sequence[Accepted]:
            done = await self._behind.accept(arrivals)
            for one in done:
                self._ledger.accepted(one, self._clock.now())
            return done

        return await self._change(kept)

    async def settle(self, outcomes: Sequence[Outcome], lease: Lease | None = None) -> Sequence[DeliveryKey]:
        for outcome in outcomes:
            self._ledger.settling(outcome)
        return await self._change(lambda: self._behind.settle(outcomes, lease))

    async def unhold(self, event_id: str) -> Sequence[Due]:
        found = await self._change(lambda: self._behind.unhold(event_id))
        for due in found:
            self._ledger.due_now(due.key.destination, due.key.event_seq)
        return found

    async def resubmit(self, key: DeliveryKey, owed: Owed, at: Any) -> Due | None:
        async def opened() -> Due | None:
            due = await self._behind.resubmit(key, owed, at)
            if due is not None:
                self._ledger.opened_by_hand(key, due, self._clock.now())
            return due

        return await self._change(opened)

    async def discard(self, key: DeliveryKey, reason: str, at: Any) -> bool:
        async def closed() -> bool:
            done = await self._behind.discard(key, reason, at)
            if done:
                self._ledger.closed_by_hand(key)
            return done

        return await self._change(closed)

    async def commands(self, wanted: CommandFilter) -> Sequence[Command]:
        """Nobody commands anything here; asking must not change what a seed means."""
        return await self._behind.commands(wanted)

    async def armings(self) -> Sequence[Arming]:
        return await self._behind.armings()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._behind, name)
        if name in _READS:
            return lambda *arguments, **named: self._read(lambda: method(*arguments, **named))
        return lambda *arguments, **named: self._change(lambda: method(*arguments, **named))

    async def _read(self, work: Callable[[], Awaitable[T]]) -> T:
        await asyncio.sleep(self._trouble.random.uniform(0.0002, 0.003))
        if self.dead or (self._trouble.refusing and self._trouble.random.random() < 0.5):
            self._failed()
        return await work()

    async def _change(self, work: Callable[[], Awaitable[T]]) -> T:
        task = asyncio.create_task(self._commit(work))
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        task.add_done_callback(lambda done: done.cancelled() or done.exception())  # the caller may have gone
        return await asyncio.shield(task)

    async def _commit(self, work: Callable[[], Awaitable[T]]) -> T:
        async with self._order:
            await asyncio.sleep(self._trouble.random.uniform(0.0005, 0.004))
            if self.dead or self._trouble.refusing:
                self._failed()
            done = await work()
            if self._trouble.random.random() < self._trouble.in_doubt:
                self._failed()
            return done

    def _failed(self) -> None:
        self._ledger.store_failed_at = self._clock.now()
        raise StoreUnavailable("the disk does not answer")
