"""How far a job is, from 0 to 1000, never less than was told before (clearance.md 9.4, 12.3). Pure."""

from collections.abc import Sequence

from msgspec import Struct

FETCHED = 300
UPLOADED = 980
DONE = 1000
EVERY_S = 5.0
SILENCE_S = 30.0
LEAST_STEP = 10


class Part(Struct):
    """One file of a job. `weight`: its share, seconds of video; `fetched` and `uploaded` from 0 to 1."""

    weight: float
    fetched: float = 0.0
    uploaded: float = 0.0


def reached(parts: Sequence[Part], before: int) -> int:
    """Below 1000: only the registry's own answer completes a job."""
    total = sum(max(part.weight, 0.001) for part in parts)
    if not parts:
        return before
    shares = [(max(part.weight, 0.001) / total, part) for part in parts]
    fetched = sum(share * _unit(part.fetched) for share, part in shares)
    uploaded = sum(share * _unit(part.uploaded) for share, part in shares)
    return max(before, min(int(FETCHED * fetched + (UPLOADED - FETCHED) * uploaded), UPLOADED))


def _unit(value: float) -> float:
    return min(max(value, 0.0), 1.0)


def must_tell(now: float, told_at: float, value: int, told: int) -> bool:
    """At most every 5 s, when it rose by 1 % at least; after 30 s of silence in any case."""
    silent_s = now - told_at
    return silent_s >= SILENCE_S or (silent_s >= EVERY_S and value - told >= LEAST_STEP)
