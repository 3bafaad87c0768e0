"""The middle as one object: intake, pumps, supervision and the gateway's own voice over one store."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from tocsin.engine.amending import Amendments
from tocsin.engine.announcer import Announcer
from tocsin.engine.areas import AreaTree
from tocsin.engine.by_hand import ByHand, HandParts
from tocsin.engine.commands import CommandParts, Commands
from tocsin.engine.compaction import compactions
from tocsin.engine.contacts import ContactParts, Contacts
from tocsin.engine.contracts import (
    IntakeClosed,
    PhotoIn,
    PhotoRefused,
    Source,
    SourceState,
    Submission,
    Taken,
)
from tocsin.engine.devices import DeviceBook
from tocsin.engine.evidence import Agents
from tocsin.engine.expiries import Expiries
from tocsin.engine.guarded import guarded
from tocsin.engine.hub import Change, Hub, delivery_changed, event_kept
from tocsin.engine.intake import Door, IntakeParts
from tocsin.engine.inventory.book import InventoryBook
from tocsin.engine.inventory.systems import Systems, SystemsParts
from tocsin.engine.links import Links
from tocsin.engine.members import GatewayParts, Member
from tocsin.engine.on_test import OnTestBook
from tocsin.engine.path_watch import path_watches
from tocsin.engine.photos import MOST_BYTES, RecentPhotos
from tocsin.engine.pump import Pump
from tocsin.engine.retention import keep_pruning
from tocsin.engine.routing import Route, Verdict, destination_device
from tocsin.engine.sheet import Sheet
from tocsin.engine.standing import Standing, StandingNote
from tocsin.engine.status import DestinationStatus, link_state, status
from tocsin.engine.supervision import SupervisionWatch
from tocsin.engine.surroundings import PumpParts
from tocsin.engine.tasks import ComponentState
from tocsin.engine.tasks import Supervised as SupervisedTask
from tocsin.engine.telling import telling
from tocsin.model.delivery import DeliveryKey, Due, Outcome
from tocsin.model.device import Device
from tocsin.model.event import Actor, Event
from tocsin.model.ids import UlidSource
from tocsin.model.kinds import Classification
from tocsin.model.on_test import OnTest
from tocsin.store.contract import Accepted, AuditEntry, StoredEvent

__all__ = ["DestinationStatus", "Gateway", "GatewayParts", "Member"]

REPEATS_REACH = timedelta(minutes=15)
LOOK_EVERY_S = 1.0
STOP_LIMIT_S = 1.0
"""For the last words and what is on its way to the disk; the pumps have their own."""


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
        asked = [(self._routes[name], guarded(one.destination, parts.record)) for name, one in self._members.items()]
        self.sheet = Sheet(self.devices, parts.clock, asked)
        new_id = UlidSource(lambda: int(parts.clock.now().timestamp() * 1000), parts.randomness.getrandbits)
        self.links = self._links()
        self.tests = OnTestBook(
            parts.store, parts.clock, self.devices.areas, new_id, self._say_of_test, self._tests_changed, parts.shared
        )
        # Photos that come late by another node are only seen in the store.
        self._photos = RecentPhotos(parts.store, 0 if parts.shared else MOST_BYTES)
        self.intake = self._door(new_id)
        ordered = (parts.store, parts.clock, new_id, self.devices, self.intake, self.hub, parts.shared)
        self.commands = Commands(CommandParts(*ordered))
        self.systems = self._systems(new_id)
        self._announcer = Announcer(self.intake, parts.clock, parts.record, name)
        self._pumps = {name: self._pump(member) for name, member in self._members.items()}
        destinations = [member.destination for member in members]
        self._paths = path_watches(destinations, self._pumps, self._pump_parts(), self._announcer.path_changed)
        self._amendments = Amendments(
            parts.store, self.intake, self.devices.areas, self._routes, self._pumps, self._event_amended
        )
        sent = (self.intake, self._routes, self._pumps, self._doubt, self._done_by_hand)
        self._by_hand = ByHand(HandParts(parts.store, parts.clock, *sent))
        self.agents, self._expiries = Agents(parts.clock, self.hub), Expiries()
        self._in_doubt = False
        self.supervision = SupervisionWatch(parts.clock, parts.record, self._announcer.supervision_changed)
        self.contacts = Contacts(ContactParts(self.devices, self.intake, self._announcer.event, self.hub), parts)
        self._note = StandingNote(parts.store, name, self.standing)
        self._sources: list[Source] = []
        self._tasks: list[SupervisedTask] = []

    def _links(self) -> Links:
        parts, members = self._parts, self._members
        silent = [name for name, member in members.items() if not member.links]
        tried_s = max((member.retry.expire_s for member in members.values()), default=0.0)
        given = (parts.store, parts.clock, parts.randomness, self.public_url, parts.link_life_s)
        return Links(*given, silent, tried_s)

    def _door(self, new_id: UlidSource) -> Door:
        parts = self._parts
        given = (parts.store, parts.clock, new_id, parts.record, self.devices, parts.photo_check)
        told = (self._kept, self._owes, self._missed, self._doubt, self.tests.of, self.links.token)
        return Door(IntakeParts(*given, *told, pictured=self._photos.keep), list(self._routes.values()))

    def _systems(self, new_id: UlidSource) -> Systems:
        parts = self._parts
        book = parts.book or InventoryBook(parts.store, parts.clock, parts.apart)
        heard = (self.devices, self.intake, self.hub, book, parts.node, parts.lease_ttl_s, self.commands, parts.apart)
        return Systems(SystemsParts(parts.store, parts.clock, parts.randomness, parts.record, new_id, *heard))

    def add_source(self, source: Source) -> None:
        """Before `run`."""
        self._sources.append(source)

    async def start(self) -> None:
        """Read what was kept; afterwards the intake may be used. Raises StoreUnavailable."""
        await self.devices.load()
        await self.contacts.load()
        await self.commands.load()
        await self.tests.load()
        await self.systems.load()
        since = self.clock.now() - REPEATS_REACH
        await self.intake.remember({source.name: since for source in self._sources})
        for source in self._sources:
            self.supervision.watch(source.name, source.supervised())
        self.carry_on(await self._note.read())

    async def run(self, announce: bool = True) -> None:
        """Everything that goes on by itself, until cancelled. `announce`: this is a start, not a reload."""
        works: list[tuple[str, str, Callable[[], Any]]] = [
            *((name, "destination", pump.run) for name, pump in self._pumps.items()),
            *(*self._paths.works(), *compactions(self._members.values(), self._pumps, self._pump_parts())),
            *((source.name, "source", _listening(source, self.intake)) for source in self._sources),
            *(*self.systems.works(), *self.agents.works()),
            ("supervision", "task", self.supervision.run),
            ("on test", "task", self.tests.run),
            ("contacts", "task", self.contacts.run),
            ("announcements", "task", self._announcer.run),
            ("looking", "task", self._look),
            ("commands", "task", self.commands.run),
            ("standing", "task", self._note.run),
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
        with contextlib.suppress(IntakeClosed, TimeoutError):
            async with asyncio.timeout(STOP_LIMIT_S):
                for name, count in self._expiries.to_say(self.clock.monotonic(), all_of_it=True):
                    await self.intake.accept(Submission(self._expired(name, count)))
                if announce:
                    await self.intake.accept(Submission(self._announcer.event("system_stopped", "stopping")))
        self.intake.open = False
        self.commands.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_LIMIT_S):
                await self.intake.kept()
        pumps = (pump.stop() for pump in self._pumps.values())
        await asyncio.gather(self.contacts.aclose(), self.agents.stop(for_good=announce), *pumps)
        await self._note.aclose()

    async def aclose(self) -> None:
        """Close all connections, after `run` has ended."""
        members = (one.destination.aclose() for one in self._members.values())
        await asyncio.gather(self.systems.aclose(), self.agents.aclose(), *members)

    def standing(self) -> Standing:
        """For the gateway that follows after a reload or a restart."""
        return Standing(
            frozenset(name for name, pump in self._pumps.items() if pump.paused),
            frozenset(name for name, pump in self._pumps.items() if pump.link.announced),
            self.supervision.lost(),
            self._paths.lost(),
            self.agents.paused(),
        )

    def carry_on(self, standing: Standing) -> None:
        """Before `run`."""
        for name, pump in self._pumps.items():
            pump.paused = name in standing.paused
            pump.link.announced = name in standing.down
        self.supervision.carry_on(standing.lost)
        self._paths.carry_on(standing.paths)
        self.agents.carry_on(standing.agents)

    # What people and programs ask

    def explain(self, event: Event) -> list[Verdict]:
        """Every destination's verdict on an event that is not sent."""
        return self.intake.explain(self.intake.complete(event))

    async def destinations(self) -> list[DestinationStatus]:
        return list(await asyncio.gather(*(self._status(name) for name in self._members)))

    async def destination(self, name: str) -> DestinationStatus:
        return await self._status(name)

    def live_state(self, name: str) -> tuple[str, str]:
        """State and reason from memory."""
        pump = self._pumps[name]
        return link_state(pump.link, pump.paused)

    def names(self) -> list[str]:
        return list(self._members)

    def sources(self) -> list[tuple[str, SourceState]]:
        """What sources say of their connections, and of every supervised account whether it is heard."""
        supervised = self.supervision.states()
        said = [(source.name, state) for source in self._sources for state in source.states()]
        return [*supervised, *said]

    def components(self) -> list[ComponentState]:
        store = ComponentState("store", "store", self.store.writable(), "" if self.store.writable() else "cannot write")
        return [store, *(task.state() for task in self._tasks), *self.agents.states()]

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
        await self._note.write()
        await self._changed(name, who, "pause")

    async def resume(self, name: str, who: str) -> None:
        self._pumps[name].resume()
        await self._note.write()
        await self._changed(name, who, "resume")

    async def retry(self, key: DeliveryKey, who: str) -> bool:
        """Open a closed delivery again, with the address that holds now. False if it cannot be."""
        return await self._by_hand.retry(key, who)

    async def discard(self, key: DeliveryKey, who: str) -> bool:
        """Close a delivery by hand. False if it has ended already."""
        return await self._by_hand.discard(key, who)

    async def amend(
        self, event_id: str, actors: tuple[Actor, ...] | None, classification: Classification | None, who: str
    ) -> StoredEvent | None:
        """Late actors; deliveries that waited for them go out."""
        return await self._amendments.classify(event_id, actors, classification)

    async def add_photos(self, event_id: str, photos: Sequence[PhotoIn]) -> list[PhotoRefused] | None:
        """Late photos; None if the event is not there."""
        return await self._amendments.add_photos(event_id, photos)

    # What goes on inside

    def _route(self, member: Member) -> Route:
        address = guarded(member.destination, self._parts.record)
        return Route(
            member.destination.name,
            member.filter,
            lambda event: address(event, self.devices.get(event.device_id)),
            member.hold_s,
            member.wants_photos,
            member.links and bool(self.public_url),
            member.says_test,
            member.cloud,
        )

    def _pump(self, member: Member) -> Pump:
        link = self.links.url if member.links and self.public_url else None
        destination = telling(member.destination, link) if link or member.says_test else member.destination
        return Pump(destination, member.retry, self._pump_parts())

    def _pump_parts(self) -> PumpParts:
        parts, told = self._parts, (self._link_changed, self._settled)
        surroundings = (parts.store, parts.clock, parts.randomness, parts.record, parts.node, parts.lease_ttl_s)
        return PumpParts(*surroundings, *told, photos=self._photos.of)

    def _kept(self, accepted: Accepted) -> None:
        if self.hub.watched:
            self.hub.publish(event_kept(accepted))
        self.contacts.kept(accepted.event)

    def _owes(self, due: Due) -> None:
        self._pumps[due.key.destination].offer(due)

    def _missed(self) -> None:
        for pump in self._pumps.values():
            pump.look()

    def _doubt(self) -> None:
        self._in_doubt = True

    async def _look(self) -> None:
        """What nobody tells: that the store writes again, that another node accepted something, that time passes."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._in_doubt and self.store.writable():
                self._in_doubt = False
                for pump in self._pumps.values():
                    pump.doubt()
            elif self._parts.shared:
                self._missed()
            for name, count in self._expiries.to_say(self.clock.monotonic()):
                self._announcer.announce(self._expired(name, count))

    def _expired(self, name: str, count: int) -> Event:
        text = f"{count} deliveries to {name} expired undelivered"
        return self._announcer.event("trouble", text, destination_device(name))

    async def _say_of_test(self, event_id: str, test: OnTest, text: str) -> None:
        event = replace(self._announcer.event("info", text, area=test.area), id=event_id)
        await self.intake.accept(Submission(event, digest=event_id.encode()))

    def _tests_changed(self) -> None:
        self.hub.publish(Change("test", "", {"on_test": len(self.tests.all())}))

    def _settled(self, outcomes: Sequence[Outcome]) -> None:
        self.intake.proofs.settled(outcomes)
        for outcome in outcomes:
            if outcome.state == "expired":
                self._expiries.add(outcome.key.destination)
            if self.hub.watched:
                self._publish_delivery(outcome.key, outcome.state, outcome.reason)

    def _publish_delivery(self, key: DeliveryKey, state: str, reason: str = "") -> None:
        self.hub.publish(delivery_changed(key, state, reason))

    def _link_changed(self, name: str, reason: str) -> None:
        self._announcer.destination_changed(name, reason)
        self._publish_state(name)

    def _event_amended(self, event: Event) -> None:
        self.hub.publish(Change("event", event.id, {"kind": event.kind, "amended": True}))

    def _publish_state(self, name: str) -> None:
        state, why = self.live_state(name)
        self.hub.publish(Change("destination", name, {"state": state, "reason": why}))

    async def _status(self, name: str) -> DestinationStatus:
        member = self._members[name]
        state = self.live_state(name)
        found = await status(member.destination, member.type, member.title, member.insecure, state, self.store)
        return replace(found, paths=self._paths.states(name))

    async def _changed(self, name: str, who: str, action: str) -> None:
        await self._audit(who, action, name)
        self._publish_state(name)

    async def _done_by_hand(self, who: str, action: str, key: DeliveryKey, state: str) -> None:
        await self._audit(who, action, str(key))
        self._publish_delivery(key, state)

    async def _audit(self, who: str, action: str, subject: str) -> None:
        await self.store.audit(AuditEntry(self.clock.now(), who, action, subject))


def _listening(source: Source, intake: Door) -> Callable[[], Any]:
    return lambda: source.run(intake)
