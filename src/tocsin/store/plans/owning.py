"""Numbers that are given once, and the right of one node to work on something."""

from datetime import datetime, timedelta

from msgspec import Struct

from tocsin.store.contract import Lease
from tocsin.store.rows import instant, microseconds
from tocsin.store.steps import Query, Steps, each


class Reservation(Struct, frozen=True):
    scope: str
    count: int


class Claim(Struct, frozen=True):
    subject: str
    owner: str
    ttl_s: float
    now: datetime


def _reserve(wanted: Reservation) -> Steps[int]:
    [(following,)] = yield Query("reserve", (wanted.scope, wanted.count + 1, wanted.count))
    return int(following) - wanted.count


def _claim(claim: Claim) -> Steps[Lease | None]:
    """Renewed in time a lease keeps its epoch; once it has run out, whoever takes it raises the epoch."""
    until = microseconds(claim.now + timedelta(seconds=claim.ttl_s))
    yield Query("make_lease", (claim.subject,))
    [(owner, epoch, lasts)] = yield Query("lease", (claim.subject,))
    lapsed = lasts <= microseconds(claim.now)
    if owner != claim.owner and not lapsed:
        return None
    epoch += lapsed
    yield Query("take_lease", (claim.owner, epoch, until, claim.subject))
    return Lease(claim.subject, claim.owner, epoch, instant(until))


def _release(lease: Lease) -> Steps[None]:
    yield Query("release", (lease.subject, lease.owner, lease.epoch))


reserve = each(_reserve)
claim = each(_claim)
release = each(_release)
