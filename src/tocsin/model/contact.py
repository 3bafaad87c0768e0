"""When a device was last heard, and what stations were last told of its connection and its battery."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

Matter = Literal["connection", "battery"]
Status = Literal["online", "offline", "unknown"]
"""`unknown`: nothing is expected of the device (no `routine`), or it was not heard yet."""


class Contact(Struct, frozen=True):
    """The last sign of life. `heard_on` is the gateway's listening time then, in seconds (engine/listening.py);
    `heard_at` None: never heard, expected since `heard_on`.
    """

    device_id: str
    heard_on: float
    heard_at: datetime | None = None
    battery: int | None = None


class Condition(Struct, frozen=True):
    """What was told last of one matter: connection "good" or "lost", battery "good", "low" or "critical".

    `n` counts the changes, for ever: of two that say something of one device and matter, the higher is later.
    """

    device_id: str
    matter: Matter
    state: str = "good"
    n: int = 0


class ContactRecord(Struct, frozen=True):
    """Everything kept of contacts. `listened_s`: how long the gateway has listened in all."""

    listened_s: float = 0.0
    contacts: tuple[Contact, ...] = ()
    conditions: tuple[Condition, ...] = ()
