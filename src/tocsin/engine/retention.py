"""How long things are kept: what is older goes, in small bites, so that no commit is ever held up."""

import asyncio
import contextlib
from datetime import timedelta

from msgspec import Struct

from tocsin.engine.contracts import Clock
from tocsin.store.contract import Retention, Store, StoreUnavailable

EVERY_S = 600.0
BITE = 500
BETWEEN_BITES_S = 0.1
CUSTODY_S = 366 * 86400.0
"""A custody log is kept at least a year, whatever is said of the rest (clearance.md 14)."""


class RetentionAges(Struct, frozen=True):
    """Seconds that things are kept."""

    events_s: float = 90 * 86400.0
    photos_s: float = 30 * 86400.0
    receipts_s: float = 365 * 86400.0
    audit_s: float = 365 * 86400.0


async def keep_pruning(store: Store, clock: Clock, ages: RetentionAges) -> None:
    """Until cancelled. What cannot be deleted now is deleted in the next round."""
    while True:
        with contextlib.suppress(StoreUnavailable):
            await _prune(store, clock, ages)
        await asyncio.sleep(EVERY_S)


async def _prune(store: Store, clock: Clock, ages: RetentionAges) -> None:
    now = clock.now()
    keep = Retention(
        events_before=now - timedelta(seconds=ages.events_s),
        photos_before=now - timedelta(seconds=ages.photos_s),
        receipts_before=now - timedelta(seconds=ages.receipts_s),
        audit_before=now - timedelta(seconds=ages.audit_s),
        custody_before=now - timedelta(seconds=max(ages.audit_s, CUSTODY_S)),
    )
    while await store.prune(keep, BITE):
        await asyncio.sleep(BETWEEN_BITES_S)
