"""Keeping events with their photos and the deliveries they owe."""

from collections.abc import Sequence

from msgspec import Struct

from tocsin.store.contract import Accepted
from tocsin.store.duplicates import Known, judge
from tocsin.store.plans.contacting import write_conditions
from tocsin.store.plans.names import destination_ids
from tocsin.store.rows import Prepared, link_row, owed_row, photo_row, renamed, stored_event_of
from tocsin.store.steps import Bulk, Query, Row, Steps


def accept(batches: Sequence[Sequence[Prepared]]) -> Steps[Sequence[Sequence[Accepted]]]:
    """Identifiers the gateway made are taken to be new; a conflict over one ends the transaction."""
    return (yield from _accept(batches, [one.arrival.event.id for batch in batches for one in batch if _own_id(one)]))


def accept_cautiously(batches: Sequence[Sequence[Prepared]]) -> Steps[Sequence[Sequence[Accepted]]]:
    """Looks every identifier up: an arrival asked again after a commit in doubt finds itself."""
    return (yield from _accept(batches, [one.arrival.event.id for batch in batches for one in batch]))


def _accept(batches: Sequence[Sequence[Prepared]], ids: list[str]) -> Steps[Sequence[Sequence[Accepted]]]:
    yield Query("lock_sequence")
    known = yield from _known(ids)
    [(last,)] = yield Query("last_seq")
    sorting = Sorting(last, known, set(ids), [], [], [])
    answers = [[sorting.take(one) for one in batch] for batch in batches]
    yield from _write(sorting)
    earlier = yield from _earlier(answers)
    return [[earlier.get(answer.seq, answer) if answer.duplicate else answer for answer in batch] for batch in answers]


def _own_id(prepared: Prepared) -> bool:
    return bool(prepared.arrival.digest)


def _known(ids: list[str]) -> Steps[dict[str, list[Known]]]:
    known: dict[str, list[Known]] = {}
    if ids:
        for own_id, seq, source, device_id, digest in (yield Query("taken", (ids, ids))):
            known.setdefault(own_id, []).append(Known(seq, source, device_id, bytes.fromhex(digest)))
    return known


class Sorting(Struct):
    """One transaction's arrivals, told apart into new events and duplicates, in order."""

    last: int
    known: dict[str, list[Known]]
    looked_up: set[str]
    events: list[Row]
    aliases: list[Row]
    new: list[tuple[int, Prepared]]

    def take(self, prepared: Prepared) -> Accepted:
        own_id = prepared.arrival.event.id
        if not (known := self.known.get(own_id)):
            return self._keep(own_id, prepared)
        verdict = judge(prepared.arrival, known)
        if verdict.repeats is not None:
            return Accepted(prepared.arrival.event, verdict.repeats.seq, duplicate=True)
        self.aliases.append((own_id, self.last + 1))
        return self._keep(own_id, renamed(prepared, verdict.id, verdict.reused))

    def _keep(self, own_id: str, prepared: Prepared) -> Accepted:
        arrival = prepared.arrival
        event = arrival.event
        self.last += 1
        if own_id in self.looked_up:
            known = Known(self.last, event.source, event.device_id, arrival.digest)
            self.known.setdefault(own_id, []).append(known)
        self.events.append((self.last, event.id, *prepared.columns))
        self.new.append((self.last, prepared))
        return Accepted(event, self.last, owed=arrival.owed)


def _write(sorting: Sorting) -> Steps[None]:
    names = {owed.destination for _, prepared in sorting.new for owed in prepared.arrival.owed}
    ids = yield from destination_ids(names)
    new = [(seq, prepared.arrival) for seq, prepared in sorting.new]
    deliveries = [owed_row(seq, ids[owed.destination], owed) for seq, arrival in new for owed in arrival.owed]
    photos = [photo_row(seq, photo) for seq, arrival in new for photo in arrival.photos]
    yield Bulk("add_events", sorting.events)
    yield Bulk("add_deliveries", deliveries)
    yield Bulk("add_photos", photos)
    yield Bulk("add_aliases", sorting.aliases)
    yield Bulk("add_links", [link_row(seq, arrival.event.link) for seq, arrival in new if arrival.event.link])
    yield write_conditions(arrival.condition for _, arrival in new if arrival.condition is not None)


def _earlier(answers: Sequence[Sequence[Accepted]]) -> Steps[dict[int, Accepted]]:
    """The events that duplicates repeat, as they were kept. One past retention is missing: its repeat stands for it."""
    seqs = sorted({answer.seq for batch in answers for answer in batch if answer.duplicate})
    if not seqs:
        return {}
    rows = yield Query("events_by_seq", (seqs,))
    return {stored.seq: Accepted(stored.event, stored.seq, duplicate=True) for stored in map(stored_event_of, rows)}
