"""The lock of a job: renewed by a task of its own, which nothing else holds up; the fence before every write (9.2)."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from tocsin.engine.contracts import Clock, Randomness
from tocsin.evidence.contracts import Fenced, Withdrawn
from tocsin.evidence.holding import Holding
from tocsin.evidence.jobs.lock import LockTimes, lock_times
from tocsin.evidence.registry.client import Granted, RegistryClient
from tocsin.evidence.registry.faults import NotMine, RegistryFault, TryAgain
from tocsin.store.evidence import Superseded
from tocsin.telemetry.occurrences import LockFenced, LockNotRenewed, LockRenewed, Trouble
from tocsin.telemetry.record import Recorder

CALL_S = 10.0
LOOK_S = 1.0
"""The clock counts time in which the machine is suspended, timers do not: it is looked at this often."""


class LockParts(NamedTuple):
    """`boot`: monotonic seconds that go on while the machine is suspended. `owned`: whether this node still works for
    the agent.
    """

    client: RegistryClient
    clock: Clock
    boot: Callable[[], float]
    randomness: Randomness
    record: Recorder
    agent: str
    owned: Callable[[], bool]


class JobLock:
    """`keep` runs until the lock is lost; `fence` is asked right before each write."""

    def __init__(self, holding: Holding, granted: Granted, parts: LockParts) -> None:
        self._holding = holding
        self._parts = parts
        self._gone: Fenced | None = None
        self.times = self._times(granted)

    def fence(self) -> None:
        """Raises Fenced, Withdrawn; Superseded, lest a node that was frozen goes on where another one works now."""
        if not self._parts.owned():
            raise Superseded(f"this node no longer works for {self._parts.agent}")
        if self._gone is None and self._parts.boot() >= self.times.stop_at:
            self._gone = Fenced("the lock was not renewed in time")
            self._parts.record(LockFenced(self._parts.agent, self._holding.job.registry_id))
        if self._gone is not None:
            raise self._gone

    async def keep(self) -> None:
        """Raises Fenced when the deadline is near, Withdrawn when the registry says that it is not ours, Superseded."""
        try:
            while True:
                await self._until(self.times.renew_at)
                await self._renewed()
        except Withdrawn as error:
            self._gone = error
            raise

    async def renew(self) -> None:
        """Now, once. Raises Withdrawn, RegistryFault."""
        sent_at = self._parts.boot()
        try:
            async with asyncio.timeout(CALL_S):
                granted = await self._parts.client.renew(self._holding.ours, sent_at)
        except NotMine as error:
            raise Withdrawn(str(error)) from None
        except TimeoutError:
            raise TryAgain(f"the registry did not renew a lock within {CALL_S:g} s") from None
        await self._take(granted)

    async def regain(self) -> bool:
        """After the fence, all work having stopped: whether the registry never gave the job away (13.1)."""
        try:
            await self.renew()
            self._gone = None
            self.fence()
        except (Fenced, RegistryFault):
            return False
        return True

    async def _renewed(self) -> None:
        """Again and again until it is, or the fence is reached."""
        while True:
            try:
                async with asyncio.timeout(max(self.times.stop_at - self._parts.boot(), 0.0)):
                    return await self.renew()
            except (RegistryFault, TimeoutError):
                self._parts.record(LockNotRenewed(self._parts.agent))
                await self._until(self._parts.boot() + self.times.again_s)

    async def _until(self, instant: float) -> None:
        while (left := instant - self._parts.boot()) > 0:
            self.fence()
            await asyncio.sleep(min(left, LOOK_S, max(self.times.stop_at - self._parts.boot(), 0.0)))
        self.fence()

    async def _take(self, granted: Granted) -> None:
        latency_s = self._parts.boot() - granted.sent_at
        slow = self.times.slow(latency_s)
        self._parts.record(LockRenewed(self._parts.agent, latency_s))
        if slow:
            text = f"renewing a lock of {self.times.granted_s:.0f} s took {latency_s:.1f} s"
            self._parts.record(Trouble(f"evidence {self._parts.agent}", text))
        self.times = self._times(granted)
        if granted.token and granted.token != self._holding.job.lock_token:
            await self._holding.note(lock_token=granted.token)

    def _times(self, granted: Granted) -> LockTimes:
        return lock_times(granted.sent_at, granted.granted_s, self._parts.randomness.random())

    def until(self) -> timedelta:
        """How long it still lasts."""
        return timedelta(seconds=max(self.times.deadline - self._parts.boot(), 0.0))
