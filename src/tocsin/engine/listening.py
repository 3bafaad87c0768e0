"""How long the gateway has been able to hear anybody, in all its lives together: what silences are measured in.

Wall clocks are set, gateways stand still for days: neither is a silence of a device. So this time stands still while
the gateway is off, stopped or cannot keep what it hears, and goes on where it stood after a start.
"""

from collections.abc import Callable

LONGEST_STEP_S = 60.0
"""Between two looks; a process that was frozen for longer heard nobody meanwhile."""


class Listening:
    """`seconds` as of the last look. `able`: whether an event would be kept now."""

    def __init__(self, monotonic: Callable[[], float], able: Callable[[], bool]) -> None:
        self._monotonic = monotonic
        self._able = able
        self._looked_at: float | None = None
        self._was_able = False
        self.seconds = 0.0

    def resume(self, seconds: float) -> None:
        """Go on from there; never back."""
        self.seconds = max(self.seconds, seconds)

    def look(self) -> float:
        """Count what has passed since the last look, if anybody could be heard then."""
        now = self._monotonic()
        if self._looked_at is not None and self._was_able:
            self.seconds += min(now - self._looked_at, LONGEST_STEP_S)
        self._looked_at, self._was_able = now, self._able()
        return self.seconds
