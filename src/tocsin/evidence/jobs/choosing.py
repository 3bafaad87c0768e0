"""Which of the jobs on offer are taken (clearance.md 7.5). Pure."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from tocsin.evidence.registry.wire import Offered
from tocsin.model.evidence import JobType

_RANK: Mapping[JobType, int] = {"thumbnail": 0, "discovery": 1, "mediarequest": 2}
HOLD_OFF_S = tuple(60.0 * minutes for minutes in (1, 2, 4, 8, 16, 32, 60))


def chosen(
    offered: Sequence[Offered],
    free: int,
    now: datetime,
    held_off: Mapping[str, datetime],
    blocked: Collection[JobType],
    soon_gone: Callable[[Offered], bool],
) -> list[Offered]:
    """At most as many as there are free workers, those to take first in front. Left out: what the profile does not fit,
    types that are blocked, and what failed here lately, unless nothing else is there to be done.

    `held_off`: until when, by the registry's id. `soon_gone`: whether its video will soon be overwritten.
    """
    usable = [one for one in offered if one.type is not None and not one.problem and one.type not in blocked]
    fresh = [one for one in usable if (until := held_off.get(one.registry_id)) is None or until <= now]
    return sorted(_once(fresh), key=lambda one: _order(one, soon_gone(one)))[: max(free, 0)]


def _order(one: Offered, urgent: bool) -> tuple[bool, int, float, str]:
    assert one.type is not None
    age = one.created_at.timestamp() if one.created_at else 0.0
    return not urgent, _RANK[one.type], age, one.registry_id


def _once(offered: Sequence[Offered]) -> list[Offered]:
    """The first of each id."""
    return list({one.registry_id: one for one in reversed(offered)}.values())


def hold_off_s(failures: int) -> float:
    """How long a job is left to others after its so-manieth failure here, from 1."""
    return HOLD_OFF_S[min(max(failures, 1), len(HOLD_OFF_S)) - 1]
