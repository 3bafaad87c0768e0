"""One event owed to one destination, its attempts, and the proof that ended it."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from tocsin.model.event import Event
from tocsin.model.kinds import Lane

DeliveryState = Literal[
    "pending", "held", "retrying", "delivered", "rejected", "expired", "discarded", "superseded", "filtered"
]
OPEN_STATES: frozenset[str] = frozenset({"pending", "held", "retrying"})


class DeliveryKey(Struct, frozen=True, order=True):
    """Which delivery: the event's place in the store and the destination's name. Printed as `4711.arc`."""

    event_seq: int
    destination: str

    def __str__(self) -> str:
        return f"{self.event_seq}.{self.destination}"

    @classmethod
    def parse(cls, text: str) -> "DeliveryKey":
        """Read the printed form. Raises ValueError."""
        seq, dot, destination = text.partition(".")
        if not (dot and destination and seq.isascii() and seq.isdigit() and len(seq) <= 18):
            raise ValueError(f"{text!r} is no delivery id: expected the form 4711.arc")
        return cls(int(seq), destination)


class Owed(Struct, frozen=True):
    """What routing decided for one destination, before it is stored.

    `address` is the address in the destination type's own printed form. `queue` names the line in which order is
    kept (for DC-09 the account, for a webhook the device). `number` is the running number given by the destination's
    counter, 0 when it has none. `state` is pending, held (until `due_at`), filtered or rejected, the last two
    with `reason`.
    """

    destination: str
    lane: Lane
    state: DeliveryState = "pending"
    address: str = ""
    queue: str = ""
    number: int = 0
    due_at: datetime | None = None
    reason: str = ""


class Delivery(Struct, frozen=True):
    """One row of the outbox, as anyone outside the pump sees it."""

    key: DeliveryKey
    event_id: str
    lane: Lane
    state: DeliveryState
    address: str
    queue: str
    number: int
    attempts: int
    accepted_at: datetime
    due_at: datetime | None = None
    delivered_at: datetime | None = None
    host: str = ""
    receipt: str = ""
    reason: str = ""


class Due(Struct, frozen=True):
    """A delivery with its event, as the pump holds it and hands it to a destination."""

    key: DeliveryKey
    lane: Lane
    address: str
    queue: str
    number: int
    event: Event
    attempts: int = 0
    due_at: datetime | None = None
    """Not before this instant; None: at once."""


class Receipt(Struct, frozen=True):
    """The proof that a destination took an event: which host, and its answer in readable form."""

    host: str
    answer: str


class Exchange(Struct, frozen=True):
    """One try at one host: what was sent and what came back, bounded, secrets masked.

    `result` is delivered, refused, resync, silent, broken, unreachable, retry or note. `sent` and `answer` are
    printable (control bytes as `<LF>`, `<0A>`); `note` is for the technician, such as the clear text of an encrypted
    frame.
    """

    at: datetime
    host: str
    result: str
    sent: str = ""
    answer: str = ""
    note: str = ""


class Outcome(Struct, frozen=True):
    """What an attempt changed about a delivery; stored together with its exchanges."""

    key: DeliveryKey
    state: DeliveryState
    attempts: int
    at: datetime
    due_at: datetime | None = None
    host: str = ""
    receipt: str = ""
    reason: str = ""
    exchanges: tuple[Exchange, ...] = ()
