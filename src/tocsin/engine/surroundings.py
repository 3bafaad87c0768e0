"""What a pump and its supervision work with."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from tocsin.engine.contracts import Clock, Randomness
from tocsin.model.delivery import Outcome
from tocsin.model.event import Photo
from tocsin.store.contract import Store
from tocsin.telemetry.record import Recorder


class PumpParts(NamedTuple):
    """What a pump works with. `link_changed` is told of every outage's announcement and end: reason, or "" for up.

    `photos` has an event's pictures, by its number and how many it is known to have.
    """

    store: Store
    clock: Clock
    randomness: Randomness
    record: Recorder
    node: str
    lease_ttl_s: float
    link_changed: Callable[[str, str], None]
    settled: Callable[[Sequence[Outcome]], None]
    photos: Callable[[int, int], Awaitable[Sequence[Photo]]]
