"""Deliveries that newer ones make needless: closed, and forgotten with their events where nobody else is told."""

from collections.abc import Sequence

from tocsin.model.delivery import DeliveryKey
from tocsin.store.plans.pruning import forget_events
from tocsin.store.plans.settling import Settlement, settle
from tocsin.store.steps import Query, Steps, each


def _supersede(settlement: Settlement) -> Steps[Sequence[DeliveryKey]]:
    """Answers the keys of those that were open; an outbox that is full has no room for their receipts."""
    [keys] = yield from settle([settlement])
    seqs = sorted({key.event_seq for key in keys})
    if seqs:
        wanted = {seq for (seq,) in (yield Query("still_wanted", (seqs,)))}
        yield from forget_events([seq for seq in seqs if seq not in wanted])
    return keys


supersede = each(_supersede)
