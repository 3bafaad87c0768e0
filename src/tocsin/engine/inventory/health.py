"""One device's health: which of two states is newer, what is told, and what is held back. Pure.

connectors.md 1.6, 1.7, 2.5, 2.6. Time is an argument everywhere.
"""

import uuid
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from tocsin.engine.inventory.normal import clean, instant_text
from tocsin.engine.inventory.telling import wire_status
from tocsin.model.canonical import Health
from tocsin.model.inventory import FoundState, HealthState

SPACE = uuid.UUID("6f0c1d2e-5c5a-5f0e-9f57-0d6c1f0a7b11")
SOURCE_CLOCK_LIMIT = timedelta(hours=24)
FLAPPING_WINDOW = timedelta(minutes=10)
FLAPPING_ABOVE = 6
FLAPPING_EVERY = timedelta(minutes=1)
LONGEST_DETAIL = 200
MOST_CHANGES = 50


class Reported(Struct, frozen=True, gc=False):
    """A state as it came in. `source_at`: by the source's own clock, if it said so; `known_at`: by ours, for a baseline
    when it was begun. The two clocks are never compared with each other.
    """

    health: Health
    known_at: datetime
    source_at: datetime | None = None
    skew_s: float = 0.0


class Transition(Struct, frozen=True):
    """One change to be told. `turned`: from online to offline or back. `flaps`: how many changes the last ten minutes
    saw, 0 when it is not flapping.
    """

    device_id: str
    before: HealthState | None
    health: Health
    at: datetime
    turned: bool
    skew_s: float = 0.0
    flaps: int = 0


def reported(found: FoundState, received: datetime, began: datetime | None = None) -> Reported:
    """`began`: the value is of a baseline that was begun then. A source's time is not believed for an event more than a
    day off (1.7), nor in the future; a baseline may know of a state that began long ago.
    """
    since, skew_s = found.since, 0.0
    if since is not None and (
        since - received > SOURCE_CLOCK_LIMIT or (began is None and received - since > SOURCE_CLOCK_LIMIT)
    ):
        skew_s, since = (since - received).total_seconds(), None
    known_at = began or received
    detail = clean(found.detail, LONGEST_DETAIL)
    health = Health(found.state, received, found.basis, since or known_at, found.reason, detail)
    return Reported(health, known_at, since, skew_s)


def event_id(system: str, device_id: str, status: str, at: datetime) -> str:
    """The same whenever the same change is told again (1.7)."""
    return str(uuid.uuid5(SPACE, "\0".join((system, device_id, status, instant_text(at)))))


class DeviceHealth:
    """What is known of one device, and what was told of it."""

    __slots__ = (
        "_changes", "_failures", "_last_told", "_newest", "_waits_until", "_wire", "device_id", "health", "told",
    )  # fmt: skip

    def __init__(self, device_id: str, health: Health | None) -> None:
        self.device_id = device_id
        self.health = health
        self.told: HealthState | None = health.state if health else None
        self._wire = wire_status(health)
        self._newest: Reported | None = None
        self._failures = 0
        self._changes: tuple[datetime, ...] = ()
        self._last_told: datetime | None = None
        self._waits_until: datetime | None = None

    def take(self, new: Reported, hold: timedelta = timedelta(), fail_threshold: int = 1) -> bool:
        """Whether the state changed. What is older than what is known changes nothing."""
        before = self.health
        if before is not None and before.state == new.health.state:
            self._confirm(before, new)
            return False
        if self._older(new) or self._not_yet(new, fail_threshold):
            return False
        self._newest, self.health = new, new.health
        if before is None:
            self.told, self._wire = new.health.state, wire_status(new.health)
        else:
            self._changes = (*self._changes[-MOST_CHANGES:], new.health.as_of)
        hurry = new.health.state != "offline" or not hold
        self._waits_until = None if hurry else new.health.as_of + hold
        return True

    def due(self, now: datetime) -> Transition | None:
        """The change to be told now, if any: the newest state, once, unless it has gone back meanwhile."""
        health = self.health
        if health is None or health.state == self.told or (self._waits_until is not None and now < self._waits_until):
            return None
        flaps = self._flaps(now)
        if flaps and self._last_told is not None and now - self._last_told < FLAPPING_EVERY:
            return None
        wire = wire_status(health)
        at, skew_s = health.since or health.as_of, self._newest.skew_s if self._newest else 0.0
        return Transition(self.device_id, self.told, health, at, bool(wire) and wire != self._wire, skew_s, flaps)

    def done(self, transition: Transition, now: datetime) -> None:
        """It is on disk."""
        self.told = transition.health.state
        self._wire = wire_status(transition.health) or self._wire
        self._last_told = now

    @property
    def waiting(self) -> bool:
        """Whether there is a change that was not told yet."""
        return self.health is not None and self.health.state != self.told

    def _confirm(self, before: Health, new: Reported) -> None:
        self._failures = 0
        if self._newest is None or not self._older(new):
            self._newest = new
        self.health = replace(
            before, as_of=max(before.as_of, new.health.as_of), reason=new.health.reason or before.reason
        )

    def _older(self, new: Reported) -> bool:
        """connectors.md 2.5, 3: the newest source time wins, an event over a baseline of the same instant; where one of
        both has none, what the gateway learned later.
        """
        known = self._newest
        if known is None:
            return False
        if known.source_at is not None and new.source_at is not None:
            mine, other = known.source_at, new.source_at
        else:
            mine, other = known.known_at, new.known_at
        return other < mine or (other == mine and _is_event(known.health) and not _is_event(new.health))

    def _not_yet(self, new: Reported, fail_threshold: int) -> bool:
        """Polled devices need several failures in a row to be offline, and one success to be online (2.6)."""
        if new.health.basis != "poll" or new.health.state != "offline":
            self._failures = 0
            return False
        self._failures += 1
        return self._failures < fail_threshold

    def _flaps(self, now: datetime) -> int:
        self._changes = tuple([at for at in self._changes if now - at <= FLAPPING_WINDOW])
        return len(self._changes) if len(self._changes) > FLAPPING_ABOVE else 0


def _is_event(health: Health) -> bool:
    return health.basis in ("event", "inherited")
