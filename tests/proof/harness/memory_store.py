"""The store's contract kept in dicts: small enough to be believed, fast enough for long simulations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

from msgspec.structs import replace

from tocsin.model.command import Arming, Command, CommandState
from tocsin.model.contact import Condition, Contact, ContactRecord
from tocsin.model.delivery import OPEN_STATES, Delivery, DeliveryKey, Due, Exchange, Outcome, Owed
from tocsin.model.device import Area, Device
from tocsin.model.event import Event, Photo
from tocsin.model.kinds import Lane
from tocsin.model.on_test import OnTest
from tocsin.store.contract import (
    Accepted,
    Arrival,
    AuditEntry,
    Backlog,
    CommandFilter,
    DeliveryFilter,
    EventFilter,
    Lease,
    Requested,
    Retention,
    StoredEvent,
    StoredLink,
)

from .memory_evidence import MemoryEvidence

_SET_ASIDE = frozenset({"rejected", "expired", "discarded"})


@dataclass
class _Kept:
    """One event with what came with it. `own_id` is the id its source gave, whatever it is kept under."""

    event: Event
    own_id: str
    digest: bytes
    repeat_key: bytes
    photos: list[Photo] = field(default_factory=list)


class MemoryStore(MemoryEvidence):
    """tocsin.store.contract.Store; never fails by itself."""

    def __init__(self) -> None:
        super().__init__()
        self._events: list[_Kept] = []
        self._by_id: dict[str, int] = {}
        self._by_own_id: dict[str, list[int]] = {}
        self._deliveries: dict[DeliveryKey, Delivery] = {}
        self._open: dict[tuple[str, Lane], dict[int, Delivery]] = {}
        self._traces: dict[DeliveryKey, list[Exchange]] = {}
        self._counters: dict[str, int] = {}
        self._leases: dict[str, Lease] = {}
        self._devices: dict[str, Device] = {}
        self._armings: dict[str, Arming] = {}
        self._areas: dict[str, Area] = {}
        self._audit: list[AuditEntry] = []
        self._notes: dict[str, str] = {}
        self._revoked: dict[int, datetime] = {}
        self._tests: dict[str, OnTest] = {}
        self._listened_s = 0.0
        self._contacts: dict[str, Contact] = {}
        self._conditions: dict[tuple[str, str], Condition] = {}

    async def open(self) -> None: ...

    async def aclose(self) -> None: ...

    def writable(self) -> bool:
        return True

    async def accept(self, arrivals: Sequence[Arrival]) -> Sequence[Accepted]:
        return [self._accept(arrival) for arrival in arrivals]

    def _accept(self, arrival: Arrival) -> Accepted:
        event = arrival.event
        known = self._by_own_id.get(event.id, []) if arrival.digest else []
        same = [seq for seq in known if self._same_origin(seq, event)]
        for seq in same:
            if self._kept(seq).digest == arrival.digest:
                return Accepted(self._kept(seq).event, seq, duplicate=True)
        own_id = event.id
        if known or event.id in self._by_id:
            flags = (*event.flags, "id_reused") if same else event.flags
            event = replace(event, id=arrival.alternate_id, flags=flags)
        self._events.append(_Kept(event, own_id, arrival.digest, arrival.repeat_key, list(arrival.photos)))
        seq = len(self._events)
        self._by_id[event.id] = seq
        if arrival.digest:
            self._by_own_id.setdefault(own_id, []).append(seq)
        for owed in arrival.owed:
            self._put(_delivery(seq, event, owed))
        self._told([arrival.condition] if arrival.condition else [])
        return Accepted(event, seq, owed=arrival.owed)

    async def settle(self, outcomes: Sequence[Outcome], lease: Lease | None = None) -> Sequence[DeliveryKey]:
        if lease is not None and self._leases[lease.subject].epoch != lease.epoch:
            return []
        written = []
        for outcome in outcomes:
            before = self._deliveries.get(outcome.key)
            if before is not None and before.state in OPEN_STATES:
                self._put(_after(before, outcome))
                self._traces.setdefault(outcome.key, []).extend(outcome.exchanges)
                written.append(outcome.key)
        return written

    async def supersede(self, outcomes: Sequence[Outcome], lease: Lease | None = None) -> Sequence[DeliveryKey]:
        """Events stay: what is simulated is younger than any retention."""
        return await self.settle(outcomes, lease)

    async def due(
        self,
        destination: str,
        lane: Lane,
        after: int,
        limit: int,
        queue: str | None = None,
        without: Sequence[str] = (),
    ) -> Sequence[Due]:
        waiting = self._open.get((destination, lane), {})
        found = [
            one
            for seq, one in sorted(waiting.items())
            if seq > after and queue in (None, one.queue) and one.queue not in without
        ]
        return [self._due(one) for one in found[:limit]]

    async def reserve(self, scope: str, count: int) -> int:
        first = self._counters.get(scope, 1)
        self._counters[scope] = first + count
        return first

    async def recent_repeats(self, source: str, since: datetime) -> Sequence[tuple[bytes, datetime, int]]:
        return [
            (kept.repeat_key, kept.event.accepted_at, seq)
            for seq, kept in enumerate(self._events, 1)
            if kept.repeat_key and kept.event.source == source and kept.event.accepted_at >= since
        ]

    async def photos(self, event_seq: int) -> Sequence[Photo]:
        return tuple(self._kept(event_seq).photos)

    async def claim(self, subject: str, owner: str, ttl_s: float, now: datetime) -> Lease | None:
        held = self._leases.get(subject)
        if held is not None and held.owner != owner and held.until > now:
            return None
        epoch = 1 if held is None else held.epoch + (held.owner != owner or held.until <= now)
        lease = self._leases[subject] = Lease(subject, owner, epoch, now + timedelta(seconds=ttl_s))
        return lease

    async def release(self, lease: Lease) -> None:
        held = self._leases.get(lease.subject)
        if held is not None and held.epoch == lease.epoch:
            self._leases[lease.subject] = replace(held, until=datetime.min.replace(tzinfo=held.until.tzinfo))

    async def amend(self, event: Event, photos: Sequence[Photo] = ()) -> bool:
        seq = self._by_id.get(event.id)
        if seq is None:
            return False
        self._kept(seq).event = event
        self._kept(seq).photos.extend(photos)
        return True

    async def unhold(self, event_id: str) -> Sequence[Due]:
        seq = self._by_id.get(event_id)
        held = [one for one in self._of(seq) if one.state == "held"] if seq is not None else []
        for one in held:
            self._put(replace(one, state="pending", due_at=None))
        return [self._due(self._deliveries[one.key]) for one in held]

    async def resubmit(self, key: DeliveryKey, owed: Owed, at: datetime) -> Due | None:
        before = self._deliveries.get(key)
        if before is None or before.state not in _SET_ASIDE:
            return None
        again = _delivery(key.event_seq, self._kept(key.event_seq).event, owed)
        self._put(replace(again, attempts=before.attempts))
        return self._due(self._deliveries[key])

    async def discard(self, key: DeliveryKey, reason: str, at: datetime) -> bool:
        before = self._deliveries.get(key)
        if before is None or before.state not in OPEN_STATES | {"rejected"}:
            return False
        self._put(replace(before, state="discarded", reason=reason, due_at=None))
        return True

    async def event(self, event_id: str) -> StoredEvent | None:
        seq = self._by_id.get(event_id)
        return None if seq is None else StoredEvent(seq, self._kept(seq).event)

    async def events(self, wanted: EventFilter) -> Sequence[StoredEvent]:
        newest = len(self._events) + 1 if wanted.before is None else wanted.before
        return [StoredEvent(seq, self._kept(seq).event) for seq in range(newest - 1, 0, -1)][: wanted.limit]

    async def deliveries_of(self, event_seqs: Sequence[int]) -> Mapping[int, Sequence[Delivery]]:
        return {seq: self._of(seq) for seq in event_seqs}

    async def delivery(self, key: DeliveryKey) -> Delivery | None:
        return self._deliveries.get(key)

    async def deliveries(self, wanted: DeliveryFilter) -> Sequence[Delivery]:
        found = [
            one
            for key, one in sorted(self._deliveries.items(), reverse=True)
            if (not wanted.states or one.state in wanted.states)
            and wanted.destination in ("", key.destination)
            and (wanted.before is None or key.event_seq < wanted.before)
        ]
        return found[: wanted.limit]

    async def trace(self, key: DeliveryKey) -> Sequence[Exchange]:
        return self._traces.get(key, [])

    async def backlog(self, destination: str) -> Mapping[Lane, Backlog]:
        found = {}
        for lane in Lane:
            waiting = self._open.get((destination, lane), {}).values()
            found[lane] = Backlog(len(waiting), min((one.accepted_at for one in waiting), default=None))
        return found

    async def last_delivered(self, destination: str) -> Delivery | None:
        done = [one for one in self._deliveries.values() if one.delivered_at and one.key.destination == destination]
        return max(done, key=lambda one: (one.delivered_at, one.key), default=None)

    async def devices(self) -> Sequence[Device]:
        return list(self._devices.values())

    async def put_device(self, device: Device) -> None:
        self._devices[device.id] = device

    async def delete_device(self, device_id: str) -> bool:
        return self._devices.pop(device_id, None) is not None

    async def request(self, commands: Sequence[Command]) -> Requested:
        raise AssertionError("nobody commands anything in the simulation, so nothing here keeps commands")

    async def fetch_commands(self, device_id: str, at: datetime) -> Sequence[Command]:
        return []

    async def end_command(
        self, command_id: str, state: CommandState, result: str, at: datetime, arming: Arming | None = None
    ) -> Command | None:
        return None

    async def expire_commands(
        self, unfetched: Sequence[str], unanswered: Sequence[str], at: datetime
    ) -> Sequence[Command]:
        return []

    async def commands(self, wanted: CommandFilter) -> Sequence[Command]:
        return []

    async def armings(self) -> Sequence[Arming]:
        return [self._armings[device_id] for device_id in sorted(self._armings)]

    async def put_arming(self, arming: Arming) -> None:
        self._armings[arming.device_id] = arming

    async def areas(self) -> Sequence[Area]:
        return list(self._areas.values())

    async def delete_area(self, name: str) -> bool:
        return self._areas.pop(name, None) is not None

    async def keep(self, areas: Sequence[Area], devices: Sequence[Device]) -> None:
        self._areas |= {area.name: area for area in areas}
        self._devices |= {device.id: device for device in devices}

    async def link(self, digest: bytes) -> StoredLink | None:
        for seq, kept in enumerate(self._events, 1):
            if kept.event.link and sha256(kept.event.link.encode()).digest() == digest:
                return StoredLink(digest, StoredEvent(seq, kept.event), self._revoked.get(seq))
        return None

    async def revoke_link(self, event_seq: int, at: datetime) -> bool:
        if not self._kept(event_seq).event.link or event_seq in self._revoked:
            return False
        self._revoked[event_seq] = at
        return True

    async def tests(self) -> Sequence[OnTest]:
        return sorted(self._tests.values(), key=lambda test: test.since)

    async def put_test(self, test: OnTest, instead_of: Sequence[str] = ()) -> None:
        for test_id in instead_of:
            self._tests.pop(test_id, None)
        self._tests[test.id] = test

    async def end_test(self, test_id: str) -> bool:
        return self._tests.pop(test_id, None) is not None

    async def contact_record(self) -> ContactRecord:
        return ContactRecord(self._listened_s, tuple(self._contacts.values()), tuple(self._conditions.values()))

    async def note_contacts(self, contacts: Sequence[Contact], gone: Sequence[str], listened_s: float | None) -> None:
        for device_id in gone:
            self._contacts.pop(device_id, None)
        for one in contacts:
            before = self._contacts.get(one.device_id, one)
            if one.heard_on >= before.heard_on:
                heard_at, battery = one.heard_at or before.heard_at, one.battery
                battery = before.battery if battery is None else battery
                self._contacts[one.device_id] = replace(one, heard_at=heard_at, battery=battery)
        self._listened_s = self._listened_s if listened_s is None else listened_s

    async def put_conditions(self, conditions: Sequence[Condition]) -> None:
        self._told(conditions)

    def _told(self, conditions: Sequence[Condition]) -> None:
        for one in conditions:
            before = self._conditions.get((one.device_id, one.matter))
            if before is None or one.n > before.n:
                self._conditions[one.device_id, one.matter] = one

    async def remember(self, name: str, text: str) -> None:
        self._notes[name] = text

    async def recall(self, name: str) -> str:
        return self._notes.get(name, "")

    async def audit(self, entry: AuditEntry) -> None:
        self._audit.append(entry)

    async def audit_entries(self, limit: int) -> Sequence[AuditEntry]:
        return self._audit[: -limit - 1 : -1]

    async def prune(self, retention: Retention, limit: int) -> int:
        """Keeps everything: what is simulated is younger than any retention."""
        return 0

    def _put(self, delivery: Delivery) -> None:
        self._deliveries[delivery.key] = delivery
        waiting = self._open.setdefault((delivery.key.destination, delivery.lane), {})
        if delivery.state in OPEN_STATES:
            waiting[delivery.key.event_seq] = delivery
        else:
            waiting.pop(delivery.key.event_seq, None)

    def _of(self, seq: int) -> list[Delivery]:
        return [one for name in self._names() if (one := self._deliveries.get(DeliveryKey(seq, name))) is not None]

    def _names(self) -> list[str]:
        return list(dict.fromkeys(name for name, _ in self._open))

    def _due(self, one: Delivery) -> Due:
        event = self._kept(one.key.event_seq).event
        return Due(one.key, one.lane, one.address, one.queue, one.number, event, one.attempts, one.due_at)

    def _kept(self, seq: int) -> _Kept:
        return self._events[seq - 1]

    def _same_origin(self, seq: int, event: Event) -> bool:
        known = self._kept(seq).event
        return known.source == event.source and known.device_id == event.device_id


def _delivery(seq: int, event: Event, owed: Owed) -> Delivery:
    return Delivery(
        DeliveryKey(seq, owed.destination),
        event.id,
        owed.lane,
        owed.state,
        owed.address,
        owed.queue,
        owed.number,
        0,
        event.accepted_at,
        due_at=owed.due_at,
        reason=owed.reason,
    )


def _after(before: Delivery, outcome: Outcome) -> Delivery:
    return replace(
        before,
        state=outcome.state,
        attempts=outcome.attempts,
        due_at=outcome.due_at,
        delivered_at=outcome.at if outcome.state == "delivered" else None,
        host=outcome.host,
        receipt=outcome.receipt,
        reason=outcome.reason,
    )
