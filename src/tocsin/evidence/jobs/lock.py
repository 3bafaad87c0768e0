"""How long a lock lasts, when it is renewed, and when everything must have stopped (clearance.md 9.2). Pure.

All times but the registry's own are of one monotonic clock that counts the time a machine is suspended.
"""

from msgspec import Struct

ASSUMED_S = 60.0
"""For a registry that does not say."""
MARGIN_S = 5.0
LONGEST_S = 86_400.0


class LockTimes(Struct, frozen=True):
    """Monotonic seconds. `stop_at`: nothing is written from then on, unless a renewal was confirmed before."""

    granted_s: float
    deadline: float
    renew_at: float
    stop_at: float
    again_s: float
    """A renewal that failed is tried again after this."""

    def slow(self, latency_s: float) -> bool:
        """Whether a renewal took so long that the next one may come too late."""
        return latency_s > self.granted_s / 4


def lock_times(sent_at: float, granted_s: float | None, chance: float) -> LockTimes:
    """From when the request was sent, pessimistic by the round trip. `chance` in 0..1 spreads renewals by ±10 %.

    The margin before the deadline never takes more than a quarter of the lock: else a lock of 10 s would have to be
    given up at the moment when it is renewed.
    """
    granted = min(max(ASSUMED_S if granted_s is None else granted_s, 0.0), LONGEST_S)
    deadline = sent_at + granted
    margin = min(max(MARGIN_S, granted / 10), granted / 4)
    renew_at = sent_at + granted / 2 * (0.9 + 0.2 * chance)
    return LockTimes(granted, deadline, renew_at, deadline - margin, min(5.0, granted / 12))
