"""Tells service clouds how a system itself is, so that its devices' silence can be explained (connectors.md 1.10)."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from tocsin.engine.contracts import Clock, IntakeClosed, Submission, Taken
from tocsin.engine.inventory.health import SPACE
from tocsin.engine.inventory.normal import clean, instant_text
from tocsin.engine.inventory.rules import SystemRules
from tocsin.engine.inventory.source import SourceWatch
from tocsin.model.event import Event, SourceNotice
from tocsin.store.contract import Store, StoreUnavailable

AGAIN_S = 5.0
LONGEST_ERROR = 400


class TellingParts(NamedTuple):
    """`accept` is the intake; `owned` says how many devices of the system each customer has."""

    store: Store
    clock: Clock
    accept: Callable[[Sequence[Submission]], Awaitable[Sequence[Taken]]]
    owned: Callable[[], Mapping[str, int]]


class SourceTelling:
    """`changed` is called whenever the system's state changes; `run` tells each customer the newest, until cancelled.

    What a gateway finds after its start is told too: nobody knows what an earlier process did not come to tell.
    """

    def __init__(self, rules: SystemRules, source: SourceWatch, parts: TellingParts) -> None:
        self._rules = rules
        self._source = source
        self._parts = parts
        self._woken = asyncio.Event()

    def changed(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            try:
                await self._tell()
            except (IntakeClosed, StoreUnavailable):
                self._woken.set()
                await asyncio.sleep(AGAIN_S)

    async def _tell(self) -> None:
        name = self._rules.name
        standing = await self._parts.store.standing(name)
        owned = self._parts.owned()
        customers = sorted({*owned, self._rules.customer_id} - {""})
        state = self._source.state
        told = [
            SourceNotice(
                system=name,
                customer_id=one,
                status=state.status,
                since=state.since,
                error=clean(state.error, LONGEST_ERROR),
                devices=0 if state.status == "ok" else owned.get(one, 0),
                last_complete_sync=standing.last_complete_sync if standing else None,
                last_event=self._source.last_event,
            )
            for one in customers
        ]
        if told:
            await self._parts.accept([self._submission(one) for one in told])

    def _submission(self, notice: SourceNotice) -> Submission:
        said = (notice.system, notice.customer_id, notice.status, instant_text(notice.since))
        id_ = str(uuid.uuid5(SPACE, "\0".join(("source", *said))))
        well = notice.status == "ok"
        text = f"{notice.system} can be read" if well else f"{notice.system} is {notice.status}: {notice.error}"
        kind, now = "supervision_restored" if well else "supervision_lost", self._parts.clock.now()
        event = Event(id_, kind, notice.since, now, notice.system, text=text, notice=notice)  # type: ignore[arg-type]
        return Submission(event, digest=id_.encode())
