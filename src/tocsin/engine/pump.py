"""Brings what is owed to one destination: alarm before status before routine, in order per queue, until it is taken.

What raises from the destination decides who waits (engine/contracts.py). Everything that must survive is in the
store; the pump
holds a bounded window of it and may be dropped and built anew at any moment.
"""

import asyncio
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from tocsin.engine.backoff import Retry, delay_s
from tocsin.engine.contracts import (
    Attempt,
    Clock,
    Destination,
    LinkDown,
    Randomness,
    Rejected,
    TryLater,
)
from tocsin.engine.lease import LeaseKeeper
from tocsin.engine.link import ANNOUNCE_AFTER, Link
from tocsin.engine.polling import Polling
from tocsin.engine.reading import Reading
from tocsin.engine.schedule import Schedule
from tocsin.engine.settler import Settler
from tocsin.engine.window import LaneWindow
from tocsin.model.delivery import DeliveryKey, DeliveryState, Due, Exchange, Outcome, Receipt
from tocsin.model.kinds import Lane
from tocsin.store.contract import Store
from tocsin.telemetry.occurrences import (
    AttemptMade,
    DeliveryEnded,
    DeliverySetAside,
    DestinationCameUp,
    DestinationWentDown,
    TaskFailed,
)
from tocsin.telemetry.record import Recorder

ATTEMPT_LIMIT_S = 300.0
"""A destination has its own deadlines; this one only ends a destination that forgot one."""
STOP_LIMIT_S = 10.0


class PumpParts(NamedTuple):
    """What a pump works with. `link_changed` is told of every outage's announcement and end: reason, or "" for up."""

    store: Store
    clock: Clock
    randomness: Randomness
    record: Recorder
    node: str
    lease_ttl_s: float
    link_changed: Callable[[str, str], None]
    settled: Callable[[Sequence[Outcome]], None]


class Pump:
    """One destination's delivery. `offer` feeds it, `run` works until cancelled, `stop` lets it finish."""

    def __init__(self, destination: Destination, retry: Retry, parts: PumpParts, paused: bool = False) -> None:
        self.destination = destination
        self.retry = retry
        self.paused = paused
        self.link = Link(retry)
        self._parts = parts
        self._record = parts.record
        self._clock = parts.clock
        self._windows = {lane: LaneWindow() for lane in Lane}
        self._schedule = Schedule()
        self._under_way: dict[DeliveryKey, str] = {}
        self._sleepers: list[asyncio.Future[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = False
        self._workers: list[asyncio.Task[None]] = []
        name = destination.name
        self._keeper = LeaseKeeper(
            parts.store, parts.clock, f"destination/{name}", parts.node, parts.lease_ttl_s, self._begin
        )
        self._settler = Settler(parts.store, lambda: self._keeper.lease, parts.settled)
        self._reading = Reading(parts.store, name, lambda: self._windows, self._mark)
        self._polling: Polling | None = None
        if destination.supervision_s is not None:
            self._polling = Polling(
                destination.supervision_s, self.link, parts.clock, parts.randomness, self._may_work, self._poll
            )

    @property
    def name(self) -> str:
        return self.destination.name

    def offer(self, due: Due) -> None:
        """A delivery that was just committed."""
        if self._keeper.lease is None:
            return
        queue = self._windows[due.lane].offer(due)
        if due.lane is Lane.ALARM and self.link.blocked:
            self.link.alarm(self._clock.monotonic())
            self._wake()
        if queue is not None:
            self._schedule.mark(due.lane, queue)
            self._wake()
        elif self._windows[due.lane].wants_load():
            self._reading.want()

    def requeue(self, due: Due) -> None:
        """A delivery opened again by hand."""
        if self._windows[due.lane].requeue(due) is not None:
            self._schedule.mark(due.lane, due.queue)
            self._wake()

    def update(self, due: Due) -> None:
        """A held delivery whose photos or actors have come."""
        window = self._windows[due.lane]
        head = window.head(due.queue)
        if due.key not in self._under_way and window.replace(due) and head is not None and head.key == due.key:
            self._schedule.mark(due.lane, due.queue)
            self._wake()

    def forget(self, key: DeliveryKey) -> None:
        """A delivery closed by hand; one under way ends as it will, and the store leaves its outcome out."""
        if key not in self._under_way:
            for window in self._windows.values():
                window.remove(key)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self._wake(everybody=True)

    async def run(self) -> None:
        """Until cancelled. Never raises by itself but for a defect."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keeper.run())
            group.create_task(self._settler.run())
            group.create_task(self._reading.run())
            self._workers = [group.create_task(self._work()) for _ in range(self.destination.concurrency)]
            if self._polling is not None:
                group.create_task(self._polling.run())

    async def stop(self) -> None:
        """Finish what is under way, at most ten seconds, write it down, and let go."""
        self._stopping = True
        self._wake(everybody=True)
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                if self._workers:
                    await asyncio.wait(self._workers)
                await self._settler.drained()
        except TimeoutError:
            return
        finally:
            await self._keeper.release()

    def _begin(self) -> None:
        """This node has the destination (again): whatever was in memory may be stale, read everything anew."""
        self._windows = {lane: LaneWindow() for lane in Lane}
        busy = set(self._under_way.values())
        self._schedule = Schedule()
        self._schedule.occupy(busy)
        self._reading.want()

    # Workers

    async def _work(self) -> None:
        while not self._stopping:
            due = self._next()
            if due is None:
                await self._sleep()
            else:
                if self._schedule.ready():
                    self._wake()
                await self._settler.room()
                await self._attempt(due)

    def _next(self) -> Due | None:
        """The next delivery to try, its queue now busy; None if there is none at the moment."""
        now = self._clock.monotonic()
        if not self._may_work() or not self.link.may_try(now):
            return None
        while (turn := self._schedule.take(now)) is not None:
            due = self._ready(*turn, now)
            if due is not None:
                self._under_way[due.key] = due.queue
                return due
            self._schedule.release(turn[1])
        self.link.not_tried()
        return None

    def _ready(self, lane: Lane, queue: str, now: float) -> Due | None:
        """The queue's head if it may go now; else the queue waits, or the head has expired."""
        due = self._windows[lane].head(queue)
        if due is None:
            return None
        wall = self._clock.now()
        if wall - due.event.accepted_at > timedelta(seconds=self.retry.expire_s):
            self._expire(due, wall)
            return None
        if due.due_at is not None and due.due_at > wall:
            self._schedule.wait(lane, queue, now + (due.due_at - wall).total_seconds())
            return None
        return due

    def _expire(self, due: Due, wall: datetime) -> None:
        hours = self.retry.expire_s / 3600
        reason = f"not delivered within {hours:g} h" + (f"; last: {self.link.reason}" if self.link.reason else "")
        self._end(due, "expired", due.attempts, wall, reason=reason)

    async def _attempt(self, due: Due) -> None:
        attempt = Attempt(self._clock, self._parts.store.photos, due.key.event_seq)
        try:
            async with asyncio.timeout(ATTEMPT_LIMIT_S):
                receipt = await self.destination.deliver(due, attempt)
        except LinkDown as error:
            self._link_down(due, attempt, str(error))
        except TryLater as error:
            self._failed(due, attempt, str(error), error.after_s)
        except Rejected as error:
            self._rejected(due, attempt, str(error))
        except TimeoutError:
            self._failed(due, attempt, f"no end within {ATTEMPT_LIMIT_S:g} s", None)
        except Exception as error:  # noqa: BLE001 - a defect in one destination must not stop its other deliveries
            self._defect(error)
            self._failed(due, attempt, f"internal error: {type(error).__name__}", None)
        else:
            self._delivered(due, attempt, receipt)
        finally:
            self._under_way.pop(due.key, None)
            self._schedule.release(due.queue)
            self._wake()

    def _delivered(self, due: Due, attempt: Attempt, receipt: Receipt) -> None:
        self._link_worked()
        self._record(AttemptMade(self.name, "delivered"))
        self._end(due, "delivered", due.attempts + 1, self._clock.now(), attempt, receipt)

    def _rejected(self, due: Due, attempt: Attempt, reason: str) -> None:
        self._link_worked()
        self._record(AttemptMade(self.name, "refused"))
        self._record(DeliverySetAside(self.name, str(due.key), reason))
        self._end(due, "rejected", due.attempts + 1, self._clock.now(), attempt, reason=reason)

    def _failed(self, due: Due, attempt: Attempt, reason: str, after_s: float | None) -> None:
        now = self._clock.now()
        self._record(AttemptMade(self.name, "retry"))
        self._note_failure(lambda at: self.link.failed(at, reason), reason)
        pause_s = after_s if after_s is not None else delay_s(self.retry, due.attempts + 1, self._chance())
        later = replace(due, attempts=due.attempts + 1, due_at=now + timedelta(seconds=pause_s))
        self._settler.add(
            Outcome(due.key, "retrying", later.attempts, now, later.due_at, reason=reason, exchanges=_of(attempt))
        )
        self._again(later)

    def _link_down(self, due: Due, attempt: Attempt, reason: str) -> None:
        now = self._clock.now()
        self._record(AttemptMade(self.name, "unreachable"))
        self._note_failure(lambda at: self.link.unreachable(at, reason, self._chance()), reason)
        state: DeliveryState = "retrying" if due.attempts else "pending"
        self._settler.add(Outcome(due.key, state, due.attempts, now, due.due_at, reason=reason, exchanges=_of(attempt)))
        self._again(due)

    def _again(self, due: Due) -> None:
        """Back to the head of its queue, where `_ready` sees when it may go."""
        if self._windows[due.lane].replace(due):
            self._schedule.mark(due.lane, due.queue, first=True)

    def _end(
        self,
        due: Due,
        state: DeliveryState,
        attempts: int,
        at: datetime,
        attempt: Attempt | None = None,
        receipt: Receipt | None = None,
        reason: str = "",
    ) -> None:
        """A delivery has its final state; what stands behind it comes up."""
        host, answer = (receipt.host, receipt.answer) if receipt else ("", "")
        exchanges = _of(attempt) if attempt else ()
        self._settler.add(Outcome(due.key, state, attempts, at, None, host, answer, reason=reason, exchanges=exchanges))
        self._record(DeliveryEnded(self.name, state, (at - due.event.accepted_at).total_seconds()))
        window = self._windows[due.lane]
        head = window.head(due.queue)
        if head is not None and head.key == due.key and window.drop_head(due.queue):
            self._schedule.mark(due.lane, due.queue)
        if window.wants_load() or window.wants_refill():
            self._reading.want()

    # The link

    def _link_worked(self) -> None:
        blocked, announced = self.link.blocked, self.link.announced
        down_s = self.link.worked(self._clock.monotonic())
        if down_s is not None:
            self._record(DestinationCameUp(self.name, round(down_s, 3)))
        if announced:
            self.link.announced = False
            self._parts.link_changed(self.name, "")
        if blocked:
            self._wake(everybody=True)

    def _note_failure(self, fail: Callable[[float], None], reason: str) -> None:
        was_down = self.link.down_since is not None
        fail(self._clock.monotonic())
        if not was_down and self.link.down_since is not None:
            self._record(DestinationWentDown(self.name, reason))
        if self.link.failures >= ANNOUNCE_AFTER and not self.link.announced:
            self.link.announced = True
            self._parts.link_changed(self.name, reason)
        if self._polling is not None:
            self._polling.link_changed()

    def _defect(self, error: Exception) -> None:
        trace = "".join(traceback.format_exception(error))
        self._record(TaskFailed(f"destination {self.name}", f"{type(error).__name__}: {error}", trace, 0.0))

    def _chance(self) -> float:
        return self._parts.randomness.random()

    def _may_work(self) -> bool:
        return not self.paused and not self._stopping and self._keeper.lease is not None

    async def _poll(self) -> None:
        attempt = Attempt(self._clock, self._parts.store.photos, 0)
        try:
            async with asyncio.timeout(ATTEMPT_LIMIT_S):
                await self.destination.supervise(attempt)
        except (LinkDown, TryLater, Rejected, TimeoutError) as error:
            reason = str(error) or "no answer to supervision"
            self._record(AttemptMade(self.name, "unreachable"))
            self._note_failure(lambda at: self.link.unreachable(at, reason, self._chance()), reason)
        except Exception as error:  # noqa: BLE001 - a defect in supervision must not stop deliveries
            self._defect(error)
            self.link.unreachable(self._clock.monotonic(), "internal error", self._chance())
        else:
            self._record(AttemptMade(self.name, "supervised"))
            self._link_worked()
        self._wake()

    def _mark(self, lane: Lane, queues: Sequence[str]) -> None:
        for queue in queues:
            self._schedule.mark(lane, queue)
        if queues:
            self._wake(everybody=True)

    # Sleeping and waking

    async def _sleep(self) -> None:
        """Until something may be ready: a delivery, a waiting queue's time, a probe's time."""
        sleeper = asyncio.get_running_loop().create_future()
        self._sleepers.append(sleeper)
        self._set_timer()
        try:
            await sleeper
        finally:
            if sleeper in self._sleepers:
                self._sleepers.remove(sleeper)

    def _set_timer(self) -> None:
        at = self.link.next_try() if self.link.blocked else self._schedule.next_due()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at is not None and not self.paused and self._keeper.lease is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(at, loop.time()), self._wake)

    def _wake(self, everybody: bool = False) -> None:
        while self._sleepers:
            sleeper = self._sleepers.pop()
            if not sleeper.done():
                sleeper.set_result(None)
                if not everybody:
                    return


def _of(attempt: Attempt) -> tuple[Exchange, ...]:
    return tuple(attempt.exchanges)
