"""Late additions to events, and deliveries opened or closed by hand."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from tocsin.model.delivery import OPEN_STATES, DeliveryKey, Due, Exchange, Owed
from tocsin.model.event import Event, Photo
from tocsin.store.plans.settling import new_exchanges, surplus
from tocsin.store.rows import bounded, due_of, event_body, microseconds, optional_microseconds, photo_row, plain
from tocsin.store.steps import Bulk, Query, Row, Steps, each

AGAIN_STATES = frozenset({"rejected", "expired", "discarded"})


class Amendment(Struct, frozen=True):
    event: Event
    photos: Sequence[Photo]


class Resubmission(Struct, frozen=True):
    key: DeliveryKey
    owed: Owed
    at: datetime


class Discarding(Struct, frozen=True):
    key: DeliveryKey
    reason: str
    at: datetime


def _amend(amendment: Amendment) -> Steps[bool]:
    event = amendment.event
    found = yield Query("seq_of", (event.id,))
    if not found:
        return False
    [(seq,)] = found
    present: dict[int, str] = dict((yield Query("photo_numbers", (seq,))))
    new = _numbered(amendment.photos, present)
    yield Bulk("add_photos", [photo_row(seq, photo) for photo in new])
    count = max(event.photos, len(present) + len(new))
    yield Query("amend", (event_body(msgspec.structs.replace(event, photos=count)), event.place.area, seq))
    return True


def _numbered(photos: Sequence[Photo], present: dict[int, str]) -> list[Photo]:
    """Photos not there yet. One whose number another has taken meanwhile gets the next free one: none is lost."""
    new = []
    taken = dict(present)
    for photo in photos:
        if taken.get(photo.n) == photo.sha256:
            continue
        n = max(taken) + 1 if photo.n in taken else photo.n
        taken[n] = photo.sha256
        new.append(msgspec.structs.replace(photo, n=n))
    return new


def _unhold(event_id: str) -> Steps[list[Due]]:
    found = yield Query("seq_of", (event_id,))
    if not found:
        return []
    held = yield Query("unhold", (found[0][0],))
    dues = []
    for seq, destination in held:
        dues.append((yield from _due(seq, destination)))
    return dues


def _due(seq: int, destination: int) -> Steps[Due]:
    [row] = yield Query("due", (seq, destination, 1), ("d.event_seq = ?", "d.destination = ?"))
    return due_of(row)


def _resubmit(again: Resubmission) -> Steps[Due | None]:
    found = yield from _at(again.key)
    if found is None:
        return None
    destination, state, exchanged, has_body = found
    if state not in AGAIN_STATES or not has_body:
        return None
    owed = again.owed
    due_at = optional_microseconds(owed.due_at)
    opened = owed.state if owed.state in OPEN_STATES else "pending"
    values = (opened, int(owed.lane), plain(owed.address), plain(owed.queue), owed.number, due_at)
    yield Query("resubmit", (*values, again.key.event_seq, destination))
    note = f"opened again by hand (was {state}), to address {owed.address}"
    yield from _note(again.key, destination, exchanged, again.at, note)
    return (yield from _due(again.key.event_seq, destination))


def _discard(discarding: Discarding) -> Steps[bool]:
    found = yield from _at(discarding.key)
    if found is None:
        return False
    destination, state, exchanged, _ = found
    if state not in OPEN_STATES and state != "rejected":
        return False
    yield Query("discard", (bounded(discarding.reason), discarding.key.event_seq, destination))
    note = f"discarded by hand (was {state}): {discarding.reason}"
    yield from _note(discarding.key, destination, exchanged, discarding.at, note)
    return True


class Revocation(Struct, frozen=True):
    event_seq: int
    at: datetime


def _revoke_link(revocation: Revocation) -> Steps[bool]:
    return bool((yield Query("revoke_link", (microseconds(revocation.at), revocation.event_seq))))


def _at(key: DeliveryKey) -> Steps[Row | None]:
    """Destination number, state, exchanges so far, whether the event is still there."""
    found = yield Query("delivery_state", (key.event_seq, key.destination))
    return found[0] if found else None


def _note(key: DeliveryKey, destination: int, exchanged: int, at: datetime, text: str) -> Steps[None]:
    """Who looks at the delivery later sees what was done by hand, between the attempts."""
    seq = key.event_seq
    note = Exchange(at=at, host="", result="note", note=text)
    yield Bulk("add_exchanges", new_exchanges(seq, destination, exchanged, [note]))
    yield Bulk("drop_exchanges", [(seq, destination, n) for n in surplus(exchanged, exchanged + 1)])
    yield Query("count_exchange", (seq, destination))


amend = each(_amend)
unhold = each(_unhold)
resubmit = each(_resubmit)
discard = each(_discard)
revoke_link = each(_revoke_link)
