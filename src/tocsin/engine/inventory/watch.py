"""Watching the states of one system's devices: told by the system, or asked for regularly (connectors.md 2.5, 2.6).

What changed is told first and kept afterwards: after a crash between the two it is told again under the same id.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from tocsin.engine.contracts import Clock, IntakeClosed, Submission, Taken
from tocsin.engine.inventory.health import DeviceHealth, Reported, Transition, event_id, reported
from tocsin.engine.inventory.reading import Identity
from tocsin.engine.inventory.rules import SystemRules
from tocsin.engine.inventory.source import SourceWatch
from tocsin.engine.systems import System, SystemFault, Unreachable
from tocsin.model.canonical import DeviceRecord, Health, KeptDevice
from tocsin.model.event import Event, HealthNotice
from tocsin.model.inventory import FoundState, HealthState, Marker
from tocsin.model.kinds import Kind
from tocsin.store.contract import Store, StoreUnavailable
from tocsin.telemetry.occurrences import HealthDropped, StatesCorrected
from tocsin.telemetry.record import Recorder

PARKED = timedelta(minutes=10)
MOST_PARKED = 10_000
MOST_WAITING = 10_000
AT_A_STRETCH = 500
LOOK_EVERY_S = 1.0
BASELINE_LIMIT_S = 600.0
KEEP_EVERY = timedelta(minutes=5)
"""How old a confirmation may be on disk."""
LEAST_FLEET = 3
"""So many devices that all fall silent at once say more about the way there than about themselves."""
KINDS: Mapping[HealthState, Kind] = {
    "online": "connection_restored",
    "offline": "connection_lost",
    "degraded": "trouble",
}
Came = tuple[datetime, FoundState | Marker]


class WatchParts(NamedTuple):
    """`accept` is the intake. `unknown` is told of states of devices nobody has listed; `first_known` when the first
    states of devices are known, which go out with the inventory.
    """

    store: Store
    clock: Clock
    record: Recorder
    accept: Callable[[Sequence[Submission]], Awaitable[Sequence[Taken]]]
    unknown: Callable[[], Awaitable[None]]
    first_known: Callable[[], Awaitable[None]]
    mine: Callable[[], bool]


class HealthWatch:
    """`take_over` what is kept, then `run` until cancelled."""

    def __init__(self, system: System, rules: SystemRules, parts: WatchParts, source: SourceWatch) -> None:
        self._system = system
        self._rules = rules
        self._parts = parts
        self._source = source
        self._devices: dict[str, DeviceHealth] = {}
        self._records: dict[str, DeviceRecord] = {}
        self._ids: Mapping[Identity, str] = {}
        self._parked: dict[Identity, Reported] = {}
        self._waiting: set[str] = set()
        self._touched: set[str] = set()
        self._kept_at: dict[str, datetime] = {}
        self._live = False
        self.confirmed: datetime | None = None
        """When the system was last known to tell every change; None while it is not."""
        self.corrections = 0

    def take_over(self, kept: Sequence[KeptDevice], ids: Mapping[Identity, str]) -> None:
        """What a run has left; states of devices that were not listed before find them now."""
        self._ids = ids
        self._records = {one.record.id: one.record for one in kept if one.removal is None}
        known = self._devices
        self._devices = {
            one.record.id: known.get(one.record.id) or DeviceHealth(one.record.id, one.health)
            for one in kept
            if one.removal is None
        }
        for identity, state in list(self._parked.items()):
            if identity in ids:
                del self._parked[identity]
                self._take(ids[identity], state)

    def healths(self) -> Mapping[str, Health]:
        """As of now, by device."""
        return {id_: one.health for id_, one in self._devices.items() if one.health is not None}

    def confirmed_at(self) -> datetime | None:
        return self._parts.clock.now() if self._live else self.confirmed

    async def run(self) -> None:
        """Until cancelled; a system in trouble is left alone for a while."""
        while True:
            while self._source.wait_s() or not self._parts.mine():
                await asyncio.sleep(max(min(self._source.wait_s(), 60.0), LOOK_EVERY_S))
            try:
                await (self._listen() if self._told() else self._poll())
            except SystemFault as fault:
                self._blind()
                self._source.failed(fault)

    def _told(self) -> bool:
        """A system that tells nothing by itself is asked, whatever the settings say."""
        return self._rules.health.mode == "events" and "events" in self._system.capabilities

    # Asked regularly

    async def _poll(self) -> None:
        while True:
            await self._baseline()
            await self._flush()
            await self._pass(self._rules.health.every_s)

    async def _pass(self, seconds: float) -> None:
        """Meanwhile, what was held back becomes due."""
        ends = self._parts.clock.monotonic() + seconds
        while (left := ends - self._parts.clock.monotonic()) > 0:
            await asyncio.sleep(min(left, LOOK_EVERY_S) if self._waiting else left)
            await self._flush()

    # Told by the system

    async def _listen(self) -> None:
        came: asyncio.Queue[Came | SystemFault] = asyncio.Queue(MOST_WAITING)
        reader = asyncio.create_task(self._hear(self._system.states(), came))
        try:
            await self._handle(came)
        finally:
            reader.cancel()
            await asyncio.wait([reader])

    async def _hear(
        self, states: AsyncIterator[FoundState | Marker], came: "asyncio.Queue[Came | SystemFault]"
    ) -> None:
        """Stamps what comes with its moment, also while a baseline is being read."""
        try:
            async for one in states:
                await came.put((self._parts.clock.now(), one))
            await came.put(Unreachable("it ended the stream of states"))
        except SystemFault as fault:
            await came.put(fault)
        except Exception as error:  # noqa: BLE001 - the top of a task; a connector's defect ends as one more fault
            await came.put(Unreachable(f"internal error: {type(error).__name__}: {error}"))

    async def _handle(self, came: "asyncio.Queue[Came | SystemFault]") -> None:
        reconcile_at = self._parts.clock.monotonic() + self._rules.health.reconcile_s
        while True:
            for one in await _some(came):
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
            await self._found(one, reported(one, received))
            return False
        if one == "blind":
            self._blind()
            self._source.failed(Unreachable("its stream of states is interrupted"))
            return False
        if one == "new_session":
            await self._baseline()
        self._live = True
        self._source.worked()
        return one == "new_session"

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
        """How many states changed. Raises SystemFault."""
        began = self._parts.clock.now()
        found = await self._states_now()
        if _all_silent(found) and any(one.health and one.health.state == "online" for one in self._devices.values()):
            raise Unreachable(f"none of its {len(found)} devices answers: the way there is looked at first")
        before = sum(one.health is not None for one in self._devices.values())
        changed = 0
        for one in found:
            changed += await self._found(one, reported(one, self._parts.clock.now(), began))
        self._source.worked()
        newly = sum(one.health is not None for one in self._devices.values()) - before
        if newly:
            await self._flush()
            await self._parts.first_known()
        return changed - newly

    async def _states_now(self) -> list[FoundState]:
        try:
            async with asyncio.timeout(BASELINE_LIMIT_S):
                return [one async for one in self._system.baseline()]
        except TimeoutError:
            raise Unreachable(f"its states were not told within {BASELINE_LIMIT_S / 60:.0f} minutes") from None

    async def _found(self, found: FoundState, state: Reported) -> bool:
        identity = (found.kind, found.native_key)
        if identity in self._ids:
            return self._take(self._ids[identity], state)
        if len(self._parked) >= MOST_PARKED:
            self._parts.record(HealthDropped(self._rules.name, "too many of unknown devices"))
            return False
        self._parked[identity] = state
        await self._parts.unknown()
        return False

    def _take(self, device_id: str, state: Reported) -> bool:
        """Devices that a rule leaves out, or that are gone, have an id but are not watched."""
        one = self._devices.get(device_id)
        if one is None:
            return False
        rules = self._rules.health
        changed = one.take(state, timedelta(seconds=rules.hold_s), rules.fail_threshold)
        self._touched.add(device_id)
        if one.waiting:
            self._waiting.add(device_id)
        return changed

    def _drop_parked(self) -> None:
        now = self._parts.clock.now()
        old = [identity for identity, state in self._parked.items() if now - state.known_at > PARKED]
        for identity in old:
            del self._parked[identity]
        if old:
            self._parts.record(HealthDropped(self._rules.name, "unknown device", len(old)))

    async def _flush(self) -> None:
        """Tell what is due, then keep what is known. Whatever cannot be written now is tried again."""
        now = self._parts.clock.now()
        due = [found for id_ in sorted(self._waiting) if (found := self._due(id_, now))][:AT_A_STRETCH]
        try:
            told = [one for one in due if self._records[one.device_id].customer_id]
            if told:
                await self._parts.accept([self._submission(one, now) for one in told])
            for one in due:
                if one.device_id in self._devices:  # a run may have removed it meanwhile
                    self._devices[one.device_id].done(one, now)
            self._waiting = {id_ for id_ in self._waiting if id_ in self._devices and self._devices[id_].waiting}
            await self._keep({one.device_id for one in due}, now)
        except (IntakeClosed, StoreUnavailable):
            return

    def _due(self, device_id: str, now: datetime) -> Transition | None:
        one = self._devices.get(device_id)
        return one.due(now) if one else None

    async def _keep(self, changed: set[str], now: datetime) -> None:
        """Changes at once, mere confirmations now and then; never a change that was not told yet."""
        old = {id_ for id_ in self._touched if now - self._kept_at.get(id_, now - KEEP_EVERY) >= KEEP_EVERY}
        ids = [id_ for id_ in changed | old if id_ in self._devices and not self._devices[id_].waiting]
        healths = {id_: health for id_ in ids if (health := self._devices[id_].health)}
        await self._parts.store.put_healths(healths)
        self._kept_at |= dict.fromkeys(healths, now)
        self._touched -= set(healths)

    def _submission(self, one: Transition, now: datetime) -> Submission:
        record, health = self._records[one.device_id], one.health
        id_ = event_id(self._rules.name, one.device_id, health.state, one.at)
        kind = KINDS.get(health.state, "info")
        notice = HealthNotice(
            system=self._rules.name,
            customer_id=record.customer_id,
            status=health.state,
            event_id=id_,
            previous=one.before or "",
            reason=health.reason or "",
            turned=one.turned,
            flaps=one.flaps,
            skew_s=one.skew_s,
            stations=kind in self._rules.alarms,
        )
        why = f": {(health.detail or health.reason or '').replace('_', ' ')}" if health.detail or health.reason else ""
        at = one.at if abs(now - one.at) <= timedelta(hours=24) else now
        text = f"{record.name} is {health.state}{why}"
        event = Event(id_, kind, at, now, self._rules.name, device_id=one.device_id, text=text, notice=notice)
        return Submission(event, digest=id_.encode())


def _all_silent(found: Sequence[FoundState]) -> bool:
    return len(found) >= LEAST_FLEET and all(one.basis == "poll" and one.state == "offline" for one in found)


async def _some(came: "asyncio.Queue[Came | SystemFault]") -> list[Came | SystemFault]:
    """What has come, at most a stretch of it; nothing after a second."""
    try:
        async with asyncio.timeout(LOOK_EVERY_S):
            found = [await came.get()]
    except TimeoutError:
        return []
    while len(found) < AT_A_STRETCH and not came.empty():
        found.append(came.get_nowait())
    return found
