"""What the simulation knows to be true, kept beside the gateway: who was told what, and what was promised.

Every station, sender and the observed store write here; what breaks a promise is noted as a violation at once.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from tocsin.model.delivery import OPEN_STATES, DeliveryKey, Due, Outcome
from tocsin.model.event import Event
from tocsin.model.kinds import Lane
from tocsin.store.contract import Accepted

GRACE_S = 1.0
"""An alarm counts as waiting once it has been known for this long; a store that failed within it excuses a delay."""


@dataclass
class Line:
    """One open delivery as the ledger sees it. `not_before`: it waits for its retry, or for late photos.

    `tried`: an attempt has ended and what it changed is not written yet.
    """

    lane: Lane
    queue: str
    known_at: datetime
    not_before: datetime | None
    tried: bool = False


@dataclass
class Appearance:
    """A station took an event: for the first time, in this place of its line."""

    seq: int
    lane: Lane
    queue: str


@dataclass
class Ledger:
    expires_s: dict[str, float] = field(default_factory=dict)
    """Per destination: what is older than this is not waiting, it is given up."""
    events: dict[int, Event] = field(default_factory=dict)
    promised: dict[str, int] = field(default_factory=dict)
    """Event ids whose acceptance was told to a sender, with their place in the store."""
    owed: dict[DeliveryKey, str] = field(default_factory=dict)
    """Every delivery routing decided on, with its first state."""
    waiting: dict[str, dict[int, Line]] = field(default_factory=dict)
    lines: dict[str, dict[tuple[Lane, str], dict[int, None]]] = field(default_factory=dict)
    """The same by lane and queue, each in the order of acceptance."""
    under_way: dict[str, dict[int, str]] = field(default_factory=dict)
    first_seen: dict[str, list[Appearance]] = field(default_factory=dict)
    taken: set[DeliveryKey] = field(default_factory=set)
    closed: set[DeliveryKey] = field(default_factory=set)
    by_hand: set[DeliveryKey] = field(default_factory=set)
    """Opened again or closed by a person: their order is the person's."""
    repeats: int = 0
    violations: list[str] = field(default_factory=list)
    store_failed_at: datetime | None = None
    started_at: datetime | None = None
    _print: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    @property
    def fingerprint(self) -> str:
        """Of everything that happened, in order: equal for equal seeds."""
        return self._print.hexdigest()[:16]

    def note(self, *what: object) -> None:
        self._print.update(repr(what).encode())

    def broken(self, promise: str) -> None:
        self.violations.append(promise)

    # The store's side

    def accepted(self, accepted: Accepted, now: datetime) -> None:
        if accepted.duplicate:
            return
        seq, event = accepted.seq, accepted.event
        self.note("accepted", seq, event.id, event.kind)
        if seq in self.events:
            self.broken(f"place {seq} was given twice")
        self.events[seq] = event
        for owed in accepted.owed:
            self.owed[DeliveryKey(seq, owed.destination)] = owed.state
            if owed.state in OPEN_STATES:
                self._wait(owed.destination, seq, Line(owed.lane, owed.queue, now, owed.due_at))

    def settling(self, outcome: Outcome) -> None:
        waiting = self.waiting.get(outcome.key.destination, {})
        line = waiting.get(outcome.key.event_seq)
        if line is None:
            return
        if outcome.state in OPEN_STATES:
            line.not_before, line.tried = outcome.due_at, False
        else:
            self._wait_no_more(outcome.key)

    def due_now(self, destination: str, seq: int) -> None:
        """Late additions came: it waits no longer."""
        if line := self.waiting.get(destination, {}).get(seq):
            line.not_before = None

    def closed_by_hand(self, key: DeliveryKey) -> None:
        self.by_hand.add(key)
        self.closed.add(key)
        self._wait_no_more(key)

    def opened_by_hand(self, key: DeliveryKey, due: Due, now: datetime) -> None:
        self.by_hand.add(key)
        self.closed.discard(key)
        self._wait(key.destination, key.event_seq, Line(due.lane, due.queue, now, due.due_at))

    # The stations' side

    def begins(self, due: Due, now: datetime) -> None:
        """An attempt starts: nothing more urgent may be standing ready, and the line must be free."""
        name, seq = due.key.destination, due.key.event_seq
        busy = self.under_way.setdefault(name, {})
        if due.queue in busy.values():
            self.broken(f"{due.key}: two deliveries of queue {due.queue!r} at once")
        if due.key in self.closed:
            self.broken(f"{due.key} is sent although a person discarded it")
        if not self._excused(now):
            for urgent in self._ready_before(name, due.lane, busy, now):
                self.broken(f"{due.key} ({due.lane.label}) is sent while the more urgent {urgent}.{name} is waiting")
                break
        busy[seq] = due.queue
        known = self.events.get(seq)
        if known is None or known.id != due.event.id:
            self.broken(f"{due.key}: the station is told of an event that was never kept")

    def ends(self, due: Due) -> None:
        self.under_way.get(due.key.destination, {}).pop(due.key.event_seq, None)
        if line := self.waiting.get(due.key.destination, {}).get(due.key.event_seq):
            line.tried = True

    def received(self, due: Due) -> None:
        """The station has it; whether its answer arrives is another matter."""
        self.note("received", str(due.key), due.address)
        if due.key in self.taken:
            self.repeats += 1
            return
        self.taken.add(due.key)
        first = self.first_seen.setdefault(due.key.destination, [])
        first.append(Appearance(due.key.event_seq, due.lane, due.queue))

    def stopped(self) -> None:
        """The process is gone with everything it had under way."""
        self.under_way.clear()
        for lines in self.waiting.values():
            for line in lines.values():
                line.tried = False

    def _excused(self, now: datetime) -> bool:
        recent = [at for at in (self.store_failed_at, self.started_at) if at is not None]
        return any((now - at).total_seconds() < 10 * GRACE_S for at in recent)

    def _ready_before(self, name: str, lane: Lane, busy: dict[int, str], now: datetime) -> Iterator[int]:
        """The heads of more urgent lines that could have gone."""
        for (line_lane, queue), members in self.lines.get(name, {}).items():
            if line_lane >= lane or not members or queue in busy.values():
                continue
            seq = next(iter(members))
            line = self.waiting[name][seq]
            known_s = (now - line.known_at).total_seconds()
            waits = line.not_before is not None and (now - line.not_before).total_seconds() < GRACE_S
            old = (now - self.events[seq].accepted_at).total_seconds() > self.expires_s[name]
            # What a person opened again stands at the end of its queue, until a restart puts it in its old place.
            by_hand = any(DeliveryKey(member, name) in self.by_hand for member in members)
            if known_s >= GRACE_S and not (waits or old or by_hand or line.tried):
                yield seq

    def _wait(self, name: str, seq: int, line: Line) -> None:
        self.waiting.setdefault(name, {})[seq] = line
        self.lines.setdefault(name, {}).setdefault((line.lane, line.queue), {})[seq] = None

    def _wait_no_more(self, key: DeliveryKey) -> None:
        line = self.waiting.get(key.destination, {}).pop(key.event_seq, None)
        if line is not None:
            del self.lines[key.destination][line.lane, line.queue][key.event_seq]

    # At the end

    def order(self) -> None:
        """First appearances rise within every destination, queue and lane."""
        for name, appearances in self.first_seen.items():
            last: dict[tuple[str, Lane], int] = {}
            for one in appearances:
                if DeliveryKey(one.seq, name) in self.by_hand:
                    continue
                before = last.get((one.queue, one.lane), 0)
                if one.seq < before:
                    self.broken(f"{name}: {one.seq} came after {before} in queue {one.queue!r}, {one.lane.label}")
                last[one.queue, one.lane] = max(before, one.seq)
