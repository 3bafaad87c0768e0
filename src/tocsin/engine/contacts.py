"""Devices that must be heard from, and their batteries: what the gateway itself tells of them (stations.md 1.3, 11).

A sign of life costs a look-up and is written down in batches. What stations are told is a change of a condition
(engine/conditions.py). How long a device has been silent is measured in listening time (engine/listening.py).
"""

import asyncio
import contextlib
import traceback
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, Protocol

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from tocsin.engine.battery import HYSTERESIS, Battery, counts, judged, said
from tocsin.engine.condition_words import Said, battery_words, lost_words, restored_words
from tocsin.engine.conditions import Conditions
from tocsin.engine.contracts import Clock
from tocsin.engine.devices import DeviceBook
from tocsin.engine.hub import Change, Hub
from tocsin.engine.intake import Door
from tocsin.engine.lease import LeaseKeeper
from tocsin.engine.listening import Listening
from tocsin.engine.routing import GATEWAY
from tocsin.engine.silences import Silences
from tocsin.model.contact import Condition, Contact, ContactRecord, Status
from tocsin.model.device import Device, Thresholds
from tocsin.model.event import Event
from tocsin.model.kinds import Kind, State
from tocsin.store.contract import Store, StoreUnavailable
from tocsin.telemetry.occurrences import TaskFailed
from tocsin.telemetry.record import Recorder

LEAST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 10.0
"""Between two looks at who is silent."""
WRITE_EVERY_S = 30.0
"""What a kill forgets: so much longer may a device be silent then, and so much older its last contact is shown."""

CLOSE_LIMIT_S = 2.0


class ContactRules(Struct, frozen=True):
    """Lost after `periods` times a device's routine and `allowance_s`; `thresholds` for devices without their own."""

    periods: float = 2.0
    allowance_s: float = 600.0
    thresholds: Thresholds | None = None
    hysteresis: float = HYSTERESIS


class Outside(Protocol):
    """What comes from outside the engine. `shared`: other nodes hear devices too; one of them decides who is silent."""

    @property
    def store(self) -> Store: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def record(self) -> Recorder: ...
    @property
    def contacts(self) -> ContactRules: ...
    @property
    def node(self) -> str: ...
    @property
    def lease_ttl_s(self) -> float: ...
    @property
    def shared(self) -> bool: ...


class ContactParts(NamedTuple):
    """What contacts work with. `event` makes an event of the gateway's own: kind, text, device."""

    devices: DeviceBook
    intake: Door
    event: Callable[[Kind, str, str], Event]
    hub: Hub


class DeviceState(Struct, frozen=True):
    """What is known of one device, for people. `battery_state`: good, low or critical."""

    status: Status = "unknown"
    last_contact: datetime | None = None
    battery: int | None = None
    battery_state: str = "good"


class _Known:
    """One device in memory."""

    __slots__ = ("battery", "connection", "contact")

    def __init__(self, contact: Contact) -> None:
        self.contact = contact
        self.connection = Condition(contact.device_id, "connection")
        self.battery = Condition(contact.device_id, "battery")

    @property
    def lost(self) -> bool:
        return self.connection.state == "lost"


class Contacts:
    """`load`, then `run` until cancelled, `write` at the end. `kept` and `heard` at any time."""

    def __init__(self, parts: ContactParts, outside: Outside) -> None:
        self._store = outside.store
        self._clock = outside.clock
        self._record = outside.record
        self._rules = outside.contacts
        self._devices, intake, self._event, self._hub = parts
        self._listening = Listening(self._clock.monotonic, lambda: intake.open and self._store.writable())
        self._silences = Silences()
        self._conditions = Conditions(self._store, intake)
        self._known: dict[str, _Known] = {}
        self._unwritten: dict[str, Contact] = {}
        self._gone: set[str] = set()
        self._dropped: set[str] = set()
        """Gone, and that is not written yet."""
        self._version = -1
        self._stale = False
        self._keeper: LeaseKeeper | None = None
        self._slack_s = 3 * WRITE_EVERY_S if outside.shared else 0.0
        """Until this node knows for sure what the others have heard."""
        if outside.shared:
            self._keeper = LeaseKeeper(
                self._store, self._clock, "contacts", outside.node, outside.lease_ttl_s, self._taken_over
            )

    # What comes in

    def kept(self, event: Event) -> None:
        """The event is on disk."""
        try:
            self._kept(event)
        except Exception as error:  # noqa: BLE001 - a defect here must not make the source believe it was not kept
            trace = "".join(traceback.format_exception(error))
            self._record(TaskFailed("contacts", f"{type(error).__name__}: {error}", trace, 0.0))

    def _kept(self, event: Event) -> None:
        """The gateway's own events are no sign of life, nor is what another says to be lost."""
        device = self._device(event.device_id) if event.device_id and event.source != GATEWAY else None
        if device is None or event.kind == "connection_lost":
            return
        one = self._known[device.id]
        level = event.battery if counts(event) else None
        self._heard(device, one, event.accepted_at, level, told=event.kind == "connection_restored")
        if level is not None or said(event):
            self._judge(device, one, event, level)

    def heard(self, device_id: str) -> None:
        """A sign of life that is no event: a poll, a command fetched."""
        device = self._device(device_id)
        if device is not None:
            self._heard(device, self._known[device_id], self._clock.now())

    def state(self, device: Device) -> DeviceState:
        one = self._known.get(device.id)
        if one is None or device.id in self._gone or self._devices.get(device.id) is None:
            return DeviceState()
        return DeviceState(_status(device, one), one.contact.heard_at, one.contact.battery, one.battery.state)

    def _heard(self, device: Device, one: _Known, at: datetime, level: int | None = None, told: bool = False) -> None:
        before, now = one.contact, self._listening.look()
        self._note(one, Contact(device.id, now, at, before.battery if level is None else level))
        self._silences.heard(device.id, now)
        if one.lost:
            self._connection(device, one, "good", None if told else restored_words(device))
        elif before.heard_at is None:
            self._publish(device)

    def _connection(self, device: Device, one: _Known, state: str, words: Said | None) -> None:
        event = self._event(*words, device.id) if words else None
        one.connection = self._conditions.change(one.connection, state, event)
        self._publish(device)

    def _judge(self, device: Device, one: _Known, event: Event, level: int | None) -> None:
        thresholds = device.thresholds or self._rules.thresholds
        before: Battery = one.battery.state  # type: ignore[assignment]
        own = said(event)
        after = own or before
        if level is not None and thresholds is not None and own != "good":
            after = judged(after, level, thresholds, self._rules.hysteresis)
        if after == before:
            return
        told: Event | None = None
        if own is None and level is not None and thresholds is not None:
            words = battery_words(after, level, thresholds, device)
            state: State = "still" if before == "low" and after == "critical" else "new"
            told = replace(self._event(*words, device.id), battery=level, state=state)
        one.battery = self._conditions.change(one.battery, after, told)
        self._publish(device)

    def _publish(self, device: Device) -> None:
        self._hub.publish(Change("device", device.id, to_builtins(self.state(device))))

    def _note(self, one: _Known, contact: Contact) -> None:
        one.contact = self._unwritten[contact.device_id] = contact

    # Which devices there are

    def _device(self, device_id: str) -> Device | None:
        device = self._devices.get(device_id)
        if device is not None and (device_id not in self._known or device_id in self._gone):
            self._begin(device)
        return device

    def _begin(self, device: Device) -> None:
        """Silence counts from now on."""
        self._gone.discard(device.id)
        self._dropped.discard(device.id)
        one = self._known.setdefault(device.id, _Known(Contact(device.id, 0.0)))
        self._note(one, Contact(device.id, self._listening.seconds))
        self._expect(device, one)

    def _look_at_devices(self) -> None:
        """After the start, and after each change of the devices. Systems list a hundred thousand that nobody expects
        to hear from: those begin when they are heard.
        """
        self._version = self._devices.version
        devices = self._devices.all()
        for device in devices:
            one = self._known.get(device.id)
            if one is not None and device.id not in self._gone:
                self._expect(device, one)
            elif device.routine_s is not None:
                self._begin(device)
        for device_id in self._known.keys() - {device.id for device in devices} - self._gone:
            self._silences.forget(device_id)
            self._unwritten.pop(device_id, None)
            self._gone.add(device_id)
            self._dropped.add(device_id)

    def _expect(self, device: Device, one: _Known) -> None:
        if device.routine_s is None:
            self._silences.forget(device.id)
        else:
            limit_s = self._rules.periods * device.routine_s + self._rules.allowance_s + self._slack_s
            # Nobody is lost the moment the gateway starts, or the moment its routine is set.
            fair = self._listening.seconds - limit_s + self._rules.allowance_s
            self._silences.expect(device.id, limit_s, max(one.contact.heard_on, fair))

    # What was kept, and what other nodes have heard

    async def load(self) -> None:
        """After the devices are known, before anything comes in. Raises StoreUnavailable."""
        record = await self._store.contact_record()
        self._listening.resume(record.listened_s)
        self._take_over(record)
        self._look_at_devices()

    def _take_over(self, record: ContactRecord) -> None:
        """Whatever is later than what is known here."""
        for contact in record.contacts:
            one = self._known.setdefault(contact.device_id, _Known(Contact(contact.device_id, -1.0)))
            if contact.heard_on > one.contact.heard_on:
                one.contact = contact
                self._silences.heard(contact.device_id, contact.heard_on)
        for condition in record.conditions:
            one = self._known.setdefault(condition.device_id, _Known(Contact(condition.device_id, -1.0)))
            mine = one.connection if condition.matter == "connection" else one.battery
            if condition.n > mine.n:
                setattr(one, condition.matter, condition)

    def _taken_over(self) -> None:
        """This node decides from now on, once it knows what the others knew."""
        self._stale = True

    async def _look_at_others(self) -> None:
        lost = {device_id: one.contact for device_id, one in self._known.items() if one.lost}
        record = await self._store.contact_record()
        self._listening.resume(record.listened_s)
        self._take_over(record)
        self._stale = False
        for device_id, before in lost.items():
            one, device = self._known[device_id], self._device(device_id)
            if one.lost and device is not None and one.contact.heard_on > before.heard_on:
                self._connection(device, one, "good", restored_words(device))

    # What goes on by itself

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._conditions.run())
            group.create_task(self._look())
            group.create_task(self._write())
            if self._keeper is not None:
                group.create_task(self._keeper.run())

    async def _look(self) -> None:
        while True:
            if self._stale:
                with contextlib.suppress(StoreUnavailable):
                    await self._look_at_others()
            self.look()
            await asyncio.sleep(self._pause_s())

    def _pause_s(self) -> float:
        due = self._silences.next_due()
        pause_s = LONGEST_PAUSE_S if due is None else due - self._listening.seconds
        return min(max(pause_s, LEAST_PAUSE_S), LONGEST_PAUSE_S)

    def look(self) -> None:
        """Declare lost whoever has been silent for too long."""
        now = self._listening.look()
        if self._version != self._devices.version:
            self._look_at_devices()
        if self._decides():
            for device_id in self._silences.overdue(now):
                device, one = self._device(device_id), self._known[device_id]
                if device is not None and not one.lost:
                    self._connection(device, one, "lost", lost_words(device, one.contact.heard_at))

    def _decides(self) -> bool:
        return self._keeper is None or (self._keeper.lease is not None and not self._stale)

    async def _write(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            await self.write()

    async def write(self) -> None:
        """Signs of life to the disk; if it cannot be now, the next time."""
        self._listening.look()
        if not self._known:
            return
        unwritten, self._unwritten = self._unwritten, {}
        shared = self._keeper is not None
        # Another node may know a device that was added there.
        gone = [] if shared else sorted(self._dropped)
        listened_s = self._listening.seconds if self._decides() else None
        try:
            await self._store.note_contacts(list(unwritten.values()), gone, listened_s)
            self._dropped.difference_update(gone)
            if shared:
                await self._look_at_others()
        except StoreUnavailable:
            self._unwritten = unwritten | self._unwritten

    async def aclose(self) -> None:
        """Write what is left, and let another node decide."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self.write()
        if self._keeper is not None:
            await self._keeper.release()


def _status(device: Device, one: _Known) -> Status:
    if device.routine_s is None:
        return "unknown"
    if one.lost:
        return "offline"
    return "unknown" if one.contact.heard_at is None else "online"
