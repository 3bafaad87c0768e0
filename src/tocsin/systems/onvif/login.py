"""How often a wrong password may be tried: devices lock their users out (connectors.md 6.7). Pure."""

TRIES = 3
WAIT_S = 3600.0
"""After the third refusal, and after every one that follows."""


class Login:
    """The tries at one device. Seconds are monotonic."""

    def __init__(self) -> None:
        self._refusals = 0
        self._again_at = 0.0
        self.proven = False
        """Whether the last login was taken."""

    @property
    def refused(self) -> bool:
        """Whether the last login was refused."""
        return self._refusals > 0

    def wait_s(self, now: float) -> float:
        """How long no login may be tried; 0: it may."""
        return max(0.0, self._again_at - now) if self._refusals >= TRIES else 0.0

    def was_refused(self, now: float) -> None:
        self._refusals += 1
        self.proven = False
        self._again_at = now + WAIT_S

    def was_taken(self) -> None:
        self._refusals = 0
        self._again_at = 0.0
        self.proven = True
