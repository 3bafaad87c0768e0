"""When to try again (interface.md 3): 0, 1, 2, 5, 10, 20, 40, 60 s, then every 60 s, 20 % more or less. Pure."""

from msgspec import Struct

_STEPS_S = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0)
JITTER = 0.2


class Retry(Struct, frozen=True):
    """`first_s` scales the ladder's first step, `longest_s` caps it; a delivery expires `expire_s` after acceptance."""

    first_s: float = 1.0
    longest_s: float = 60.0
    expire_s: float = 86400.0


def delay_s(retry: Retry, failures: int, chance: float) -> float:
    """Seconds to wait after the `failures`-th failure (from 1). `chance` in 0..1 spreads by ±20 %."""
    step = _STEPS_S[min(failures, len(_STEPS_S)) - 1] * retry.first_s
    return min(step, retry.longest_s) * (1 - JITTER + 2 * JITTER * chance)
