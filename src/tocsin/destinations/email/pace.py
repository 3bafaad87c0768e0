"""At most so many mails in any minute: who comes too early waits in the queue, nothing is left out. Pure."""

from collections import deque

WINDOW_S = 60.0


class Pace:
    """`most` mails in `WINDOW_S`; None: no limit. Times are seconds of one monotonic clock."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._sent: deque[float] = deque(maxlen=most)

    def wait_s(self, now: float) -> float:
        """How long the next mail has to wait."""
        if self._most is None or len(self._sent) < self._most:
            return 0.0
        return max(0.0, self._sent[0] + WINDOW_S - now)

    def sent(self, now: float) -> None:
        if self._most is not None:
            self._sent.append(now)
