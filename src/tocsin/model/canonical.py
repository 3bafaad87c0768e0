"""Devices of on-prem systems as the gateway keeps and tells them (connectors.md 1.3), and the runs that read them.

Of some there are hundreds of thousands: being frozen they form no circles, so the garbage collector need not look at
them (`gc=False`); its looking would stop everything for seconds.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from tocsin.model.command import Order
from tocsin.model.inventory import Basis, DeviceType, HealthState, Reason

RemovalReason = Literal["absent_from_source", "excluded_by_rule", "customer_changed", "system_removed"]
RunState = Literal["queued", "running", "succeeded", "partial", "held", "failed"]
Trigger = Literal["schedule", "manual", "rpc", "event"]
Attribute = str | int | float | bool


class Health(Struct, frozen=True, omit_defaults=True, gc=False):
    """What is known of a device's state: since when, when it was last confirmed, and how it is known."""

    state: HealthState
    as_of: datetime
    basis: Basis
    since: datetime | None = None
    reason: Reason | None = None
    detail: str = ""


class DeviceRecord(Struct, frozen=True, omit_defaults=True, gc=False):
    """One device in canonical form: every text clean and bounded. `customer_id` empty: nobody's, so not sent."""

    id: str
    name: str
    type: DeviceType
    system: str
    kind: str
    native_key: str
    customer_id: str = ""
    subtype: str = ""
    mac_address: str = ""
    ip: str = ""
    hostname: str = ""
    location: str = ""
    last_seen: datetime | None = None
    site_id: str = ""
    parent_id: str = ""
    channel: int | None = None
    attributes: dict[str, Attribute] = {}
    orders: tuple[Order, ...] = ()


class Removal(Struct, frozen=True, gc=False):
    """That a customer's device is gone. A device that moved to another customer is gone for the first."""

    id: str
    customer_id: str
    removed_at: datetime
    reason: RemovalReason


class KeptDevice(Struct, frozen=True, omit_defaults=True, gc=False):
    """A record with its bookkeeping. `updated_at`: when anything of it changed last. `removal` is set on a tombstone;
    `left` are customers it was taken from.
    """

    record: DeviceRecord
    content_hash: str
    first_seen: datetime
    updated_at: datetime
    health: Health | None = None
    missing_count: int = 0
    removal: Removal | None = None
    left: tuple[Removal, ...] = ()


class Counts(Struct, frozen=True):
    """What a run met. `withheld`: left out by type or rule; `unmapped`: nobody's; `invalid`: not understood."""

    seen: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    missing: int = 0
    withheld: int = 0
    unmapped: int = 0
    invalid: int = 0


class Difference(Struct, frozen=True):
    """One line of what a run changes. `what`: + added, - removed, ~ changed, ? missing but kept for now."""

    what: Literal["+", "-", "~", "?"]
    id: str
    name: str
    detail: str = ""


class Run(Struct, frozen=True, omit_defaults=True):
    """One reading of a system's inventory. `notes` say what made it partial or held; `error` why it failed."""

    id: str
    system: str
    trigger: Trigger
    state: RunState
    started_at: datetime
    finished_at: datetime | None = None
    dry_run: bool = False
    accept_removals: bool = False
    why: str = ""
    counts: Counts = Counts()
    notes: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    error: str = ""
    error_class: str = ""

    @property
    def ended(self) -> bool:
        return self.finished_at is not None


class SystemStanding(Struct, frozen=True, omit_defaults=True):
    """What is remembered of a system between its runs. `held`: ids whose removal waits; `agreed`: further complete
    runs that missed them too.
    """

    system: str
    last_complete_sync: datetime | None = None
    last_run: str = ""
    held: tuple[str, ...] = ()
    agreed: int = 0
