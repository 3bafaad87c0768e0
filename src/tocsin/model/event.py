"""What happened, once, and the facts that travel with it."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from tocsin.model.inventory import HealthState, SourceStatus
from tocsin.model.kinds import ActorClass, Classification, Kind, State

Box = tuple[float, float, float, float]
"""x, y, width, height as fractions of the picture."""


class Actor(Struct, frozen=True, gc=False, omit_defaults=True, rename={"cls": "class"}):
    """One detected object. `box` is where in the first picture."""

    cls: ActorClass
    confidence: float | None = None
    box: Box | None = None


class Location(Struct, frozen=True, gc=False):
    """Decimal degrees, WGS 84."""

    lat: float
    lon: float


class Code(Struct, frozen=True, gc=False, omit_defaults=True):
    """The code the source itself used, passed through where the destination speaks it.

    `contact_id` is the qualifier and the event code, four digits: `1130`. `number` is the zone, user or device
    number that came with the code, digits as received; `user_number` says that it counts users.
    """

    sia: str | None = None
    contact_id: str | None = None
    number: str | None = None
    user_number: bool = False


class Address(Struct, frozen=True, gc=False, omit_defaults=True):
    """A device's number at a destination. Strings of digits and letters: leading zeros survive every hop."""

    account: str
    area: str | None = None
    zone: str | None = None
    receiver: str | None = None
    prefix: str | None = None

    def __str__(self) -> str:
        head = (f"R{self.receiver}" if self.receiver else "") + (f"L{self.prefix}" if self.prefix else "")
        area = f"|{self.area}" if self.area else ""
        return f"{head}#{self.account}{area}" + (f"-{self.zone}" if self.zone else "")


class Place(Struct, frozen=True, gc=False, omit_defaults=True):
    """The device as it was known when the event was accepted; what stations are told about it."""

    name: str = ""
    type: str = ""
    area: str = ""
    customer_id: str = ""
    description: str = ""
    time_zone: str = ""


NOWHERE = Place()


class HealthNotice(Struct, frozen=True, gc=False, omit_defaults=True, tag="health"):
    """That the state of a system's device has changed. `event_id` is the same whenever this change is told again.

    `turned`: from online to offline or back, what the profile `brief` tells. `flaps`: how many changes the last ten
    minutes saw, 0 unless there were too many. `skew_s`: how far off a source's clock is that was not believed.
    `stations`: monitoring stations are told too, not only service clouds.
    """

    system: str
    customer_id: str
    status: HealthState
    event_id: str
    previous: HealthState | Literal[""] = ""
    reason: str = ""
    turned: bool = True
    flaps: int = 0
    skew_s: float = 0.0
    stations: bool = False


class InventoryNotice(Struct, frozen=True, gc=False, tag="inventory"):
    """That a run has read what a customer has in a system. What it is, is read from the store when it is told."""

    system: str
    customer_id: str
    run: str


class SourceNotice(Struct, frozen=True, gc=False, omit_defaults=True, tag="source"):
    """How a system itself is, so that the silence of its devices can be explained (connectors.md 1.10). `devices`: how
    many of this customer's are affected.
    """

    system: str
    customer_id: str
    status: SourceStatus
    since: datetime
    error: str = ""
    devices: int = 0
    last_complete_sync: datetime | None = None
    last_event: datetime | None = None


Notice = HealthNotice | InventoryNotice | SourceNotice
ON_TEST = "on_test"


class Event(Struct, frozen=True, gc=False, omit_defaults=True):
    """One event as it is kept. Instants are aware UTC; `zone` is the event's own zone, kept beside them.

    `zone` is an IANA name or a UTC offset such as `+03:00`; empty means unknown, to be shown as UTC.
    `address` is the number the source itself brought (a panel's account, area and zone).
    `flags` names what was odd about it: unknown_device, time_absurd, time_unreadable, id_reused, raw, test …;
    `on_test` says that its area or device was on test for every destination, `on_test:arc` for this one only.
    `raw` is the source's own message where it could not be read completely, printable.
    `motion_area` are the parts of the first picture that moved.
    `link` is the token of its login-free page, empty for none. `url` is the source's own; where a destination is told
    of that page instead, `url` is the page's address and `source_url` the source's own (engine/telling.py).
    `notice` is what service clouds are told of systems and their devices.
    """

    id: str
    kind: Kind
    occurred_at: datetime
    accepted_at: datetime
    source: str
    state: State = "new"
    zone: str = ""
    device_id: str = ""
    place: Place = NOWHERE
    address: Address | None = None
    code: Code | None = None
    actors: tuple[Actor, ...] = ()
    text: str = ""
    url: str = ""
    battery: int | None = None
    signal_asu: int | None = None
    location: Location | None = None
    user: str = ""
    photos: int = 0
    photos_expected: int = 0
    classification: Classification = "done"
    flags: tuple[str, ...] = ()
    raw: str = ""
    motion_area: tuple[Box, ...] = ()
    link: str = ""
    source_url: str = ""
    notice: Notice | None = None

    @property
    def is_test(self) -> bool:
        """To be told as a test, where the format can say so."""
        return "test" in self.flags or ON_TEST in self.flags

    @property
    def under_test(self) -> bool:
        """Its area or device was on test, for whichever destination."""
        return any(flag.startswith(ON_TEST) for flag in self.flags)


class Photo(Struct, frozen=True):
    """One JPEG as it is kept. `n` counts from 1 within its event; `sha256` is of `data`, hexadecimal."""

    n: int
    data: bytes
    sha256: str
    content_type: str = "image/jpeg"
