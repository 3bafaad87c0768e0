"""The middle as one object: intake, pumps, supervision and the gateway's own voice over one store."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from tocsin.engine.announcer import Announcer
from tocsin.engine.areas import AreaTree
from tocsin.engine.backoff import Retry
from tocsin.engine.contracts import (
    Clock,
    Destination,
    IntakeClosed,
    PhotoIn,
    PhotoRefused,
    Randomness,
    Source,
    SourceState,
    Submission,
    Supervised,
    Taken,
)
from tocsin.engine.devices import DeviceBook
from tocsin.engine.hub import Change, Hub
from tocsin.engine.intake import Door, IntakeParts, PhotoCheck
from tocsin.engine.pump import Pump, PumpParts
from tocsin.engine.retention import RetentionAges, keep_pruning
from tocsin.engine.routing import Filter, Route, Verdict, owed
from tocsin.engine.supervision import SupervisionWatch
from tocsin.engine.tasks import ComponentState
from tocsin.engine.tasks import Supervised as SupervisedTask
from tocsin.model.delivery import Delivery, DeliveryKey, Due, Outcome
from tocsin.model.device import Device
from tocsin.model.event import Actor, Event
from tocsin.model.ids import UlidSource
from tocsin.model.kinds import Classification
from tocsin.store.contract import Accepted, AuditEntry, Store, StoredEvent
from tocsin.telemetry.record import Recorder

REPEATS_REACH = timedelta(minutes=15)


class Member(Struct, frozen=True):
    """One configured destination with what the engine must know of it besides its own contract."""

    destination: Destination
    type: str
    title: str
    filter: Filter = Filter()
    retry: Retry = Retry()
    hold_s: float = 10.0
    wants_photos: bool = False
    insecure: bool = False


class GatewayParts(NamedTuple):
    """Everything from outside, as arguments. `node` owns leases; on SQLite it is the same after a restart."""

    store: Store
    clock: Clock
    randomness: Randomness
    record: Recorder
    photo_check: PhotoCheck
    node: str = "tocsin"
    lease_ttl_s: float = 3600.0
    retention: RetentionAges = RetentionAges()


class DestinationStatus(Struct, frozen=True):
    """One destination as pages and monitoring see it. `state` is up, down, paused or starting (not tried yet)."""

    name: str
    type: str
    title: str
    state: str
    reason: str
    host: str
    insecure: bool
    supervision_s: float | None
    pending: dict[str, int]
    oldest: datetime | None
    last: Delivery | None


class Gateway:
    """`start`, `run` until cancelled, `stop`. Unknown names raise KeyError."""

    def __init__(
        self,
        name: str,
        parts: GatewayParts,
        members: Sequence[Member] = (),
        areas: AreaTree | None = None,
        devices: Sequence[Device] = (),
        public_url: str = "",
    ) -> None:
        self.name = name
        self.public_url = public_url
        self.store = parts.store
        self.clock = parts.clock
        self.hub = Hub()
        self._parts = parts
        self._members = {member.destination.name: member for member in members}
        self.devices = DeviceBook(parts.store, areas or AreaTree(), devices)
        self._routes = {name: self._route(member) for name, member in self._members.items()}
        new_id = UlidSource(lambda: int(parts.clock.now().timestamp() * 1000), parts.randomness.getrandbits)
        self.intake = Door(
            IntakeParts(
                parts.store, parts.clock, new_id, parts.record, self.devices, parts.photo_check, self._kept, self._owes
            ),
            list(self._routes.values()),
        )
        self._announcer = Announcer(self.intake, parts.clock, parts.record, name)
        self._pumps = {name: self._pump(member) for name, member in self._members.items()}
        self.supervision = SupervisionWatch(parts.clock, parts.record, self._supervision_changed)
        self._sources: list[Source] = []
        self._tasks: list[SupervisedTask] = []

    def add_source(self, source: Source) -> None:
        """Before `run`."""
        self._sources.append(source)

    async def start(self) -> None:
        """Read what was kept; afterwards the intake may be used. Raises StoreUnavailable."""
        await self.devices.load()
        since = self.clock.now() - REPEATS_REACH
        await self.intake.remember({source.name: since for source in self._sources})
        for source in self._sources:
            self.supervision.watch(source.name, source.supervised())

    async def run(self, announce: bool = True) -> None:
        """Everything that goes on by itself, until cancelled. `announce`: this is a start, not a reload."""
        works: list[tuple[str, str, Callable[[], Any]]] = [
            *((name, "destination", pump.run) for name, pump in self._pumps.items()),
            *((source.name, "source", _listening(source, self.intake)) for source in self._sources),
            ("supervision", "task", self.supervision.run),
            ("announcements", "task", self._announcer.run),
            ("retention", "task", lambda: keep_pruning(self.store, self.clock, self._parts.retention)),
        ]
        self._tasks = [SupervisedTask(*work, self.clock, self._parts.record) for work in works]
        if announce:
            self._announcer.say("system_started", "started")
        async with asyncio.TaskGroup() as group:
            for task in self._tasks:
                group.create_task(task.run())

    async def stop(self, announce: bool = True) -> None:
        """Take nothing more, say so, finish what is under way, leave the rest durable. `run` is cancelled
        afterwards.
        """
        if self.intake.open and announce:
            with contextlib.suppress(IntakeClosed):
                await self.intake.accept(Submission(self._announcer.event("system_stopped", "stopping")))
        self.intake.open = False
        await asyncio.gather(*(pump.stop() for pump in self._pumps.values()))

    async def aclose(self) -> None:
        """Close the destinations' connections, after `run` has ended."""
        await asyncio.gather(*(member.destination.aclose() for member in self._members.values()))

    # What people and programs ask

    def explain(self, event: Event) -> list[Verdict]:
        """Every destination's verdict on an event that is not sent."""
        return self.intake.explain(self.intake.complete(event))

    async def destinations(self) -> list[DestinationStatus]:
        return [await self._status(name) for name in self._members]

    async def destination(self, name: str) -> DestinationStatus:
        self._members[name]
        return await self._status(name)

    def live_state(self, name: str) -> tuple[str, str]:
        """State and reason from memory."""
        pump = self._pumps[name]
        if pump.paused:
            return "paused", "paused by hand"
        if pump.link.down_since is not None:
            return "down", pump.link.reason
        return ("up", "") if pump.link.contacted else ("starting", pump.link.reason or "nothing sent yet")

    def names(self) -> list[str]:
        return list(self._members)

    def sources(self) -> list[tuple[str, SourceState]]:
        """What sources say of their connections, and of every supervised account whether it is heard."""
        supervised = self.supervision.states()
        said = [(source.name, state) for source in self._sources for state in source.states()]
        return [*supervised, *said]

    def components(self) -> list[ComponentState]:
        store = ComponentState("store", "store", self.store.writable(), "" if self.store.writable() else "cannot write")
        return [store, *(task.state() for task in self._tasks)]

    def ready(self) -> tuple[bool, str]:
        """Whether events are taken now; if not, why."""
        if not self.intake.open:
            return False, "the gateway is stopping"
        return (True, "") if self.store.writable() else (False, "the store cannot write at the moment")

    async def test(self, name: str, who: str) -> Taken:
        """One marked test event to one destination, past its filter."""
        self._members[name]
        event = replace(self._announcer.event("test", f"test of destination {name} by {who}"), flags=("test",))
        await self._audit(who, "test", name)
        return await self.intake.accept(Submission(event, only=name))

    async def pause(self, name: str, who: str) -> None:
        self._pumps[name].pause()
        await self._changed(name, who, "pause")

    async def resume(self, name: str, who: str) -> None:
        self._pumps[name].resume()
        await self._changed(name, who, "resume")

    async def retry(self, key: DeliveryKey, who: str) -> bool:
        """Open a closed delivery again, with the address that holds now. False if it cannot be."""
        route = self._routes[key.destination]
        delivery = await self.store.delivery(key)
        stored = None if delivery is None else await self.store.event(delivery.event_id)
        if stored is None:
            return False
        addressed = route.address(stored.event)
        verdict = Verdict(route.name, True, "", addressed)
        fresh = owed(route, verdict, replace(stored.event, classification="done", photos_expected=0))
        if fresh.state == "rejected":
            return False
        due = await self.store.resubmit(key, await self.intake.numbered(fresh, addressed), self.clock.now())
        if due is None:
            return False
        self._pumps[key.destination].requeue(due)
        await self._audit(who, "retry", str(key))
        self._publish_delivery(key, "pending")
        return True

    async def discard(self, key: DeliveryKey, who: str) -> bool:
        """Close a delivery by hand. False if it has ended already."""
        done = await self.store.discard(key, f"discarded by {who}", self.clock.now())
        if done:
            if key.destination in self._pumps:
                self._pumps[key.destination].forget(key)
            await self._audit(who, "discard", str(key))
            self._publish_delivery(key, "discarded")
        return done

    async def amend(
        self, event_id: str, actors: tuple[Actor, ...] | None, classification: Classification | None, who: str
    ) -> StoredEvent | None:
        """Late actors; deliveries that waited for them go out."""
        stored = await self.store.event(event_id)
        if stored is None:
            return None
        event = replace(
            stored.event,
            actors=stored.event.actors if actors is None else actors,
            classification=classification or stored.event.classification,
        )
        await self._amended(event)
        return StoredEvent(stored.seq, event)

    async def add_photos(self, event_id: str, photos: Sequence[PhotoIn]) -> list[PhotoRefused] | None:
        """Late photos; None if the event is not there."""
        stored = await self.store.event(event_id)
        if stored is None:
            return None
        good, refused = await self.intake.vet(photos, stored.event.photos + 1)
        if good:
            await self._amended(replace(stored.event, photos=stored.event.photos + len(good)), good)
        return refused

    async def _amended(self, event: Event, photos: Sequence[Any] = ()) -> None:
        await self.store.amend(event, photos)
        complete = event.classification == "done" and event.photos >= event.photos_expected
        if complete:
            for due in await self.store.unhold(event.id):
                self._pumps[due.key.destination].update(due)
        self.hub.publish(Change("event", event.id, {"kind": event.kind, "amended": True}))

    # What goes on inside

    def _route(self, member: Member) -> Route:
        destination = member.destination
        return Route(
            destination.name,
            member.filter,
            lambda event: destination.address(event, self.devices.get(event.device_id)),
            member.hold_s,
            member.wants_photos,
        )

    def _pump(self, member: Member) -> Pump:
        parts = self._parts
        return Pump(
            member.destination,
            member.retry,
            PumpParts(
                parts.store,
                parts.clock,
                parts.randomness,
                parts.record,
                parts.node,
                parts.lease_ttl_s,
                self._link_changed,
                self._settled,
            ),
        )

    def _kept(self, accepted: Accepted) -> None:
        if self.hub.watched:
            event = accepted.event
            data = {
                "seq": accepted.seq,
                "kind": event.kind,
                "state": event.state,
                "device_id": event.device_id,
                "area": event.place.area,
                "destinations": [one.destination for one in accepted.owed if one.state != "filtered"],
            }
            self.hub.publish(Change("event", event.id, data))

    def _owes(self, due: Due) -> None:
        self._pumps[due.key.destination].offer(due)

    def _settled(self, outcomes: Sequence[Outcome]) -> None:
        expired: dict[str, int] = {}
        for outcome in outcomes:
            if outcome.state == "expired":
                expired[outcome.key.destination] = expired.get(outcome.key.destination, 0) + 1
            if self.hub.watched:
                self._publish_delivery(outcome.key, outcome.state, outcome.reason)
        for name, count in expired.items():
            text = f"{count} deliveries to {name} expired undelivered"
            self._announcer.say("trouble", text, f"destination:{name}")

    def _publish_delivery(self, key: DeliveryKey, state: str, reason: str = "") -> None:
        data = {"destination": key.destination, "event_seq": key.event_seq, "state": state, "reason": reason}
        self.hub.publish(Change("delivery", str(key), data))

    def _link_changed(self, name: str, reason: str) -> None:
        self._announcer.destination_changed(name, reason)
        self._publish_state(name)

    def _publish_state(self, name: str) -> None:
        state, why = self.live_state(name)
        self.hub.publish(Change("destination", name, {"state": state, "reason": why}))

    def _supervision_changed(self, source: str, subject: Supervised, restored: bool) -> None:
        if restored:
            self._announcer.say(
                "supervision_restored", f"{subject.subject} is heard again", "", subject.address, subject.area
            )
        else:
            text = f"nothing heard from {subject.subject} on {source} for more than {subject.interval_s:g} s"
            self._announcer.say("supervision_lost", text, "", subject.address, subject.area)

    async def _status(self, name: str) -> DestinationStatus:
        member, state = self._members[name], self.live_state(name)
        backlog = await self.store.backlog(name)
        oldest = [lane.oldest for lane in backlog.values() if lane.oldest is not None]
        return DestinationStatus(
            name,
            member.type,
            member.title,
            *state,
            host=member.destination.hosts_in_use(),
            insecure=member.insecure,
            supervision_s=member.destination.supervision_s,
            pending={lane.label: one.pending for lane, one in sorted(backlog.items())},
            oldest=min(oldest, default=None),
            last=await self.store.last_delivered(name),
        )

    async def _changed(self, name: str, who: str, action: str) -> None:
        await self._audit(who, action, name)
        self._publish_state(name)

    async def _audit(self, who: str, action: str, subject: str) -> None:
        await self.store.audit(AuditEntry(self.clock.now(), who, action, subject))


def _listening(source: Source, intake: Door) -> Callable[[], Any]:
    return lambda: source.run(intake)
