"""The store of the contract: every method as a plan, carried out by an engine."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tocsin.model.command import Arming, Command, CommandState
from tocsin.model.contact import Condition, Contact, ContactRecord
from tocsin.model.delivery import Delivery, DeliveryKey, Due, Exchange, Outcome, Owed
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
from tocsin.store.durable_evidence import DurableEvidence
from tocsin.store.durable_inventory import DurableInventory
from tocsin.store.engines import Engine
from tocsin.store.plans import (
    accepting,
    amending,
    commanding,
    contacting,
    keeping,
    lists,
    owning,
    pruning,
    settling,
    superseding,
)
from tocsin.store.rows import kibibytes, prepare
from tocsin.store.steps import Operation


class DurableStore(DurableInventory, DurableEvidence):
    """Keeps contract.Store on any engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pruned: dict[str, pruning.Place] = {}

    async def open(self) -> None:
        await self._engine.open()

    async def aclose(self) -> None:
        await self._engine.aclose()

    def writable(self) -> bool:
        return self._engine.writable()

    async def accept(self, arrivals: Sequence[Arrival]) -> Sequence[Accepted]:
        if not arrivals:
            return []
        prepared = [prepare(arrival) for arrival in arrivals]
        weight = len(arrivals) + sum(len(one.owed) + kibibytes(one.photos) for one in arrivals)
        accepted: Sequence[Accepted] = await self._engine.write(
            Operation(accepting.accept, prepared, weight, accepting.accept_cautiously)
        )
        return accepted

    async def settle(self, outcomes: Sequence[Outcome], lease: Lease | None = None) -> Sequence[DeliveryKey]:
        if not outcomes:
            return []
        weight = sum(1 + len(outcome.exchanges) for outcome in outcomes)
        keys: Sequence[DeliveryKey] = await self._engine.write(Operation(settling.settle, (outcomes, lease), weight))
        return keys

    async def supersede(self, outcomes: Sequence[Outcome], lease: Lease | None = None) -> Sequence[DeliveryKey]:
        keys: Sequence[DeliveryKey] = await self._engine.write(
            Operation(superseding.supersede, (outcomes, lease), len(outcomes))
        )
        return keys

    async def due(
        self,
        destination: str,
        lane: Lane,
        after: int,
        limit: int,
        queue: str | None = None,
        without: Sequence[str] = (),
    ) -> Sequence[Due]:
        return await self._engine.read(lists.due(destination, lane, after, limit, queue, without))

    async def reserve(self, scope: str, count: int) -> int:
        if count < 1:
            raise ValueError(f"cannot reserve {count} numbers of {scope!r}")
        return int(await self._write(owning.reserve, owning.Reservation(scope, count)))

    async def recent_repeats(self, source: str, since: datetime) -> Sequence[tuple[bytes, datetime, int]]:
        return await self._engine.read(lists.recent_repeats(source, since))

    async def photos(self, event_seq: int) -> Sequence[Photo]:
        return await self._engine.read(lists.photos(event_seq))

    async def claim(self, subject: str, owner: str, ttl_s: float, now: datetime) -> Lease | None:
        lease: Lease | None = await self._write(owning.claim, owning.Claim(subject, owner, ttl_s, now))
        return lease

    async def release(self, lease: Lease) -> None:
        await self._write(owning.release, lease)

    async def amend(self, event: Event, photos: Sequence[Photo] = ()) -> bool:
        operation = Operation(amending.amend, amending.Amendment(event, photos), 1 + kibibytes(photos))
        return bool(await self._engine.write(operation))

    async def unhold(self, event_id: str) -> Sequence[Due]:
        dues: Sequence[Due] = await self._write(amending.unhold, event_id)
        return dues

    async def resubmit(self, key: DeliveryKey, owed: Owed, at: datetime) -> Due | None:
        due: Due | None = await self._write(amending.resubmit, amending.Resubmission(key, owed, at))
        return due

    async def discard(self, key: DeliveryKey, reason: str, at: datetime) -> bool:
        return bool(await self._write(amending.discard, amending.Discarding(key, reason, at)))

    async def link(self, digest: bytes) -> StoredLink | None:
        return await self._engine.read(lists.link(digest))

    async def revoke_link(self, event_seq: int, at: datetime) -> bool:
        return bool(await self._write(amending.revoke_link, amending.Revocation(event_seq, at)))

    async def event(self, event_id: str) -> StoredEvent | None:
        return await self._engine.read(lists.event(event_id))

    async def events(self, wanted: EventFilter) -> Sequence[StoredEvent]:
        return await self._engine.read(lists.events(wanted))

    async def deliveries_of(self, event_seqs: Sequence[int]) -> Mapping[int, Sequence[Delivery]]:
        return await self._engine.read(lists.deliveries_of(event_seqs))

    async def delivery(self, key: DeliveryKey) -> Delivery | None:
        return await self._engine.read(lists.delivery(key))

    async def deliveries(self, wanted: DeliveryFilter) -> Sequence[Delivery]:
        return await self._engine.read(lists.deliveries(wanted))

    async def trace(self, key: DeliveryKey) -> Sequence[Exchange]:
        return await self._engine.read(lists.trace(key))

    async def backlog(self, destination: str) -> Mapping[Lane, Backlog]:
        return await self._engine.read(lists.backlog(destination))

    async def last_delivered(self, destination: str) -> Delivery | None:
        return await self._engine.read(lists.last_delivered(destination))

    async def devices(self) -> Sequence[Device]:
        return await self._engine.read(lists.devices())

    async def put_device(self, device: Device) -> None:
        await self._write(keeping.put_device, device)

    async def delete_device(self, device_id: str) -> bool:
        return bool(await self._write(keeping.delete_device, device_id))

    async def request(self, commands: Sequence[Command]) -> Requested:
        """Two nodes may use one key at once: the second looks again and finds the first's."""
        weight = 2 * len(commands)
        asked: Requested = await self._engine.write(Operation(commanding.request, commands, weight, commanding.request))
        return asked

    async def fetch_commands(self, device_id: str, at: datetime) -> Sequence[Command]:
        found: Sequence[Command] = await self._write(commanding.fetch, commanding.Fetching(device_id, at))
        return found

    async def end_command(
        self, command_id: str, state: CommandState, result: str, at: datetime, arming: Arming | None = None
    ) -> Command | None:
        ending = commanding.Ending(command_id, state, result, at, arming)
        ended: Command | None = await self._write(commanding.end, ending)
        return ended

    async def expire_commands(
        self, unfetched: Sequence[str], unanswered: Sequence[str], at: datetime
    ) -> Sequence[Command]:
        ended: Sequence[Command] = await self._write(commanding.expire, commanding.Expiring(unfetched, unanswered, at))
        return ended

    async def commands(self, wanted: CommandFilter) -> Sequence[Command]:
        return await self._engine.read(commanding.commands(wanted))

    async def armings(self) -> Sequence[Arming]:
        return await self._engine.read(commanding.armings())

    async def put_arming(self, arming: Arming) -> None:
        await self._write(commanding.put_arming, arming)

    async def areas(self) -> Sequence[Area]:
        return await self._engine.read(lists.areas())

    async def delete_area(self, name: str) -> bool:
        return bool(await self._write(keeping.delete_area, name))

    async def keep(self, areas: Sequence[Area], devices: Sequence[Device]) -> None:
        await self._engine.write(
            Operation(keeping.keep, keeping.Inventory(areas, devices), 1 + len(areas) + len(devices))
        )

    async def tests(self) -> Sequence[OnTest]:
        return await self._engine.read(lists.tests())

    async def put_test(self, test: OnTest, instead_of: Sequence[str] = ()) -> None:
        await self._write(keeping.put_test, keeping.Putting(test, instead_of))

    async def end_test(self, test_id: str) -> bool:
        return bool(await self._write(keeping.end_test, test_id))

    async def contact_record(self) -> ContactRecord:
        return await self._engine.read(contacting.record())

    async def note_contacts(self, contacts: Sequence[Contact], gone: Sequence[str], listened_s: float | None) -> None:
        noting = contacting.Noting(contacts, gone, listened_s)
        await self._engine.write(Operation(contacting.note, noting, 1 + len(contacts) + len(gone)))

    async def put_conditions(self, conditions: Sequence[Condition]) -> None:
        await self._engine.write(Operation(contacting.put_conditions, conditions, len(conditions)))

    async def remember(self, name: str, text: str) -> None:
        await self._write(keeping.remember, (name, text))

    async def recall(self, name: str) -> str:
        return await self._engine.read(lists.recalled(name))

    async def audit(self, entry: AuditEntry) -> None:
        await self._write(keeping.audit, entry)

    async def audit_entries(self, limit: int) -> Sequence[AuditEntry]:
        return await self._engine.read(lists.audit_entries(limit))

    async def prune(self, retention: Retention, limit: int) -> int:
        return int(await self._write(pruning.prune, pruning.Pruning(retention, limit, self._pruned)))

    async def _write(self, plan: Any, payload: Any) -> Any:
        return await self._engine.write(Operation(plan, payload))
