"""What attempts changed about deliveries, with what was sent and answered."""

from collections.abc import Iterable, Sequence

from tocsin.model.delivery import DeliveryKey, Exchange, Outcome
from tocsin.store.contract import Lease
from tocsin.store.plans.names import destination_ids
from tocsin.store.rows import bounded, exchange_row, microseconds, optional_microseconds
from tocsin.store.steps import Bulk, Query, Row, Steps

FIRST_KEPT = 1
LAST_KEPT = 20
"""Of one delivery's exchanges, the first and the last 20 are kept."""

Settlement = tuple[Sequence[Outcome], Lease | None]


def settle(settlements: Sequence[Settlement]) -> Steps[Sequence[Sequence[DeliveryKey]]]:
    """Answers, per settlement, the keys written."""
    held = yield from _held({lease for _, lease in settlements if lease is not None})
    outcomes = [
        (place, outcome)
        for place, (batch, lease) in enumerate(settlements)
        if lease is None or lease in held
        for outcome in batch
    ]
    ids = yield from destination_ids({outcome.key.destination for _, outcome in outcomes})
    written: list[list[DeliveryKey]] = [[] for _ in settlements]
    for turn in _turns(outcomes):
        keys = yield from _settle_once([outcome for _, outcome in turn], ids)
        for place, outcome in turn:
            if outcome.key in keys:
                written[place].append(outcome.key)
    return written


def _held(leases: set[Lease]) -> Steps[set[Lease]]:
    """Those whose epoch is still the newest of their subject."""
    held = set()
    for lease in sorted(leases, key=lambda lease: lease.subject):
        rows = yield Query("lease_epoch", (lease.subject,))
        if rows and rows[0][0] == lease.epoch:
            held.add(lease)
    return held


def _turns(outcomes: Iterable[tuple[int, Outcome]]) -> list[list[tuple[int, Outcome]]]:
    """The same outcomes, so that no delivery comes twice in one turn."""
    turns: list[list[tuple[int, Outcome]]] = []
    seen: dict[DeliveryKey, int] = {}
    for place, outcome in outcomes:
        turn = seen.get(outcome.key, 0)
        seen[outcome.key] = turn + 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append((place, outcome))
    return turns


def _settle_once(outcomes: Sequence[Outcome], ids: dict[str, int]) -> Steps[set[DeliveryKey]]:
    names = {number: name for name, number in ids.items()}
    pairs = sorted((outcome.key.event_seq, ids[outcome.key.destination]) for outcome in outcomes)
    found = yield Query("open_among", (pairs,))
    exchanged = {DeliveryKey(seq, names[number]): count for seq, number, count in found}
    still_open = [outcome for outcome in outcomes if outcome.key in exchanged]
    yield Bulk("settle", [_settled_row(outcome, ids, exchanged[outcome.key]) for outcome in still_open])
    yield Bulk("note_delivered", _newest_delivered(still_open, ids))
    yield from _append(still_open, ids, exchanged)
    return set(exchanged)


def _settled_row(outcome: Outcome, ids: dict[str, int], exchanged: int) -> Row:
    return (
        outcome.key.event_seq,
        ids[outcome.key.destination],
        outcome.state,
        outcome.attempts,
        optional_microseconds(outcome.due_at),
        microseconds(outcome.at) if outcome.state == "delivered" else None,
        bounded(outcome.host),
        bounded(outcome.receipt),
        bounded(outcome.reason),
        exchanged + len(outcome.exchanges),
    )


def _newest_delivered(outcomes: Sequence[Outcome], ids: dict[str, int]) -> list[Row]:
    newest: dict[str, Outcome] = {}
    for outcome in outcomes:
        name = outcome.key.destination
        if outcome.state == "delivered" and (name not in newest or outcome.at >= newest[name].at):
            newest[name] = outcome
    return [(ids[name], outcome.key.event_seq) for name, outcome in newest.items()]


def _append(outcomes: Sequence[Outcome], ids: dict[str, int], exchanged: dict[DeliveryKey, int]) -> Steps[None]:
    added: list[Row] = []
    dropped: list[Row] = []
    for outcome in outcomes:
        seq, destination = outcome.key.event_seq, ids[outcome.key.destination]
        before = exchanged[outcome.key]
        added += new_exchanges(seq, destination, before, outcome.exchanges)
        dropped += [(seq, destination, n) for n in surplus(before, before + len(outcome.exchanges))]
    yield Bulk("add_exchanges", added)
    yield Bulk("drop_exchanges", dropped)


def new_exchanges(seq: int, destination: int, before: int, exchanges: Sequence[Exchange]) -> list[Row]:
    """Rows for exchanges that follow `before` earlier ones, without those that would be dropped at once."""
    oldest = before + len(exchanges) - LAST_KEPT
    return [
        exchange_row(seq, destination, n, exchange)
        for n, exchange in enumerate(exchanges, before + 1)
        if n <= FIRST_KEPT or n > oldest
    ]


def surplus(before: int, after: int) -> range:
    """The numbers, among the first `before` exchanges, that go when there have been `after`."""
    return range(max(FIRST_KEPT, before - LAST_KEPT) + 1, min(before, after - LAST_KEPT) + 1)
