"""Who has been silent for too long. Pure; moments are seconds of listening time (engine/listening.py)."""

import heapq


class Silences:
    """Those who are expected to be heard. Costs nothing for a sign of life; a look costs what is due."""

    def __init__(self) -> None:
        self._limits: dict[str, float] = {}
        self._heard_on: dict[str, float] = {}
        self._waiting: dict[str, float] = {}
        """When each is looked at next; its entry in the queue is the one that says the same."""
        self._queue: list[tuple[float, str]] = []

    def expect(self, who: str, limit_s: float, heard_on: float) -> None:
        """From now on it may be silent for `limit_s`, counted from `heard_on` or what was heard since."""
        if self._limits.get(who) != limit_s:
            self._limits[who] = limit_s
            self._heard_on[who] = max(heard_on, self._heard_on.get(who, heard_on))
            self._wait(who, self._heard_on[who] + limit_s)

    def forget(self, who: str) -> None:
        self._limits.pop(who, None)
        self._heard_on.pop(who, None)
        self._waiting.pop(who, None)

    def heard(self, who: str, moment: float) -> None:
        if who in self._limits:
            self._heard_on[who] = moment
            if who not in self._waiting:
                self._wait(who, moment + self._limits[who])

    def overdue(self, moment: float) -> list[str]:
        """Those who became overdue; each is named once, until it is heard again."""
        found = []
        while self._queue and self._queue[0][0] < moment:
            at, who = heapq.heappop(self._queue)
            if self._waiting.get(who) != at:
                continue
            due = self._heard_on[who] + self._limits[who]
            if due < moment:
                del self._waiting[who]
                found.append(who)
            else:
                self._wait(who, due)
        return found

    def next_due(self) -> float | None:
        """Nobody is overdue before."""
        return self._queue[0][0] if self._queue else None

    def _wait(self, who: str, due: float) -> None:
        self._waiting[who] = due
        heapq.heappush(self._queue, (due, who))
