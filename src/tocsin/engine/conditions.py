"""Tells changes of devices' conditions: event and condition in one transaction, so that each is told once.

The event's identifier is made from the change's number. Asked again after a commit in doubt, or by another node that
saw the same, it is a repeat and no second event.
"""

import asyncio
from collections import deque
from hashlib import blake2b
from itertools import groupby, islice

from msgspec.structs import replace

from tocsin.engine.contracts import Intake, IntakeClosed, Submission
from tocsin.model.contact import Condition
from tocsin.model.event import Event
from tocsin.store.contract import Store, StoreUnavailable

TOGETHER = 200
"""Changes told in one transaction: one dead mast costs thousands of devices at once."""
AGAIN_S = 1.0

Change = tuple[Condition, Event | None]


class Conditions:
    """Changes wait here in order, at most a few per device: a device changes only while the intake is open."""

    def __init__(self, store: Store, intake: Intake) -> None:
        self._store = store
        self._intake = intake
        self._untold: deque[Change] = deque()
        self._woken = asyncio.Event()

    def change(self, before: Condition, state: str, event: Event | None) -> Condition:
        """The condition as it is from now on. `event` tells it; None: the device has told it itself."""
        after = replace(before, state=state, n=before.n + 1)
        if event is not None:
            device = blake2b(after.device_id.encode(), digest_size=8).hexdigest()
            event = replace(event, id=f"{after.matter}-{after.n}-{device}")
        self._untold.append((after, event))
        self._woken.set()
        return after

    async def run(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            while self._untold:
                told, changes = next(groupby(islice(self._untold, TOGETHER), lambda change: change[1] is not None))
                await self._tell(list(changes), told)

    async def _tell(self, changes: list[Change], told: bool) -> None:
        try:
            if told:
                await self._intake.accept_many([_submission(*change) for change in changes])
            else:
                await self._store.put_conditions([condition for condition, _ in changes])
        except (IntakeClosed, StoreUnavailable):
            await asyncio.sleep(AGAIN_S)
            return
        for _ in changes:
            self._untold.popleft()


def _submission(condition: Condition, event: Event | None) -> Submission:
    assert event is not None
    return Submission(event, digest=event.id.encode(), condition=condition)
