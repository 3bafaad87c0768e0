"""What a gateway is made of: its destinations, and everything from outside."""

from typing import NamedTuple

from msgspec import Struct

from tocsin.engine.apart import Apart, at_once
from tocsin.engine.backoff import Retry
from tocsin.engine.contacts import ContactRules
from tocsin.engine.contracts import Clock, Destination, Randomness
from tocsin.engine.intake import PhotoCheck
from tocsin.engine.inventory.book import InventoryBook
from tocsin.engine.retention import RetentionAges
from tocsin.engine.routing import Filter
from tocsin.store.contract import Store
from tocsin.telemetry.record import Recorder


class Member(Struct, frozen=True):
    """One configured destination with what the engine must know of it besides its own contract.

    `links`: it is told the addresses of events' login-free pages; `says_test`: its format can say that an event is a
    test.
    """

    destination: Destination
    type: str
    title: str
    filter: Filter = Filter()
    retry: Retry = Retry()
    hold_s: float = 10.0
    wants_photos: bool = False
    insecure: bool = False
    links: bool = False
    says_test: bool = False
    cloud: bool = False
    """A service cloud: it is told of inventories and health, not of alarms."""
    most: int = 0
    """How many deliveries to a cloud may wait before only the newest states are kept; 0: any number."""


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
    contacts: ContactRules = ContactRules()
    shared: bool = False
    """Other nodes accept events into the same store."""
    link_life_s: float = 12 * 3600.0
    """How long an event's link is good after the last delivery that carries it."""
    book: InventoryBook | None = None
    apart: Apart = at_once
