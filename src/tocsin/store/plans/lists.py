"""What the pump, the pages and the API ask."""

from collections.abc import Sequence
from datetime import datetime

from tocsin.model.delivery import OPEN_STATES, Delivery, DeliveryKey, Due, Exchange
from tocsin.model.device import Area, Device
from tocsin.model.event import Photo
from tocsin.model.kinds import Lane
from tocsin.model.on_test import OnTest
from tocsin.store.contract import AuditEntry, Backlog, DeliveryFilter, EventFilter, StoredEvent, StoredLink
from tocsin.store.rows import (
    area_of,
    audit_entry_of,
    delivery_of,
    device_of,
    due_of,
    exchange_of,
    instant,
    link_of,
    microseconds,
    photo_of,
    plain,
    stored_event_of,
    test_of,
)
from tocsin.store.steps import Query, Row, Steps

SET_ASIDE_STATES = frozenset({"rejected", "expired", "discarded"})
IS_OPEN = "d.state IN ('pending', 'held', 'retrying')"
IS_SET_ASIDE = "d.state IN ('rejected', 'expired', 'discarded')"
OF_DESTINATION = "d.destination = (SELECT id FROM destinations WHERE name = ?)"
DEVICES_AT_ONCE = 1000
Conditions = list[tuple[str, tuple[object, ...]]]


def _query(name: str, conditions: Conditions, *last: object) -> Query:
    values = tuple(value for _, given in conditions for value in given)
    return Query(name, (*values, *last), tuple(text for text, _ in conditions))


def _among(column: str, wanted: Sequence[str], among: str = "IN") -> tuple[str, tuple[object, ...]]:
    """`wanted` empty: nothing matches."""
    marks = ", ".join("?" * len(wanted))
    return (f"{column} {among} ({marks})" if wanted else "1 = 0", tuple(wanted))


def due(
    destination: str, lane: Lane, after: int, limit: int, queue: str | None, without: Sequence[str]
) -> Steps[list[Due]]:
    conditions: Conditions = [
        (OF_DESTINATION, (destination,)),
        ("d.lane = ?", (int(lane),)),
        ("d.event_seq > ?", (after,)),
        (IS_OPEN, ()),
    ]
    if queue is not None:
        conditions.append(("d.queue = ?", (plain(queue),)))
    if without:
        conditions.append(_among("d.queue", [plain(one) for one in without], "NOT IN"))
    return [due_of(row) for row in (yield _query("due", conditions, limit))]


def recent_repeats(source: str, since: datetime) -> Steps[list[tuple[bytes, datetime, int]]]:
    rows = yield Query("recent_repeats", (plain(source), microseconds(since)))
    return [(bytes(key), instant(accepted_at), seq) for key, accepted_at, seq in rows]


def photos(event_seq: int) -> Steps[list[Photo]]:
    return [photo_of(row) for row in (yield Query("photos", (event_seq,)))]


def event(event_id: str) -> Steps[StoredEvent | None]:
    rows = yield _query("events", [("e.id = ?", (event_id,))], 1)
    return stored_event_of(rows[0]) if rows else None


def events(wanted: EventFilter) -> Steps[list[StoredEvent]]:
    return [stored_event_of(row) for row in (yield _query("events", _event_conditions(wanted), wanted.limit))]


def _event_conditions(wanted: EventFilter) -> Conditions:
    equal = {"kind": wanted.kind, "device_id": wanted.device_id, "source": wanted.source, "area": wanted.area}
    conditions: Conditions = [(f"e.{column} = ?", (plain(value),)) for column, value in equal.items() if value]
    if wanted.before is not None:
        conditions.append(("e.seq < ?", (wanted.before,)))
    if wanted.since is not None:
        conditions.append(("e.accepted_at >= ?", (microseconds(wanted.since),)))
    if wanted.areas is not None:
        conditions.append(_among("e.area", sorted(wanted.areas)))
    if wanted.devices is not None:
        conditions.append(_among("e.device_id", sorted(wanted.devices)))
    return conditions or [("1 = 1", ())]


def deliveries_of(event_seqs: Sequence[int]) -> Steps[dict[int, list[Delivery]]]:
    found: dict[int, list[Delivery]] = {seq: [] for seq in event_seqs}
    for delivery in map(delivery_of, (yield Query("deliveries_of", (list(event_seqs),)))):
        found[delivery.key.event_seq].append(delivery)
    return found


def delivery(key: DeliveryKey) -> Steps[Delivery | None]:
    conditions: Conditions = [("d.event_seq = ?", (key.event_seq,)), (OF_DESTINATION, (key.destination,))]
    rows = yield _query("deliveries", conditions, 1)
    return delivery_of(rows[0]) if rows else None


def deliveries(wanted: DeliveryFilter) -> Steps[list[Delivery]]:
    """A page never splits an event: the last one's deliveries are all there, also beyond the limit."""
    rows = yield from (_open_page(wanted) if _only_open(wanted) else _page(wanted))
    if len(rows) == wanted.limit:
        last = rows[-1][0]
        whole = [("d.event_seq = ?", (last,)), *_delivery_conditions(wanted)]
        rows = [row for row in rows if row[0] != last] + (yield _query("deliveries", whole, 1_000_000))
    return [delivery_of(row) for row in sorted(rows, key=lambda row: (-row[0], row[1]))]


def _only_open(wanted: DeliveryFilter) -> bool:
    return bool(wanted.states) and wanted.states <= OPEN_STATES


def _page(wanted: DeliveryFilter) -> Steps[list[Row]]:
    return (yield _query("deliveries", _delivery_conditions(wanted), wanted.limit))


def _open_page(wanted: DeliveryFilter) -> Steps[list[Row]]:
    """By the index of open deliveries: the newest of every destination and lane, merged."""
    names = [(wanted.destination,)] if wanted.destination else (yield Query("destination_names"))
    found: list[Row] = []
    for (name,) in names:
        for lane in Lane:
            conditions: Conditions = [("d.lane = ?", (int(lane),)), (IS_OPEN, ()), (OF_DESTINATION, (name,))]
            found += yield _query("deliveries", conditions + _delivery_conditions(wanted), wanted.limit)
    found.sort(key=lambda row: (-row[0], row[1]))
    return found[: wanted.limit]


def _delivery_conditions(wanted: DeliveryFilter) -> Conditions:
    conditions: Conditions = [("1 = 1", ())]
    if wanted.before is not None:
        conditions.append(("d.event_seq < ?", (wanted.before,)))
    if wanted.destination:
        conditions.append((OF_DESTINATION, (wanted.destination,)))
    if wanted.states:
        conditions.append(_among("d.state", sorted(wanted.states)))
        if wanted.states <= SET_ASIDE_STATES:
            conditions.append((IS_SET_ASIDE, ()))
    return conditions


def trace(key: DeliveryKey) -> Steps[list[Exchange]]:
    return [exchange_of(row) for row in (yield Query("trace", (key.event_seq, key.destination)))]


def backlog(destination: str) -> Steps[dict[Lane, Backlog]]:
    rows = yield Query("backlog", (destination,))
    found = {Lane(lane): Backlog(count, instant(oldest)) for lane, count, oldest in rows}
    return {lane: found.get(lane, Backlog(0, None)) for lane in Lane}


def last_delivered(destination: str) -> Steps[Delivery | None]:
    newest = "d.event_seq = (SELECT last_delivered FROM destinations WHERE name = ?)"
    conditions: Conditions = [(newest, (destination,)), (OF_DESTINATION, (destination,)), ("d.state = 'delivered'", ())]
    rows = yield _query("deliveries", conditions, 1)
    return delivery_of(rows[0]) if rows else None


def link(digest: bytes) -> Steps[StoredLink | None]:
    rows = yield Query("link", (digest,))
    return link_of(rows[0]) if rows else None


def tests() -> Steps[list[OnTest]]:
    return [test_of(row) for row in (yield Query("tests"))]


def devices() -> Steps[list[Device]]:
    """In parts: of on-prem systems there may be a hundred thousand."""
    found: list[Device] = []
    last = ""
    while rows := (yield Query("devices", (last, DEVICES_AT_ONCE))):
        found += [device_of(body) for _, body in rows]
        last = rows[-1][0]
    return found


def areas() -> Steps[list[Area]]:
    return [area_of(row) for row in (yield Query("areas"))]


def recalled(name: str) -> Steps[str]:
    rows = yield Query("meta", (f"note {plain(name)}",))
    return str(rows[0][0]) if rows else ""


def audit_entries(limit: int) -> Steps[list[AuditEntry]]:
    return [audit_entry_of(row) for row in (yield Query("audit_entries", (limit,)))]
