"""The agent of one registry: asks for jobs, takes what it has workers for, goes on with what an earlier process left
(clearance.md 7.5, 9.1, 13.4).
"""

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from tocsin.engine.evidence import AgentStatus
from tocsin.engine.lease import LeaseKeeper
from tocsin.engine.tasks import ComponentState
from tocsin.evidence.attempt import Attempt
from tocsin.evidence.beside import guarded_by
from tocsin.evidence.jobs.choosing import chosen
from tocsin.evidence.locking import LockParts
from tocsin.evidence.outlook import Outlook
from tocsin.evidence.registry.faults import Misconfigured, NotUnderstood, RegistryFault, TryAgain
from tocsin.evidence.registry.wire import Offered
from tocsin.evidence.rules import AgentRules
from tocsin.evidence.spool import Spool
from tocsin.evidence.taking import Taking
from tocsin.model.evidence import Job
from tocsin.store.evidence import CustodyBroken, Superseded
from tocsin.telemetry.occurrences import Notice, TaskFailed

LOOK_S = 0.5
SWEEP_EVERY_S = 3600.0
STOP_LIMIT_S = 5.0
RECENT = 500
Work = tuple[str, str, Callable[[], Awaitable[None]]]


class AgentParts(NamedTuple):
    """`aclose` closes what the agent alone uses."""

    rules: AgentRules
    keeper: LeaseKeeper
    taking: Taking
    lock: LockParts
    spool: Spool
    outlook: Outlook
    accept_shrink: Callable[[], None]
    aclose: Callable[[], Awaitable[None]]


class RegistryAgent:
    """Implements engine.evidence.Agent."""

    type = "clearance"

    def __init__(self, parts: AgentParts) -> None:
        self.name = parts.rules.name
        self._parts = parts
        self._rules = parts.rules
        self._outlook = parts.outlook
        self._attempts: dict[str, tuple[Attempt, asyncio.Task[None]]] = {}
        self._left: list[Job] = []
        self.paused = False
        self._stopping = False
        self._asked_for: list[str] = []
        self._more = False
        self._woken = asyncio.Event()
        self._would: set[str] = set()
        self._swept_at = -SWEEP_EVERY_S

    def works(self) -> Sequence[Work]:
        return [
            (f"evidence {self.name} lease", "evidence", self._parts.keeper.run),
            (f"evidence {self.name}", "evidence", self._run),
        ]

    def state(self) -> ComponentState:
        owned = self._parts.keeper.lease is not None
        return self._outlook.component(f"registry of {self.name}", owned)

    async def status(self) -> AgentStatus:
        running = [attempt.holding.job.id for attempt, _ in self._attempts.values()]
        spooled = await asyncio.to_thread(self._parts.spool.used)
        owned = self._parts.keeper.lease is not None
        status = self._outlook.status(self.type, owned, self.paused, running, spooled, self._rules.dry_run)
        return replace(status, unsettled=[*self._asked_for, *(job.id for job in self._left)])

    def locks(self) -> Mapping[str, datetime]:
        return {attempt.holding.job.id: attempt.locked_until() for attempt, _ in self._attempts.values()}

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self._woken.set()

    def accept_shrink(self) -> None:
        self._parts.accept_shrink()

    async def stop(self, for_good: bool) -> None:
        self._stopping = True
        if for_good and self._rules.release_on_stop:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STOP_LIMIT_S):
                    await asyncio.gather(*(self._let_go(*one) for one in list(self._attempts.values())))

    async def _let_go(self, attempt: Attempt, task: "asyncio.Task[None]") -> None:
        task.cancel()
        await asyncio.wait([task])
        with contextlib.suppress(Superseded):  # another node has it already
            await attempt.release("the gateway stops")

    async def aclose(self) -> None:
        await self._parts.keeper.release()
        await self._parts.aclose()

    async def _run(self) -> None:
        """While this node has the lease; a new lease begins anew."""
        await asyncio.to_thread(self._parts.spool.open)
        while True:
            while (lease := self._parts.keeper.lease) is None:
                await asyncio.sleep(LOOK_S)
            try:
                await guarded_by([self._while_owned(lease.epoch)], self._serve())
            except* Superseded as lost:
                self._parts.lock.record(Notice(f"evidence {self.name}", f"another node goes on: {lost.exceptions[0]}"))

    async def _while_owned(self, epoch: int) -> None:
        while (lease := self._parts.keeper.lease) is not None and lease.epoch == epoch:
            await asyncio.sleep(LOOK_S)
        raise Superseded(f"the lease of {self.name} has ended")

    async def _serve(self) -> None:
        await self._outlook.load()
        self._left = await self._parts.taking.begin()
        async with asyncio.TaskGroup() as group:
            while True:
                self._woken.clear()
                await self._recover(group)
                pause_s = await self._ask(group)
                await self._sweep()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), pause_s)

    async def _recover(self, group: asyncio.TaskGroup) -> None:
        """What an earlier process left, each until the registry has said whether it is still ours."""
        for job in list(self._left):
            try:
                attempt = await self._parts.taking.recover(job)
            except NotUnderstood as error:  # of this job; the others do not wait for it
                self._outlook.failed(error)
                continue
            except RegistryFault as error:
                self._outlook.failed(error)
                return
            self._left.remove(job)
            if attempt is not None:
                self._start(attempt, group)

    async def _ask(self, group: asyncio.TaskGroup) -> float:
        """One question, and what follows; the pause until the next."""
        try:
            offered = await self._parts.lock.client.jobs()
            self._outlook.answered(offered)
            await self._take(offered, group)
        except (TryAgain, Misconfigured, NotUnderstood) as error:
            self._outlook.failed(error)
        return self._outlook.pause_s(self._rules.poll_interval_s, self._parts.lock.randomness.random())

    async def _take(self, offered: Sequence[Offered], group: asyncio.TaskGroup) -> None:
        """Never more than there are free workers: a lock that waits here only blocks other agents."""
        listed = frozenset(one.registry_id for one in offered)
        async for attempt in self._parts.taking.settle(listed):
            self._start(attempt, group)
        busy = {attempt.holding.job.registry_id for attempt, _ in self._attempts.values()}
        free = self._rules.workers - len(self._attempts) if self._takes else 0
        others = [one for one in offered if one.registry_id not in busy]
        wanted = chosen(others, len(others), *self._outlook.choice(self._rules.recorder_keeps_s))
        self._more = len(wanted) > free
        for one in wanted[: max(free, 0)]:
            if self._rules.dry_run:
                self._tell_would(one)
            elif self._takes:  # it may be paused between one lock and the next
                await self._lock(one, group)

    @property
    def _takes(self) -> bool:
        return not (self.paused or self._stopping)

    async def _lock(self, one: Offered, group: asyncio.TaskGroup) -> None:
        self._asked_for.append(one.registry_id)
        try:
            if (taken := await self._parts.taking.take(one)) is not None:
                self._start(taken, group)
        finally:
            self._asked_for.remove(one.registry_id)

    def _tell_would(self, one: Offered) -> None:
        if one.registry_id not in self._would:
            self._would.add(one.registry_id)
            text = f"dry run: would take {one.type} {one.registry_id} of {one.device or 'all devices'}"
            self._parts.lock.record(Notice(f"evidence {self.name}", text))

    def _start(self, attempt: Attempt, group: asyncio.TaskGroup) -> None:
        job = attempt.holding.job
        task = group.create_task(self._carry_out(attempt), name=f"evidence job {job.registry_id}")
        self._attempts[job.id] = (attempt, task)

    async def _carry_out(self, attempt: Attempt) -> None:
        try:
            await attempt.run()
        except (Superseded, CustodyBroken):
            raise
        except Exception as error:  # noqa: BLE001 - the top of a job: a defect must not end the agent
            trace = "".join(traceback.format_exception(error))
            self._parts.lock.record(
                TaskFailed(f"evidence job {attempt.holding.job.registry_id}", repr(error), trace, 0.0)
            )
            self._left.append(attempt.holding.job)
        finally:
            job = attempt.holding.job
            self._attempts.pop(job.id, None)
            self._outlook.ended(job)
            if self._more:
                self._woken.set()

    async def _sweep(self) -> None:
        now = self._parts.lock.clock.monotonic()
        if now - self._swept_at < SWEEP_EVERY_S:
            return
        self._swept_at = now
        needed = {*self._attempts, *(job.id for job in self._left)}
        await self._parts.spool.sweep(needed, self._parts.lock.clock.now())
