"""Brings what is owed to one destination: alarm before status before routine, in order per queue, until it is taken.

What raises from the destination decides who waits (engine/contracts.py). Everything that must survive is in the
store; the pump holds a bounded window of it and may be dropped and built anew at any moment.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from tocsin.engine.attempts import ATTEMPT_LIMIT_S, Attempts
from tocsin.engine.backoff import Retry, delay_s
from tocsin.engine.contracts import Attempt, Destination, LinkDown, Rejected, TryLater
from tocsin.engine.lease import LeaseKeeper
from tocsin.engine.link import Link
from tocsin.engine.news import LinkNews
from tocsin.engine.polling import Polling
from tocsin.engine.reading import Reading
from tocsin.engine.schedule import Schedule
from tocsin.engine.settler import Settler
from tocsin.engine.steady import LONGEST_WAIT_S, SteadyTimes
from tocsin.engine.surroundings import PumpParts
from tocsin.engine.window import PER_LANE, LaneWindow
from tocsin.model.delivery import DeliveryKey, DeliveryState, Due, Outcome, Receipt
from tocsin.model.event import Event
from tocsin.model.kinds import Lane
from tocsin.store.contract import Lease, StoreUnavailable
from tocsin.telemetry.occurrences import AttemptMade, DeliveriesFiltered, DeliveryEnded, DeliverySetAside

STOP_LIMIT_S = 8.0
SHORTEST_ASKED_S = 0.1
"""A peer that asks to be tried again at once is not tried in a circle."""
STORE_PAUSE_S = 1.0


class Pump:
    """One destination's delivery. `offer` feeds it, `run` works until cancelled, `stop` lets it finish."""

    def __init__(self, destination: Destination, retry: Retry, parts: PumpParts, paused: bool = False) -> None:
        self.destination = destination
        self.retry = retry
        self.paused = paused
        self.link = Link(retry)
        self._news = LinkNews(
            destination.name, self.link, parts.clock, parts.randomness, parts.record, parts.link_changed
        )
        self._parts = parts
        self._record = parts.record
        self._clock = parts.clock
        self._windows = {lane: LaneWindow() for lane in Lane}
        self._schedule = Schedule()
        self._times = SteadyTimes(parts.clock)
        self._overruled: dict[DeliveryKey, Due | None] = {}
        """Under way, and meanwhile opened again by hand, or (None) closed."""
        self._stopping = False
        self._workers: list[asyncio.Task[None]] = []
        name = destination.name
        self._keeper = LeaseKeeper(
            parts.store, parts.clock, f"destination/{name}", parts.node, parts.lease_ttl_s, self._begin
        )
        self._settler = Settler(parts.store, lambda: self._keeper.newest, self._written)
        self._reading = Reading(parts.store, name, lambda: self._windows, self._loaded, self._idle)
        self._attempts = Attempts(
            destination, parts, self._settler, self._next, self._ready_now, self._ended, self._next_look
        )
        self._under_way = self._attempts.under_way
        self._polling: Polling | None = None
        if destination.supervision_s is not None:
            self._polling = Polling(destination, self._news, parts, self._may_work, self._attempts.look)
            self._news.failed_again = self._polling.link_changed

    @property
    def name(self) -> str:
        return self.destination.name

    @property
    def at_work(self) -> bool:
        """Whether this node may speak to the destination now."""
        return self._may_work()

    @property
    def lease(self) -> Lease | None:
        """This node's right to the destination, while it has it."""
        return self._keeper.lease

    def is_under_way(self, key: DeliveryKey) -> bool:
        return key in self._under_way

    def offer(self, due: Due) -> None:
        """A delivery that was just committed."""
        if not self._keeper.held:
            return
        window = self._windows[due.lane]
        queue = window.offer(due)
        if due.due_at is not None and due.key in window:
            self._times.due_at(due)
        if due.lane is Lane.ALARM and self.link.blocked and not self.link.hurried:
            self.link.alarm(self._clock.monotonic())
            self._attempts.more()
        if queue is not None:
            self._mark(due.lane, queue)
        elif window.wants_load(self._idle(due.lane)):
            self._reading.want()

    def look(self) -> None:
        """Something may have been committed that was not offered."""
        if self._keeper.lease is not None:
            for window in self._windows.values():
                window.look()
            self._reading.want()

    def doubt(self) -> None:
        """A change to what is owed may or may not be on disk: what is in memory may be stale."""
        if self._keeper.lease is not None:
            self._begin()

    def requeue(self, due: Due) -> None:
        """A delivery opened again by hand."""
        self._reading.opened(due.key)
        if due.key in self._under_way:
            self._overruled[due.key] = due
            return
        self._times.forget(due.key)
        window = self._windows[due.lane]
        if len(window) >= 2 * PER_LANE:
            self.doubt()
        elif window.requeue(due) is not None:
            self._mark(due.lane, due.queue)

    def update(self, due: Due) -> None:
        """A held delivery whose photos or actors have come."""
        window = self._windows[due.lane]
        if due.key not in self._under_way and window.replace(due):
            self._times.forget(due.key)
            if window.head(due.queue) is due:
                self._mark(due.lane, due.queue)

    def amended(self, event_seq: int, event: Event) -> None:
        """What was not handed over yet goes out as it is known now."""
        self._reading.amended(event_seq, event)
        for window in self._windows.values():
            window.amend(event_seq, event)

    def forget(self, key: DeliveryKey) -> None:
        """A delivery closed by hand; one under way ends as it will, and the store leaves its outcome out."""
        self._reading.ended(key)
        self._reading.written([key])
        if key in self._under_way:
            self._overruled[key] = None
        else:
            self._remove(key)

    def withdraw(self, key: DeliveryKey, reason: str) -> None:
        """The destination does not want it after all; one under way ends as it will."""
        if self._keeper.lease is not None and key not in self._under_way:
            self._reading.ended(key)
            self._settler.add(Outcome(key, "filtered", 0, self._clock.now(), reason=reason))
            self._record(DeliveriesFiltered(self.name))
            self._remove(key)

    def _remove(self, key: DeliveryKey) -> None:
        self._times.forget(key)
        for lane, window in self._windows.items():
            queue = window.remove(key)
            if queue is not None:
                self._mark(lane, queue)
            self._want_more(lane)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self._attempts.look()

    async def run(self) -> None:
        """Until cancelled. Never raises by itself but for a defect; then it begins anew."""
        self._keeper.doubt()
        await self._attempts.begin_anew()
        self._overruled.clear()
        self.link.not_tried()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keeper.run())
            group.create_task(self._settler.run())
            group.create_task(self._reading.run())
            self._workers = [group.create_task(self._attempts.work()) for _ in range(self.destination.concurrency)]
            if self._polling is not None:
                group.create_task(self._polling.run())

    async def stop(self) -> None:
        """Finish what is under way, at most ten seconds with letting go, and write it down."""
        self._stopping = True
        self._attempts.stop()
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
        self._times.forget_all()
        self._schedule = Schedule()
        self._schedule.occupy(due.queue for due, _ in self._under_way.values())
        self._reading.want()

    # Attempts

    def _next(self) -> Due | None:
        """The next delivery to try, its queue busy until `_ended`; None if there is none at the moment."""
        now = self._clock.monotonic()
        if self.paused or self._stopping or not self._keeper.lasts(now) or not self.link.may_try(now):
            return None
        while (turn := self._schedule.take(now)) is not None:
            due = self._ready(*turn, now)
            if due is not None:
                return due
            self._schedule.release(turn[1])
        self.link.not_tried()
        return None

    def _ready_now(self) -> bool:
        return self._schedule.ready()

    def _ready(self, lane: Lane, queue: str, now: float) -> Due | None:
        """The queue's head if it may go now; else the queue waits, or the head has expired."""
        due = self._windows[lane].head(queue)
        if due is None:
            return None
        if self._times.age_s(due.event.accepted_at) > self.retry.expire_s:
            self._expire(due)
            return None
        at = self._times.due_at(due)
        if at is not None and at > now:
            self._schedule.wait(lane, queue, at)
            self._want_more(lane)
            return None
        self._times.forget(due.key)
        return due

    def _expire(self, due: Due) -> None:
        hours = self.retry.expire_s / 3600
        reason = f"not delivered within {hours:g} h" + (f"; last: {self.link.reason}" if self.link.reason else "")
        self._end(due, "expired", due.attempts, reason=reason)

    def _ended(self, due: Due, attempt: Attempt, end: Receipt | Exception) -> None:
        match end:
            case Receipt():
                self._delivered(due, attempt, end)
            case LinkDown():
                self._link_down(due, attempt, str(end))
            case TryLater():
                self._failed(due, attempt, str(end), end.after_s)
            case Rejected():
                self._rejected(due, attempt, str(end))
            case StoreUnavailable():
                self._store_failed(due)
            case TimeoutError():
                self._failed(due, attempt, f"no end within {ATTEMPT_LIMIT_S:g} s", None)
            case _:
                self._news.defect(end)
                self._failed(due, attempt, f"internal error: {type(end).__name__}", None)
        self._schedule.release(due.queue)
        self._reopen(due)

    def _reopen(self, due: Due) -> None:
        """What was decided by hand while it was under way takes its place, unless the station has taken it."""
        if self._overruled and due.key in self._overruled:
            newer = self._overruled.pop(due.key)
            self._remove(due.key)
            self._reading.written([due.key])
            if newer is not None:
                self.requeue(newer)

    def _delivered(self, due: Due, attempt: Attempt, receipt: Receipt) -> None:
        self._link_worked()
        if self._overruled:
            self._overruled.pop(due.key, None)
        self._end(due, "delivered", due.attempts + 1, attempt, receipt)

    def _rejected(self, due: Due, attempt: Attempt, reason: str) -> None:
        self._link_worked()
        self._record(AttemptMade(self.name, "refused"))
        self._record(DeliverySetAside(self.name, str(due.key), reason))
        self._end(due, "rejected", due.attempts + 1, attempt, reason=reason)

    def _failed(self, due: Due, attempt: Attempt, reason: str, after_s: float | None) -> None:
        now = self._clock.now()
        self._record(AttemptMade(self.name, "retry"))
        self._news.failed(reason)
        usual_s = delay_s(self.retry, due.attempts + 1, self._parts.randomness.random())
        pause_s = usual_s if after_s is None else min(max(SHORTEST_ASKED_S, after_s), LONGEST_WAIT_S)
        later = replace(due, attempts=due.attempts + 1, due_at=now + timedelta(seconds=pause_s))
        exchanges = tuple(attempt.exchanges)
        self._note(Outcome(due.key, "retrying", later.attempts, now, later.due_at, reason=reason, exchanges=exchanges))
        self._again(later)

    def _link_down(self, due: Due, attempt: Attempt, reason: str) -> None:
        now = self._clock.now()
        self._record(AttemptMade(self.name, "unreachable"))
        self._news.unreachable(reason)
        state: DeliveryState = "retrying" if due.attempts else "pending"
        exchanges = tuple(attempt.exchanges)
        self._note(Outcome(due.key, state, due.attempts, now, due.due_at, reason=reason, exchanges=exchanges))
        self._again(due)

    def _store_failed(self, due: Due) -> None:
        """Its photos could not be read: neither the station's fault nor an attempt."""
        self.link.not_tried()
        self._again(replace(due, due_at=self._clock.now() + timedelta(seconds=STORE_PAUSE_S)))

    def _again(self, due: Due) -> None:
        """Back to the head of its queue, with what is known now; there `_ready` sees when it may go."""
        window = self._windows[due.lane]
        current = window.get(due.key)
        if current is not None:
            again = replace(due, event=current.event)
            window.replace(again)
            self._times.due_at(again)
            self._schedule.mark(due.lane, due.queue, first=True)

    def _end(
        self,
        due: Due,
        state: DeliveryState,
        attempts: int,
        attempt: Attempt | None = None,
        receipt: Receipt | None = None,
        reason: str = "",
    ) -> None:
        """A delivery has its final state; what stands behind it comes up."""
        at = self._clock.now()
        host, answer = (receipt.host, receipt.answer) if receipt else ("", "")
        self._reading.ended(due.key)
        exchanges = tuple(attempt.exchanges) if attempt else ()
        self._note(Outcome(due.key, state, attempts, at, None, host, answer, reason, exchanges))
        self._record(DeliveryEnded(self.name, state, (at - due.event.accepted_at).total_seconds()))
        window = self._windows[due.lane]
        queue = window.remove(due.key)
        if queue is not None:
            self._schedule.mark(due.lane, queue)
        self._times.forget(due.key)
        self._want_more(due.lane)

    def _note(self, outcome: Outcome) -> None:
        """To be written down, unless something else was decided by hand meanwhile."""
        if not self._overruled or outcome.key not in self._overruled:
            self._settler.add(outcome)

    def _want_more(self, lane: Lane) -> None:
        if self._windows[lane].wants_more(self._idle(lane)):
            self._reading.want()

    def _idle(self, lane: Lane) -> bool:
        return self._schedule.idle(lane)

    def _written(self, dealt_with: Sequence[Outcome], written: Sequence[Outcome]) -> None:
        self._reading.written(outcome.key for outcome in dealt_with)
        self._parts.settled(written)

    def _link_worked(self) -> None:
        if self._news.worked():
            self._attempts.look()

    def _may_work(self) -> bool:
        return not self.paused and not self._stopping and self._keeper.lease is not None

    def _mark(self, lane: Lane, queue: str) -> None:
        self._schedule.mark(lane, queue)
        self._attempts.more()

    def _loaded(self, lane: Lane, queues: Sequence[str]) -> None:
        for queue in queues:
            self._schedule.mark(lane, queue)
        if queues:
            self._attempts.more()
            self._attempts.look()

    def _next_look(self) -> float | None:
        """When there may be something to do that nobody will tell of: a waiting queue's time, a probe's time."""
        due = self._schedule.next_due()
        if not self.link.blocked:
            return due if due is not None and self._may_work() else None
        if not self._may_work():
            return None
        probe = self.link.next_try()
        if probe is None or self._schedule.ready():
            return probe
        return None if due is None else max(probe, due)
