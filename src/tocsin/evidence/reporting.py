"""Tells the registry how far a job is, beside the work on it (clearance.md 9.4)."""

import asyncio
from collections.abc import Callable

from tocsin.engine.contracts import Clock
from tocsin.evidence.contracts import Withdrawn
from tocsin.evidence.holding import Holding
from tocsin.evidence.jobs.progress import Part, must_tell, reached
from tocsin.evidence.registry.client import RegistryClient
from tocsin.evidence.registry.faults import NotMine, NotUnderstood, RegistryFault

LOOK_S = 1.0


class Reporting:
    """`parts` grows while the work goes on. `run` until cancelled, or the registry says that the job is not ours.
    `fence` is called right before each update.
    """

    def __init__(self, holding: Holding, client: RegistryClient, fence: Callable[[], None], clock: Clock) -> None:
        self.parts: list[Part] = []
        self._holding = holding
        self._client = client
        self._fence = fence
        self._clock = clock

    async def run(self) -> None:
        """Raises Withdrawn, and what `fence` raises. An update is optional: other failures are left to the lock."""
        told_at, told = self._clock.monotonic(), self._holding.job.progress
        while True:
            await asyncio.sleep(LOOK_S)
            now, value = self._clock.monotonic(), self.value()
            if must_tell(now, told_at, value, told):
                told_at = now
                told = await self._tell(value, told)

    async def _tell(self, value: int, told: int) -> int:
        if value > self._holding.job.progress:
            await self._holding.note(progress=value)
        self._fence()
        try:
            await self._client.update(self._holding.ours, value)
        except NotMine as error:
            raise Withdrawn(str(error)) from None
        except NotUnderstood:
            await asyncio.Event().wait()  # this registry wants no updates: nothing more to do
        except RegistryFault:
            return told
        return value

    def value(self) -> int:
        """0 to 980, never less than before."""
        return reached(self.parts, self._holding.job.progress)
