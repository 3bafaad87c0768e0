"""Which events a station has: for sources that acknowledge only then (`acknowledge = "delivered"`).

Costs nothing as long as nobody waits. What is asked for is looked up once in the store; after that the pumps tell, and
the store is asked again now and then for what another node delivered or a person closed by hand.
"""

import asyncio
from collections.abc import Sequence

from tocsin.engine.contracts import Taken
from tocsin.model.delivery import Delivery, Outcome
from tocsin.store.contract import Store, StoreUnavailable

LOOK_EVERY_S = 2.0
_OWE_NOTHING = frozenset({"filtered", "discarded", "superseded"})


class Proofs:
    """`settled` is told of what became of deliveries, once that is on disk."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[int, set[asyncio.Event]] = {}

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        if self._waiting:
            for outcome in outcomes:
                for woken in self._waiting.get(outcome.key.event_seq, ()):
                    woken.set()

    async def all_delivered(self, taken: Sequence[Taken], within_s: float) -> bool:
        """Whether a station has each of these events, or nobody owes it; waits for it at most so long."""
        try:
            async with asyncio.timeout(within_s):
                for one in taken:
                    await self._delivered(one)
        except TimeoutError:
            return False
        return True

    async def _delivered(self, taken: Taken) -> None:
        if not taken.duplicate and not taken.destinations:
            return
        woken = asyncio.Event()
        self._waiting.setdefault(taken.seq, set()).add(woken)
        try:
            while not await self._is_delivered(taken.seq):
                await _woken_within(woken, LOOK_EVERY_S)
        finally:
            self._waiting[taken.seq].discard(woken)
            if not self._waiting[taken.seq]:
                del self._waiting[taken.seq]

    async def _is_delivered(self, seq: int) -> bool:
        try:
            found = await self._store.deliveries_of([seq])
        except StoreUnavailable:
            return False
        return proven(found[seq])


def proven(deliveries: Sequence[Delivery]) -> bool:
    """A station has it; or nobody owes it, nor will. What was set aside or expired is owed to a person."""
    states = {delivery.state for delivery in deliveries}
    return "delivered" in states or states <= _OWE_NOTHING


async def _woken_within(woken: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        return
    woken.clear()
