"""Areas and devices on test: which events it concerns, what that changes, and how it ends by itself.

An event is under test when it was accepted and occurred between the test's begin and its end: what a panel kept back
from before the work began may be a real alarm.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from tocsin.engine.areas import AreaTree
from tocsin.engine.contracts import Clock, IntakeClosed
from tocsin.engine.plans import Planned
from tocsin.engine.routing import GATEWAY
from tocsin.model.delivery import Owed
from tocsin.model.event import ON_TEST, Event
from tocsin.model.on_test import CONTACT, STAY_REAL, OnTest
from tocsin.store.contract import AuditEntry, Store, StoreUnavailable

LONGEST = timedelta(days=7)
LOOK_EVERY_S = 1.0
HELD_BACK = "held back: on test until {until:%Y-%m-%d %H:%M} UTC by {by} ({reason}), and this station cannot be told so"

Say = Callable[[str, OnTest, str], Awaitable[None]]
"""Keeps one event of the gateway's own, under this id, about this test, in these words; once, however often it is
said. Raises IntakeClosed.
"""


def concerns(test: OnTest, event: Event, lineage: Sequence[str]) -> bool:
    """Whether an event is under a test. `lineage`: its area and those above."""
    if event.source == GATEWAY and event.kind not in CONTACT:
        return False
    if event.kind in STAY_REAL and event.kind not in test.include:
        return False
    if test.area not in lineage or (test.devices and event.device_id not in test.devices):
        return False
    return test.since <= event.accepted_at < test.until and event.occurred_at >= test.since


def marked(event: Event, tests: Sequence[OnTest]) -> Event:
    """The event with its flags: on test for everybody, or for some destinations by name."""
    if not all(test.destinations for test in tests):
        return replace(event, flags=(*event.flags, ON_TEST))
    names = sorted({name for test in tests for name in test.destinations})
    return replace(event, flags=(*event.flags, *(f"{ON_TEST}:{name}" for name in names)))


def held_back(shares: Sequence[Planned], tests: Sequence[OnTest]) -> list[Planned]:
    """The same shares, without what would reach a station on test as a real alarm."""
    return [_share(share, tests) for share in shares]


def _share(share: Planned, tests: Sequence[OnTest]) -> Planned:
    name = share.route.name
    test = next((one for one in tests if not one.destinations or name in one.destinations), None)
    if test is None or share.route.says_test or share.owed.state != "pending":
        return share
    reason = HELD_BACK.format(until=test.until, by=test.by, reason=test.reason)
    return Planned(share.route, share.verdict, Owed(name, share.owed.lane, "filtered", reason=reason))


class OnTestBook:
    """All that is on test, in memory and in the store. `shared`: other nodes write there too.

    `changed` is called whenever something came or went.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        areas: AreaTree,
        new_id: Callable[[], str],
        say: Say,
        changed: Callable[[], None],
        shared: bool = False,
    ) -> None:
        self._store = store
        self._new_id = new_id
        self._clock = clock
        self._areas = areas
        self._say = say
        self._changed = changed
        self._shared = shared
        self._tests: dict[str, OnTest] = {}
        self._said: set[str] = set()
        self._over: dict[str, str] = {}
        """Said to be over, and by whom ended, but still in the store."""
        self._alone = asyncio.Lock()
        """So that nothing read before a change undoes it in memory."""
        self._woken = asyncio.Event()

    async def load(self) -> None:
        """What was kept; an end that passed meanwhile is seen to by `run`."""
        async with self._alone:
            found = {test.id: test for test in await self._store.tests()}
            if found != self._tests:
                self._tests = found
                self._changed()

    def all(self) -> Sequence[OnTest]:
        """What is on test now."""
        now = self._clock.now()
        return [test for test in self._tests.values() if now < test.until and test.id not in self._over]

    def of(self, event: Event) -> Sequence[OnTest]:
        """The tests an event is under."""
        if not self._tests:
            return ()
        lineage = self._areas.lineage(event.place.area)
        standing = [test for test in self._tests.values() if test.id not in self._over]
        return [test for test in standing if concerns(test, event, lineage)]

    async def begin(self, test: OnTest) -> OnTest:
        """The test with its id, on disk. One of the same scope is replaced: so a test is made longer or shorter."""
        test = replace(test, id=self._new_id())
        async with self._alone:
            before = [one.id for one in self._tests.values() if one.scope == test.scope]
            await self._store.put_test(test, before)
            self._tests = {one.id: one for one in self._tests.values() if one.id not in before} | {test.id: test}
        self._changed()
        self._woken.set()
        until = f"until {test.until:%Y-%m-%d %H:%M} UTC: {test.reason}"
        await self._store.audit(AuditEntry(self._clock.now(), test.by, "on test", test.subject, result=until))
        return test

    async def end(self, test: OnTest, who: str) -> None:
        """Alarms are real again from now on. Raises IntakeClosed: then nothing has changed; StoreUnavailable: it is
        over, and `run` sees to the store.
        """
        why = "its time is over" if who == GATEWAY else f"ended by {who}"
        await self._say(f"ontest-{test.id}-ended", test, f"{test.subject} is no longer on test: {why}")
        self._over[test.id] = who
        await self._forget(test, who)

    async def run(self) -> None:
        """Until cancelled: says that something is on test, reminds before the end, and ends it."""
        while True:
            try:
                await self._look()
            except (IntakeClosed, StoreUnavailable):
                await asyncio.sleep(LOOK_EVERY_S)
            await self._pause()

    async def _pause(self) -> None:
        self._woken.clear()
        idle = not self._tests and not self._shared
        try:
            await asyncio.wait_for(self._woken.wait(), None if idle else LOOK_EVERY_S)
        except TimeoutError:
            return

    async def _look(self) -> None:
        if self._shared:
            await self.load()
        now = self._clock.now()
        for test in list(self._tests.values()):
            if test.id in self._over:
                await self._forget(test, self._over[test.id])
                continue
            await self._once(test, "begun", f"{test.subject} is on test {_until(test)}, by {test.by}: {test.reason}")
            if now >= test.until:
                await self.end(test, GATEWAY)
            elif now >= test.remind_at:
                await self._once(
                    test, "reminder", f"{test.subject} is on test only {_until(test)}; then alarms are real"
                )

    async def _once(self, test: OnTest, what: str, text: str) -> None:
        event_id = f"ontest-{test.id}-{what}"
        if event_id not in self._said:
            await self._say(event_id, test, text)
            self._said.add(event_id)
            self._changed()

    async def _forget(self, test: OnTest, who: str) -> None:
        async with self._alone:
            gone = await self._store.end_test(test.id)
            self._tests.pop(test.id, None)
            self._over.pop(test.id, None)
        self._said -= {f"ontest-{test.id}-begun", f"ontest-{test.id}-reminder"}
        self._changed()
        if gone:
            await self._store.audit(AuditEntry(self._clock.now(), who, "off test", test.subject))


def _until(test: OnTest) -> str:
    return f"until {test.until:%Y-%m-%d %H:%M} UTC"


def problem_with(since: datetime, until: datetime) -> str:
    """Why a test cannot last so long; empty when it can."""
    if until <= since:
        return "the end lies in the past"
    return f"at most {LONGEST.days} days: put it on test again before they are over" if until - since > LONGEST else ""
