"""Orders to devices: requested by people and stations, fetched by the devices, confirmed by them, or expired.

Every step is on disk before it is answered. A device fetches its orders by a long poll; what it has fetched comes again
until it says how it ended. `armed` and `disarmed` are told to stations when the device has confirmed (stations.md 1.5).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from tocsin.engine.arming import DueOrder, due_order, end_of_disarm
from tocsin.engine.arming_schedule import Phase, arming_schedule
from tocsin.engine.contracts import Clock, Intake, IntakeClosed, Submission
from tocsin.engine.devices import DeviceBook
from tocsin.engine.hub import Change, Hub
from tocsin.engine.open_commands import OpenCommands
from tocsin.engine.routing import GATEWAY
from tocsin.model.command import ARMING_ORDERS, OPEN_COMMANDS, Arming, Command, CommandState, Order, Parameters
from tocsin.model.device import Device
from tocsin.model.event import Event
from tocsin.model.kinds import Kind
from tocsin.store.contract import AuditEntry, CommandFilter, Requested, Store, StoreUnavailable

LOOK_EVERY_S = 1.0
LIFETIMES: dict[Order, timedelta] = {
    "siren": timedelta(seconds=60),  # nothing sounds late
    "stop_siren": timedelta(seconds=120),  # as long as the last siren may still sound
    "disarm": timedelta(hours=25),  # a device that makes contact once a day, and one hour
    "arm": timedelta(days=7),  # never too late; a device away for longer is a case for the installer
}
"""Within this time the device must fetch an order."""
LONGEST_STOP = timedelta(hours=1)
"""So long is tried to stop a siren of a system after its time."""
BY_TIME = "the end of the siren"
LONGEST_SIREN_S = 60
LONGEST_DISARM_S = 366 * 86400
MOST_OPEN = 10_000
MOST_AT_ONCE = 1_000
"""Devices of one order to an area."""
T = TypeVar("T")


class Unfit(Exception):
    """This order cannot be given to this device, or not so; the text says why."""


class SirenDisarmed(Exception):
    """A disarmed siren does not sound."""


class Wish(Struct, frozen=True):
    """An order as somebody gives it."""

    order: Order
    by: str
    source_address: str = ""
    audio: str = ""
    duration_s: int | None = None
    no_time_limit: bool = False
    idempotency_key: str = ""


class CommandParts(NamedTuple):
    """`shared`: other nodes request and fetch commands in the same store."""

    store: Store
    clock: Clock
    new_id: Callable[[], str]
    devices: DeviceBook
    intake: Intake
    hub: Hub
    shared: bool = False


class Commands:
    """`load`, then `run` until cancelled, `stop`. Everything that writes raises StoreUnavailable."""

    def __init__(self, parts: CommandParts) -> None:
        self._parts = parts
        self._store = parts.store
        self._clock = parts.clock
        self._open = OpenCommands(parts.clock)
        self._scheduled: list[Device] = []
        self._phases: dict[str, Phase] = {}
        self._asked: dict[str, datetime] = {}
        self._version = -1
        self._stale = False

    async def load(self) -> None:
        """What the store holds, also from other nodes."""
        self._stale = False
        found = await self._sure(self._store.commands(CommandFilter(MOST_OPEN, states=_OPEN)))
        for gone in self._open.ids() - {command.id for command in found}:
            found = [*found, *await self._sure(self._store.commands(CommandFilter(1, command_id=gone)))]
        for command in found:
            self._put(command)
        await self._sure(self._parts.devices.armings.load())

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            with contextlib.suppress(StoreUnavailable, IntakeClosed):
                await self.look()

    async def look(self) -> None:
        """What time brings: other nodes' orders, expiry, the end of a disarm, the schedules."""
        if self._parts.shared or self._stale:
            await self.load()
        await self.expire()
        for device, due in self._due_orders(self._clock.now()):
            await self._order_due(device, due)

    def stop(self) -> None:
        """Whoever waits is told to come again."""
        self._open.close()

    # What people and stations ask

    async def request(self, devices: Sequence[Device], wish: Wish) -> Requested:
        """One order to one device or to several of an area, all or none. Raises Unfit, SirenDisarmed."""
        now = self._clock.now()
        try:
            for device in devices:
                self._check(device, wish, now)
        except (Unfit, SirenDisarmed) as error:
            await self.refused(wish, _names(devices), str(error))
            raise
        asked = await self._keep([self._command(device, wish, now) for device in devices])
        if asked.repeated and not _same(asked.commands, devices, wish):
            reason = f"the idempotency key {wish.idempotency_key!r} was used for another order"
            await self.refused(wish, _names(devices), reason)
            raise Unfit(reason)
        return asked

    async def _keep(self, commands: Sequence[Command]) -> Requested:
        ids = [command.id for command in commands]
        grouped = [replace(command, request_id=ids[0]) for command in commands]
        asked = await self._sure(self._store.request(grouped))
        for command in asked.replaced if asked.repeated else (*asked.replaced, *asked.commands):
            self._put(command)
        return asked

    async def refused(self, wish: Wish, subject: str, reason: str) -> None:
        """Keep in the audit what was not done."""
        who = (wish.by, wish.order, subject, wish.source_address)
        await self._store.audit(AuditEntry(self._clock.now(), *who, f"refused: {reason}"))

    def _check(self, device: Device, wish: Wish, now: datetime) -> None:
        if wish.duration_s is not None:
            longest = LONGEST_SIREN_S if wish.order == "siren" else LONGEST_DISARM_S
            if not 1 <= wish.duration_s <= longest:
                raise Unfit(f"duration_s must be from 1 to {longest}")
            if wish.no_time_limit:
                raise Unfit("duration_s and no_time_limit contradict each other")
        if device.of_system and device.orders and device.origin not in self._open.heeded:
            raise Unfit(f"the device {device.id} is of the system {device.origin}, which takes no orders now")
        if wish.order in ("siren", "stop_siren") and not is_siren(device):
            kind = device.type or "unknown"
            raise Unfit(f"the device {device.id} is no siren: its type is {kind}")
        if not takes(device, wish.order):
            raise Unfit(f"the device {device.id} is of the system {device.origin}, which cannot {wish.order} it")
        if wish.order == "siren" and self._parts.devices.armings.is_disarmed(device.id, now):
            raise SirenDisarmed(f"the siren {device.id} is disarmed")

    def _command(self, device: Device, wish: Wish, now: datetime) -> Command:
        command_id = self._parts.new_id()
        expires_at = now + LIFETIMES[wish.order]
        parameters = Parameters(wish.audio, wish.duration_s)
        if wish.order == "disarm":
            until = end_of_disarm(now, wish.duration_s, wish.no_time_limit, self._phase(device, now))
            parameters = Parameters(until=until, no_time_limit=wish.no_time_limit)
            expires_at = min(expires_at, until or expires_at)
        asked = (device.id, wish.order, now, expires_at, wish.by, wish.source_address, parameters)
        return Command(command_id, command_id, *asked, wish.idempotency_key)

    # What devices ask

    async def wait(self, device_id: str, wait_s: float) -> bool:
        """Whether there is something to fetch, at the latest after `wait_s`. Raises IntakeClosed at the end."""
        if self._parts.shared and wait_s <= 0:
            return True
        found = await self._open.wait(device_id, wait_s)
        if self._open.closed:
            raise IntakeClosed("the gateway is stopping")
        return found

    async def fetch(self, device_id: str) -> Sequence[Command]:
        """What the device must do, oldest first; from now on these are `sent`."""
        await self.expire()
        now = self._clock.now()
        found = await self._sure(self._store.fetch_commands(device_id, now))
        for command in found:
            self._put(command)
            self._open.given(command)
            if command.order == "arm":
                self._parts.devices.armings.end_disarm(device_id, now)
        return [command for command in found if self._open.in_time(command)]

    async def end(self, command: Command, state: CommandState, result: str) -> Command:
        """The device's word on what it has fetched; returns the command as it is then.

        Stations are told of an arming before the device is answered: should anything come between, the device says it
        again, and the event's id makes the repeat known.
        """
        now = self._clock.now()
        if not command.takes_result:
            return command
        arming = _arming(command, now) if state == "confirmed" and command.order in ARMING_ORDERS else None
        if arming is not None:
            await self._parts.intake.accept(Submission(_armed_event(command, now), digest=command.id.encode()))
        after = await self._sure(self._store.end_command(command.id, state, result, now, arming)) or command
        self._put(after)
        if arming is not None:
            await self._sure(self._parts.devices.armings.load())
        return after

    # What systems ask, which carry out orders to their devices

    def carried(self, system: str, woken: Callable[[], None]) -> None:
        """From now on the system takes orders to its devices; `woken` when there is a new one to anybody."""
        self._open.heeded[system] = woken

    def devices_ordered(self) -> list[str]:
        """Devices with orders that have not ended."""
        return self._open.devices()

    def has_new(self, device_id: str) -> bool:
        return any(one.state == "requested" for one in self._open.of(device_id))

    def begun_late(self, device_id: str) -> list[Command]:
        """What was begun and has no time left."""
        return [one for one in self._open.of(device_id) if one.state == "sent" and not self._open.in_time(one)]

    async def end_siren(self, command: Command) -> None:
        """The time of a siren is over. Ordered once, however often it is found; not where it is to sound anew."""
        if any(one.order == "siren" and one.id != command.id for one in self._open.of(command.device_id)):
            return
        wish = Wish("stop_siren", BY_TIME, idempotency_key=f"end of {command.id}")
        now = self._clock.now()
        device = self._parts.devices.get(command.device_id) or Device(command.device_id)
        await self._keep([replace(self._command(device, wish, now), expires_at=now + LONGEST_STOP)])

    # What time brings

    async def expire(self) -> None:
        unfetched, unanswered = self._open.overdue()
        if unfetched or unanswered:
            now = self._clock.now()
            ended = await self._sure(self._store.expire_commands(unfetched, unanswered, now))
            for command in ended:
                self._put(command)
            if len(ended) < len(unfetched) + len(unanswered):  # another node was faster
                self._stale = True

    def _due_orders(self, now: datetime) -> list[tuple[Device, DueOrder]]:
        devices = self._parts.devices
        if self._version != devices.version:
            self._version = devices.version
            self._scheduled = [device for device in devices.all() if device.schedule]
            self._phases.clear()
        ending = [found for one in devices.armings.ending() if (found := devices.get(one.device_id)) is not None]
        candidates = {device.id: device for device in (*self._scheduled, *ending)}
        wanted: list[tuple[Device, DueOrder]] = []
        for device in candidates.values():
            due = due_order(devices.armings.get(device.id), self._phase(device, now), now)
            if due is None or self._asked.get(device.id) == due.at or not takes(device, due.order):
                continue
            if not self._open.has(device.id, due.order):  # somebody was faster
                wanted.append((device, due))
        return wanted

    async def _order_due(self, device: Device, due: DueOrder) -> None:
        """Once for its instant, whichever node is first and however often it starts: the key sees to that."""
        key = f"{device.id} {due.order} {due.at.isoformat()}"
        command = self._command(device, Wish(due.order, due.by, idempotency_key=key), self._clock.now())
        if due.until is not None:
            command = replace(command, expires_at=min(command.expires_at, due.until))
        await self._keep([command])
        self._asked[device.id] = due.at

    def _phase(self, device: Device, now: datetime) -> Phase | None:
        """What the device's schedule says now; found again only when that ends."""
        if not device.schedule:
            return None
        known = self._phases.get(device.id)
        if known is None or (known.until is not None and known.until <= now) or (known.since or now) > now:
            zone = ZoneInfo(self._parts.devices.place(device.id).time_zone or "UTC")
            known = self._phases[device.id] = arming_schedule(device.schedule).phase(now, zone)
        return known

    def _put(self, command: Command) -> None:
        if self._open.put(command) and self._parts.hub.watched:
            data = {"device_id": command.device_id, "order": command.order, "state": command.state}
            self._parts.hub.publish(Change("command", command.id, {**data, "result": command.result}))

    async def _sure(self, change: Awaitable[T]) -> T:
        """A change whose answer does not come may be on disk or not: the store is asked."""
        try:
            return await change
        except StoreUnavailable:
            self._stale = True
            raise


def is_siren(device: Device) -> bool:
    """By its type string, such as `siren_v1` (stations.md 1.1), or because its system can sound it."""
    return "siren" in device.type.lower() or "siren" in device.orders


def takes(device: Device, order: Order) -> bool:
    """A device without a system is asked; what a system can do with its devices is known."""
    return not device.of_system or order in device.orders


def is_bridge(device: Device) -> bool:
    return device.type.lower().startswith("bridge")


def concerned(devices: Sequence[Device], order: Order) -> list[Device]:
    """The devices of an area that an arming order is for.

    Bridges have nothing to arm, nor have most devices of systems. A disarmed area keeps its sirens, so that they can be
    sounded at whom the detectors do not report; a siren is disarmed by its own order.
    """
    return [
        one for one in devices if takes(one, order) and not is_bridge(one) and not (order == "disarm" and is_siren(one))
    ]


def _names(devices: Sequence[Device]) -> str:
    return ", ".join(device.id for device in devices)


def _same(commands: Sequence[Command], devices: Sequence[Device], wish: Wish) -> bool:
    return {one.device_id for one in commands} == {one.id for one in devices} and commands[0].order == wish.order


def _arming(command: Command, now: datetime) -> Arming:
    given = command.parameters
    return Arming(
        command.device_id, command.order == "arm", now, given.until, given.no_time_limit, command.requested_by
    )


def _armed_event(command: Command, now: datetime) -> Event:
    done: Kind = "armed" if command.order == "arm" else "disarmed"
    until = command.parameters.until
    text = f"{done} by {command.requested_by}" + (f" until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if until else "")
    return Event(f"{command.id}-{done}", done, now, now, GATEWAY, device_id=command.device_id, text=text)


_OPEN = frozenset[CommandState](OPEN_COMMANDS)  # type: ignore[arg-type]
