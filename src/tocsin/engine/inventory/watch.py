"""Watching the states of one system's devices: told by the system, or asked for regularly (connectors.md 2.5, 2.6).

What changed is told first and kept afterwards: after a crash between the two it is told again under the same id.
"""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from tocsin.engine.contracts import Clock, IntakeClosed, Submission, Taken
from tocsin.engine.inventory.ending import ending
from tocsin.engine.inventory.health import DeviceHealth, Reported, Transition, reported
from tocsin.engine.inventory.health_event import submission
from tocsin.engine.inventory.identities import Identities, Identity
from tocsin.engine.inventory.keeping import Keeping
from tocsin.engine.inventory.rules import SystemRules
from tocsin.engine.inventory.source import SourceWatch
from tocsin.engine.systems import System, SystemFault, Unreachable
from tocsin.model.canonical import Health, KeptDevice
from tocsin.model.inventory import FoundState, Marker
from tocsin.store.contract import Store, StoreUnavailable
from tocsin.telemetry.occurrences import HealthDropped, StatesCorrected
from tocsin.telemetry.record import Recorder

PARKED = timedelta(minutes=10)
MOST_PARKED = 10_000
MOST_WAITING = 10_000
AT_A_STRETCH = 500
LOOK_EVERY_S = 1.0
BASELINE_LIMIT_S = 600.0
PER_DEVICE_S = 0.25
"""Besides: some systems are asked device by device, and one round of polling may be under way before."""
END_LIMIT_S = 10.0
FIRST_EVERY_S = 60.0
LEAST_FLEET = 3
"""So many boxes that all fall silent at once say more about the way there than about themselves."""
Came = tuple[datetime, FoundState | Marker]


class WatchParts(NamedTuple):
    """`accept` is the intake. `unknown` asks for a run because of states of devices nobody has listed: whether there
    will be one. `first_known` tells the inventory again, with which first states go; raises IntakeClosed,
    StoreUnavailable. `mine`: this node owns the system; `elsewhere`: another one does.
    """

    store: Store
    clock: Clock
    record: Recorder
    accept: Callable[[Sequence[Submission]], Awaitable[Sequence[Taken]]]
    unknown: Callable[[], Awaitable[bool]]
    first_known: Callable[[], Awaitable[None]]
    mine: Callable[[], bool]
    elsewhere: Callable[[], bool]


class HealthWatch:
    """`take_over` what is kept, then `run` until cancelled."""

    def __init__(self, system: System, rules: SystemRules, parts: WatchParts, source: SourceWatch) -> None:
        self._system = system
        self._rules = rules
        self._parts = parts
        self._source = source
        self._devices: dict[str, DeviceHealth] = {}
        self._identities = Identities(rules.name)
        self._unwatched: frozenset[str] = frozenset()
        """Ids of devices that are left out or gone."""
        self._parked: dict[Identity, Reported] = {}
        self._strange = False
        """There is a state of a device nobody has listed, for which no run was asked yet."""
        self._waiting: set[str] = set()
        self._keeping = Keeping(parts.store, parts.clock)
        self._first = False
        """There are first states that no inventory was told with."""
        self._first_told = -math.inf
        self._unread: deque[Came | SystemFault] = deque()
        self._owed = True
        """Something may have been missed: what the next marker says, a baseline is read first."""
        self._live = False
        self.confirmed: datetime | None = None
        """When the system was last known to tell every change; None while it is not."""
        self.corrections = 0

    def take_over(self, kept: Sequence[KeptDevice], issued: Mapping[Identity, str], identities: Identities) -> None:
        """What a run has left; states of devices that were not listed before find them now, and go with its
        inventory.
        """
        alive = [one for one in kept if one.removal is None]
        known = [self._devices.get(one.record.id) or DeviceHealth(one.record.id, one.health) for one in alive]
        self._devices = {one.device_id: one for one in known}
        self._identities, self._unwatched = identities, frozenset(issued.values()) - self._devices.keys()
        self._keeping.only(self._devices.keys())
        first = self._first
        for identity, state in list(self._parked.items()):
            if identity in issued:
                del self._parked[identity]
                self._take(issued[identity], state)
        self._first = first

    def begin(self, kept: Sequence[KeptDevice], issued: Mapping[Identity, str], identities: Identities) -> None:
        """The system becomes this node's: what is kept was told, whatever this node knew before."""
        self._devices = {}
        self._parked.clear()
        self._waiting.clear()
        self._keeping.only(())
        self._strange = self._first = False
        self.take_over(kept, issued, identities)

    def owned(self) -> bool:
        """Whether it is this node that knows the states."""
        return not self._parts.elsewhere()

    def health(self, device_id: str) -> Health | None:
        one = self._devices.get(device_id)
        return one.health if one else None

    def healths(self) -> Mapping[str, Health]:
        """As of now, by device."""
        return {id_: one.health for id_, one in self._devices.items() if one.health is not None}

    def confirmed_at(self) -> datetime | None:
        return self._parts.clock.now() if self._live else self.confirmed

    async def run(self) -> None:
        """Until cancelled; a system in trouble is left alone for a while."""
        while True:
            while self._source.wait_s() or not self._parts.mine():
                await self._pass(max(min(self._source.wait_s(), 60.0), LOOK_EVERY_S))
            try:
                await (self._listen() if self._told() else self._poll())
            except SystemFault as fault:
                self._source.failed("states", fault)
            finally:
                self._blind()

    def _told(self) -> bool:
        """A system that tells nothing by itself is asked, whatever the settings say."""
        return self._rules.health.mode == "events" and "events" in self._system.capabilities

    # Asked regularly

    async def _poll(self) -> None:
        while not self._parts.elsewhere():
            await self._baseline()
            await self._flush()
            await self._pass(self._rules.health.every_s)

    async def _pass(self, seconds: float) -> None:
        """Meanwhile, what was held back becomes due."""
        ends = self._parts.clock.monotonic() + seconds
        while (left := ends - self._parts.clock.monotonic()) > 0:
            pending = self._waiting or self._keeping.pending or self._first or self._strange
            await asyncio.sleep(min(left, LOOK_EVERY_S) if pending else left)
            self._drop_parked()
            await self._flush()

    # Told by the system

    async def _listen(self) -> None:
        came: asyncio.Queue[Came | SystemFault] = asyncio.Queue(MOST_WAITING)
        self._owed = True
        reader = asyncio.create_task(self._hear(self._system.states(), came))
        try:
            await self._handle(came)
        except SystemFault:
            self._take_rest(came)
            raise
        finally:
            reader.cancel()
            await asyncio.wait([reader], timeout=END_LIMIT_S)

    async def _hear(
        self, states: AsyncIterator[FoundState | Marker], came: "asyncio.Queue[Came | SystemFault]"
    ) -> None:
        """Stamps what comes with its moment, also while a baseline is being read."""
        try:
            async with ending(states):
                async for one in states:
                    await came.put((self._parts.clock.now(), one))
            await came.put(Unreachable("it ended the stream of states"))
        except SystemFault as fault:
            await came.put(fault)
        except Exception as error:  # noqa: BLE001 - the top of a task; a connector's defect ends as one more fault
            await came.put(Unreachable(f"internal error: {type(error).__name__}: {error}"))

    async def _handle(self, came: "asyncio.Queue[Came | SystemFault]") -> None:
        reconcile_at = self._parts.clock.monotonic() + self._rules.health.reconcile_s
        while not self._parts.elsewhere():
            self._unread = await _some(came)
            while self._unread:
                one = self._unread.popleft()
                if isinstance(one, SystemFault):
                    raise one
                if await self._heard(*one):
                    reconcile_at = self._parts.clock.monotonic() + self._rules.health.reconcile_s
            if self._live and self._parts.clock.monotonic() >= reconcile_at:
                reconcile_at = self._parts.clock.monotonic() + self._rules.health.reconcile_s
                await self._reconcile()
            self._drop_parked()
            await self._flush()

    async def _heard(self, received: datetime, one: FoundState | Marker) -> bool:
        """Whether a baseline was read."""
        if isinstance(one, FoundState):
            self._source.last_event = received
            self._found(one, reported(one, received))
            return False
        if one == "blind":
            self._blind()
            self._source.failed("states", Unreachable("its stream of states is interrupted"))
            return False
        owed = self._owed or one == "new_session"
        if owed:
            self._owed = True
            await self._baseline()
            self._owed = False
        self._live = True
        self._source.worked("states")
        return owed

    def _take_rest(self, came: "asyncio.Queue[Came | SystemFault]") -> None:
        """What was told before a fault counts: the system will not tell it again."""
        while not came.empty():
            self._unread.append(came.get_nowait())
        for one in self._unread:
            if isinstance(one, tuple) and isinstance(one[1], FoundState):
                self._found(one[1], reported(one[1], one[0]))
        self._unread.clear()

    def _blind(self) -> None:
        """Nothing is known of anything from now on, and nothing is told: blind is not offline."""
        if self._live:
            self.confirmed = self._parts.clock.now()
        self._live = False

    # Both

    async def _reconcile(self) -> None:
        changed = await self._baseline()
        if changed:
            self.corrections += changed
            self._parts.record(StatesCorrected(self._rules.name, changed))

    async def _baseline(self) -> int:
        """How many states changed that were known before. Raises SystemFault."""
        began = self._parts.clock.now()
        found = await self._states_now()
        if await self._all_silent(found):
            raise Unreachable(f"none of its {len(found)} devices answers: the way there is looked at first")
        changed = 0
        for n, one in enumerate(found, 1):
            changed += self._found(one, reported(one, self._parts.clock.now(), began))
            if n % AT_A_STRETCH == 0:
                await asyncio.sleep(0)
        self._source.worked("states")
        return changed

    async def _states_now(self) -> list[FoundState]:
        limit_s = BASELINE_LIMIT_S + self._rules.health.every_s + PER_DEVICE_S * len(self._devices)
        try:
            async with asyncio.timeout(limit_s), ending(self._system.baseline()) as states:
                return [one async for one in states]
        except TimeoutError:
            raise Unreachable(f"its states were not told within {limit_s / 60:.0f} minutes") from None

    async def _all_silent(self, found: Sequence[FoundState]) -> bool:
        """Whether a whole fleet does not answer all at once, and did before."""
        if "blindness" in self._system.capabilities:
            return False
        if not all(one.basis == "poll" and one.state == "offline" for one in found):
            return False
        if not any(one.health and one.health.state == "online" for one in self._devices.values()):
            return False
        return await self._boxes([self._identities.id_of((one.kind, one.native_key)) for one in found]) >= LEAST_FLEET

    async def _boxes(self, ids: Sequence[str]) -> int:
        """Many lenses of one box are one that does not answer. Without the store each counts for itself."""
        try:
            records = await self._parts.store.records(ids)
        except StoreUnavailable:
            records = {}
        return len({records[id_].parent_id or id_ if id_ in records else id_ for id_ in ids})

    def _found(self, found: FoundState, state: Reported) -> bool:
        """Whether a state changed that was known before."""
        identity = (found.kind, found.native_key)
        id_ = self._identities.id_of(identity)
        if id_ in self._devices or id_ in self._unwatched:
            return self._take(id_, state)
        before = self._parked.get(identity)
        if before is None and len(self._parked) >= MOST_PARKED:
            self._parts.record(HealthDropped(self._rules.name, "too many of unknown devices"))
            return False
        self._strange |= before is None or before.health.state != state.health.state
        self._parked[identity] = state
        return False

    def _take(self, device_id: str, state: Reported) -> bool:
        """Devices that a rule leaves out, or that are gone, have an id but are not watched."""
        one = self._devices.get(device_id)
        if one is None:
            return False
        rules, first = self._rules.health, one.health is None
        changed = one.take(state, timedelta(seconds=rules.hold_s), rules.fail_threshold)
        (self._keeping.changed if changed else self._keeping.confirmed)(one.device_id)
        self._first |= first and changed
        if one.waiting:
            self._waiting.add(one.device_id)
        return changed and not first

    def _drop_parked(self) -> None:
        now = self._parts.clock.now()
        old = [identity for identity, state in self._parked.items() if now - state.known_at > PARKED]
        for identity in old:
            del self._parked[identity]
        if old:
            self._parts.record(HealthDropped(self._rules.name, "unknown device", len(old)))

    async def _flush(self) -> None:
        """Tell what is due, then keep what is known. Whatever cannot be written now is tried again."""
        if not self._parts.mine():
            return
        now = self._parts.clock.now()
        try:
            await self._tell(now)
            await self._keeping.keep(self._devices, self._waiting, now)
            await self._tell_first()
            if self._strange and await self._parts.unknown():
                self._strange = False
        except (IntakeClosed, StoreUnavailable):
            return

    async def _tell(self, now: datetime) -> None:
        due = [found for id_ in sorted(self._waiting) if (found := self._due(id_, now))][:AT_A_STRETCH]
        records = await self._parts.store.records([one.device_id for one in due]) if due else {}
        told = [(record, one) for one in due if (record := records.get(one.device_id)) and record.customer_id]
        if told:
            await self._parts.accept([submission(self._rules, record, one, now) for record, one in told])
        for one in due:
            if one.device_id in self._devices:  # a run may have removed it meanwhile
                self._devices[one.device_id].done(one, now)
        self._waiting = {id_ for id_ in self._waiting if id_ in self._devices and self._devices[id_].waiting}

    def _due(self, device_id: str, now: datetime) -> Transition | None:
        one = self._devices.get(device_id)
        return one.due(now) if one else None

    async def _tell_first(self) -> None:
        """First states may come one by one: they are told once a minute."""
        now = self._parts.clock.monotonic()
        if not self._first or now - self._first_told < FIRST_EVERY_S:
            return
        self._first = False
        try:
            await self._parts.first_known()
        except (IntakeClosed, StoreUnavailable):
            self._first = True
            raise
        self._first_told = now


async def _some(came: "asyncio.Queue[Came | SystemFault]") -> deque[Came | SystemFault]:
    """What has come, at most a stretch of it; nothing after a second."""
    try:
        async with asyncio.timeout(LOOK_EVERY_S):
            found = deque([await came.get()])
    except TimeoutError:
        return deque()
    while len(found) < AT_A_STRETCH and not came.empty():
        found.append(came.get_nowait())
    return found
