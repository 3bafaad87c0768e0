"""Deleting what is past retention, in small bites.

An event past its time loses its body, photos and exchanges; its row stays, so that receipts, which are kept longer,
still name it, and goes with the last of them. Nothing of an event with open deliveries is touched. The newest event's
row always stays: the next sequence number is counted from it.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from tocsin.model.ids import ulid
from tocsin.store.contract import Retention
from tocsin.store.plans.evidencing import prune_custody, prune_jobs
from tocsin.store.rows import microseconds
from tocsin.store.steps import Query, Steps, each

WINDOW = 4096
"""Rows looked at in one step of the search."""
STEPS = 8
"""Steps of the search before giving up for this time."""


class Place(Struct):
    """Where the search for old rows of one class goes on. `skipped`: the first event left because it is open."""

    after: int = 0
    skipped: int | None = None

    def wrap(self) -> None:
        """The search has come to what is young: it goes on there next time, or at what it had to leave."""
        if self.skipped is not None:
            self.after = min(self.after, self.skipped - 1)
        self.skipped = None


class Candidate(Struct, frozen=True, array_like=True):
    """An event with rows of the class looked for. `rows`: how many; 0: nothing left to delete here."""

    seq: int
    old: int
    open: int
    rows: int


class Pruning(Struct, frozen=True):
    """`places` is kept by the store between the bites, by class."""

    retention: Retention
    limit: int
    places: dict[str, Place]


def _prune(pruning: Pruning) -> Steps[int]:
    retention, limit = pruning.retention, pruning.limit
    before = {
        "photos": retention.photos_before,
        "events": retention.events_before,
        "receipts": retention.receipts_before,
    }
    gone = 0
    for name, drop in _CLASSES.items():
        place = pruning.places.setdefault(name, Place())
        chosen = yield from _search(place, f"old_{name}", microseconds(before[name]), limit)
        if chosen:
            yield from drop([candidate.seq for candidate in chosen])
            gone += sum(candidate.rows for candidate in chosen)
    gone += yield from _prune_audit(microseconds(retention.audit_before), limit)
    gone += yield from _prune_commands(retention.audit_before, limit)
    gone += yield from prune_jobs(retention.audit_before, limit)
    return gone + (yield from prune_custody(retention.custody_before, limit))


def _prune_audit(before: int, limit: int) -> Steps[int]:
    [(count, last)] = yield Query("old_audit", (before, limit))
    if count:
        yield Query("drop_audit", (before, last))
    return int(count)


def _prune_commands(before: datetime, limit: int) -> Steps[int]:
    """Kept as long as the audit that names them."""
    oldest = ulid(int(before.timestamp() * 1000), 0)
    return len((yield Query("drop_commands", (oldest, limit))))


def _search(place: Place, query: str, before: int, limit: int) -> Steps[list[Candidate]]:
    for _ in range(STEPS):
        rows = yield Query(query, (before, place.after, WINDOW))
        chosen, seen_all = _choose(place, [Candidate(*row) for row in rows], limit)
        if seen_all and len(rows) < WINDOW:
            place.wrap()
        if chosen or len(rows) < WINDOW:
            return chosen
    return []


def _choose(place: Place, candidates: Sequence[Candidate], limit: int) -> tuple[list[Candidate], bool]:
    """Events whose rows go now, and whether all candidates were looked at; moves the place on."""
    chosen: list[Candidate] = []
    for candidate in candidates:
        if not candidate.old:
            place.wrap()
            return chosen, False
        if candidate.open and place.skipped is None:
            place.skipped = candidate.seq
        if candidate.rows and not candidate.open:
            if chosen and candidate.rows > limit:
                return chosen, False
            limit -= candidate.rows
            chosen.append(candidate)
        place.after = candidate.seq
    return chosen, True


def _drop_photos(seqs: list[int]) -> Steps[None]:
    yield Query("drop_photos", (seqs,))


def _drop_events(seqs: list[int]) -> Steps[None]:
    yield Query("drop_photos", (seqs,))
    yield Query("drop_traces", (seqs,))
    yield Query("drop_links", (seqs,))
    yield Query("empty_events", (seqs,))
    yield from _drop_bare(seqs)


def _drop_receipts(seqs: list[int]) -> Steps[None]:
    yield Query("drop_traces", (seqs,))
    yield Query("drop_receipts", (seqs,))
    yield from _drop_bare(seqs)


def forget_events(seqs: list[int]) -> Steps[None]:
    """Events with all their closed deliveries, at once."""
    yield from _drop_events(seqs)
    yield from _drop_receipts(seqs)


def _drop_bare(seqs: list[int]) -> Steps[None]:
    """Emptied events whose last receipt is gone."""
    yield Query("drop_bare_aliases", (seqs,))
    yield Query("drop_bare_events", (seqs,))


_CLASSES = {"photos": _drop_photos, "events": _drop_events, "receipts": _drop_receipts}
prune = each(_prune)
