"""What the rest of the house may ask of the store. SQLite and PostgreSQL both keep it, proved by one test suite.

Every method that writes returns when the change is on disk (group commit: many callers share one transaction), or
raises `StoreUnavailable`, in which case nothing may be acknowledged. A failed commit is never repeated by the store
itself: the caller asks again, and the event's id settles whether the first try was kept after all.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from tocsin.model.command import Arming, Command, CommandState
from tocsin.model.contact import Condition, Contact, ContactRecord
from tocsin.model.delivery import Delivery, DeliveryKey, DeliveryState, Due, Exchange, Outcome, Owed
from tocsin.model.device import Area, Device
from tocsin.model.event import Event, Photo
from tocsin.model.kinds import Lane
from tocsin.model.on_test import OnTest
from tocsin.store.evidence import EvidenceStore
from tocsin.store.inventory import InventoryStore
from tocsin.store.lease import Lease as Lease


class StoreError(Exception):
    """Anything the store has to say against a request."""


class StoreUnavailable(StoreError):
    """Not on disk: disk full, failed sync, database gone. The store reopens by itself; ask again later."""


class StoreTooNew(StoreError):
    """The database was written by a newer program; the sentence says which version is needed."""


class Arrival(Struct, frozen=True):
    """One event with everything that must become durable with it, in one transaction.

    An event whose `event.id` came from its source carries `digest`, of its content, and `alternate_id`. If the
    id is taken: the same source, device and digest make it a duplicate; anything else is a new event kept
    under `alternate_id`, flagged `id_reused` when source and device are the same.
    An event with a `link` can be found by the SHA-256 of that token from then on (`Store.link`).
    An event whose id the gateway made has an empty digest and is never a duplicate here.
    """

    event: Event
    photos: Sequence[Photo]
    owed: Sequence[Owed]
    digest: bytes = b""
    alternate_id: str = ""
    repeat_key: bytes = b""
    """What a source recognises repeats by (dc09.md 13.3); kept so that `recent_repeats` survives a restart."""
    condition: Condition | None = None
    """What this event tells of its device's connection or battery; unless something later was told before."""


class Accepted(Struct, frozen=True):
    """The event is on disk: as it was kept, at which place, or which earlier one it repeats."""

    event: Event
    seq: int
    duplicate: bool = False
    owed: Sequence[Owed] = ()
    """What was stored with this event; empty for a duplicate."""


class EventFilter(Struct, frozen=True):
    """Newest first, seen from `before` (a seq) backwards. Empty fields do not filter."""

    limit: int = 50
    before: int | None = None
    kind: str = ""
    device_id: str = ""
    source: str = ""
    area: str = ""
    since: datetime | None = None
    areas: frozenset[str] | None = None
    """Restrict to these areas (a narrowed token); None: no restriction."""
    devices: frozenset[str] | None = None


class DeliveryFilter(Struct, frozen=True):
    """Newest first, seen from `before` backwards."""

    limit: int = 50
    before: int | None = None
    destination: str = ""
    states: frozenset[DeliveryState] = frozenset()


class StoredEvent(Struct, frozen=True):
    seq: int
    event: Event


class StoredLink(Struct, frozen=True):
    """An event's link as it is kept, found by the `digest` of its token."""

    digest: bytes
    stored: StoredEvent
    revoked_at: datetime | None = None


class Backlog(Struct, frozen=True):
    """What one destination still owes in one lane."""

    pending: int
    oldest: datetime | None


class Retention(Struct, frozen=True):
    """Delete what is older than these instants. Events with open deliveries and open jobs are never deleted; closed
    jobs go with the audit.
    """

    events_before: datetime
    photos_before: datetime
    receipts_before: datetime
    audit_before: datetime
    custody_before: datetime | None = None
    """Custody logs lose their oldest lines, never the last one; None: nothing goes."""


class AuditEntry(Struct, frozen=True):
    """Who did what, from where, with which result."""

    at: datetime
    who: str
    action: str
    subject: str
    source_address: str = ""
    result: str = ""


class CommandFilter(Struct, frozen=True):
    """Newest first, seen from `before` (an id) backwards. Empty fields do not filter."""

    limit: int = 50
    before: str = ""
    command_id: str = ""
    request_id: str = ""
    device_id: str = ""
    states: frozenset[CommandState] = frozenset()


class Requested(Struct, frozen=True):
    """The commands are on disk. `replaced`: those not fetched yet that gave way to them.

    `repeated`: nothing new; the same one has used the idempotency key before, for `commands`.
    """

    commands: tuple[Command, ...]
    replaced: tuple[Command, ...] = ()
    repeated: bool = False


class Store(InventoryStore, EvidenceStore, Protocol):
    """See the module's first lines. All instants are aware UTC."""

    async def open(self) -> None:
        """Create or migrate the database. Raises StoreTooNew, StoreUnavailable."""

    async def aclose(self) -> None: ...

    def writable(self) -> bool:
        """False between a failed commit and a successful reopening."""

    # What the way of an event needs
    async def accept(self, arrivals: Sequence[Arrival]) -> Sequence[Accepted]:
        """Keep events, photos and deliveries; answers in the order asked. All of `arrivals` or none."""

    async def settle(self, outcomes: Sequence[Outcome], lease: Lease | None = None) -> Sequence[DeliveryKey]:
        """Write what attempts changed, with their exchanges. Returns the keys written.

        Left out: deliveries that are no longer open (someone discarded them), and, when `lease` is given and is no
        longer
        the newest epoch of its subject, all of them.
        """

    async def supersede(self, outcomes: Sequence[Outcome], lease: Lease | None = None) -> Sequence[DeliveryKey]:
        """Like `settle`, for deliveries that newer ones make needless; an event that nobody else is or was told of is
        forgotten with its delivery.
        """

    async def due(
        self,
        destination: str,
        lane: Lane,
        after: int,
        limit: int,
        queue: str | None = None,
        without: Sequence[str] = (),
    ) -> Sequence[Due]:
        """Open deliveries with event_seq above `after`, in that order; of one queue only if given; not of those
        `without`.
        """

    async def reserve(self, scope: str, count: int) -> int:
        """Reserve `count` numbers of a counter for ever; returns the first. Counters start at 1."""

    async def recent_repeats(self, source: str, since: datetime) -> Sequence[tuple[bytes, datetime, int]]:
        """Repeat keys of events accepted from a source since then, with their instants and places (seq)."""

    async def photos(self, event_seq: int) -> Sequence[Photo]: ...

    async def claim(self, subject: str, owner: str, ttl_s: float, now: datetime) -> Lease | None:
        """Take or renew the right to a subject; None while another owner's lease lasts. A take-over raises the
        epoch.
        """

    async def release(self, lease: Lease) -> None: ...

    # Late additions
    async def amend(self, event: Event, photos: Sequence[Photo] = ()) -> bool:
        """Replace an event's body (same id) and add photos; False if it is not there."""

    async def unhold(self, event_id: str) -> Sequence[Due]:
        """Held deliveries of an event become due at once; returns them with the event as it is now."""

    async def resubmit(self, key: DeliveryKey, owed: Owed, at: datetime) -> Due | None:
        """Open a delivery that was set aside, expired or discarded, with the address of now; None if it is not
        closed so.
        """

    async def discard(self, key: DeliveryKey, reason: str, at: datetime) -> bool:
        """Close an open or set-aside delivery by hand; False if it was not there or already ended otherwise."""

    # Links to events
    async def link(self, digest: bytes) -> StoredLink | None:
        """The link whose token has this SHA-256, unless the event is past retention."""

    async def revoke_link(self, event_seq: int, at: datetime) -> bool:
        """From now on the event's link is no longer good; False if it has none or it was revoked before."""

    # What people ask
    async def event(self, event_id: str) -> StoredEvent | None: ...

    async def events(self, wanted: EventFilter) -> Sequence[StoredEvent]: ...

    async def deliveries_of(self, event_seqs: Sequence[int]) -> Mapping[int, Sequence[Delivery]]: ...

    async def delivery(self, key: DeliveryKey) -> Delivery | None: ...

    async def deliveries(self, wanted: DeliveryFilter) -> Sequence[Delivery]: ...

    async def trace(self, key: DeliveryKey) -> Sequence[Exchange]:
        """Exchanges of a delivery, oldest first."""

    async def backlog(self, destination: str) -> Mapping[Lane, Backlog]:
        """Open deliveries per lane, counted from the index."""

    async def last_delivered(self, destination: str) -> Delivery | None: ...

    # Areas, devices, what is on test, and audit
    async def devices(self) -> Sequence[Device]: ...

    async def put_device(self, device: Device) -> None: ...

    async def delete_device(self, device_id: str) -> bool: ...

    # Commands: every change of state is written together with its audit entry
    async def request(self, commands: Sequence[Command]) -> Requested:
        """Keep the commands of one order, all or none; their idempotency key is one, or empty."""

    async def fetch_commands(self, device_id: str, at: datetime) -> Sequence[Command]:
        """What the device must do, oldest first: new orders become `sent`, unanswered ones come again. Nothing past its
        time. With an order to arm, a disarm without confirmed end ends now.
        """

    async def end_command(
        self, command_id: str, state: CommandState, result: str, at: datetime, arming: Arming | None = None
    ) -> Command | None:
        """The device's word on a command that takes a result, and what it leaves armed, unless a later arming order was
        confirmed before. Returns the command as it is then; None: there is none.
        """

    async def expire_commands(
        self, unfetched: Sequence[str], unanswered: Sequence[str], at: datetime
    ) -> Sequence[Command]:
        """End those that are still requested, and still sent. Returns those that were."""

    async def commands(self, wanted: CommandFilter) -> Sequence[Command]: ...

    async def armings(self) -> Sequence[Arming]: ...

    async def put_arming(self, arming: Arming) -> None: ...

    async def areas(self) -> Sequence[Area]: ...

    async def delete_area(self, name: str) -> bool: ...

    async def keep(self, areas: Sequence[Area], devices: Sequence[Device]) -> None:
        """Write many, all of them or none. No name and no id may be given twice."""

    async def tests(self) -> Sequence[OnTest]:
        """What was put on test and not ended yet, oldest first."""

    async def put_test(self, test: OnTest, instead_of: Sequence[str] = ()) -> None:
        """Keep it, and forget those whose ids are given."""

    async def end_test(self, test_id: str) -> bool:
        """Forget it; False if it was ended before."""

    async def contact_record(self) -> ContactRecord: ...

    async def note_contacts(self, contacts: Sequence[Contact], gone: Sequence[str], listened_s: float | None) -> None:
        """These devices were heard, those are gone; `listened_s` None: another node counts the listening time."""

    async def put_conditions(self, conditions: Sequence[Condition]) -> None:
        """What devices themselves have told of their connection or battery."""

    async def remember(self, name: str, text: str) -> None:
        """One short text under a name, instead of the one before."""

    async def recall(self, name: str) -> str:
        """The text last remembered under the name; empty if there is none."""

    async def audit(self, entry: AuditEntry) -> None: ...

    async def audit_entries(self, limit: int) -> Sequence[AuditEntry]: ...

    async def prune(self, retention: Retention, limit: int) -> int:
        """Delete at most `limit` rows per class past retention; returns how many rows went."""
