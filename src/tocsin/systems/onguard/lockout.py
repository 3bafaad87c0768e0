"""How often a refused login is tried again, so that no account is locked (connectors.md 3.3, 5.2)."""

from msgspec import Struct

PAUSES_S = (60.0, 900.0, 3600.0)
"""After the first, the second and each further refusal: three tries in the first hour, then one an hour."""


class Lockout(Struct, frozen=True):
    """What refusals there were. Times are monotonic seconds."""

    refusals: int = 0
    not_before: float = 0.0
    reason: str = ""

    def refused(self, now: float, reason: str) -> "Lockout":
        pause_s = PAUSES_S[min(self.refusals, len(PAUSES_S) - 1)]
        return Lockout(self.refusals + 1, now + pause_s, reason)

    def wait_s(self, now: float) -> float:
        """Seconds until a login may be tried; 0: now."""
        return max(0.0, self.not_before - now) if self.refusals else 0.0
