"""When the registry is asked for jobs (clearance.md 9.1, 4). Pure."""

from msgspec import Struct

JITTER = 0.2
FIRST_S = 2.0
LONGEST_S = 120.0
REFUSED_S = 60.0
REFUSED_LONGEST_S = 900.0
AWAY_S = 300.0
"""Without an answer for so long it is said."""


class PollState(Struct, frozen=True):
    """How the last questions went."""

    failures: int = 0
    refusals: int = 0

    def failed(self) -> "PollState":
        return PollState(self.failures + 1, 0)

    def refused(self) -> "PollState":
        """The login is."""
        return PollState(0, self.refusals + 1)

    def pause_s(self, interval_s: float, chance: float) -> float:
        """`chance` in 0..1 spreads: by ±20 % in normal running, over the whole pause after failures."""
        if self.refusals:
            return _doubled(REFUSED_S, self.refusals, REFUSED_LONGEST_S)
        if self.failures:
            return _doubled(FIRST_S, self.failures, LONGEST_S) * max(chance, 0.05)
        return interval_s * (1 - JITTER + 2 * JITTER * chance)


def _doubled(first_s: float, times: int, longest_s: float) -> float:
    return min(first_s * float(1 << min(times - 1, 10)), longest_s)
