"""What expired undelivered, said once per destination and minute (stations.md 8.4). Pure; times are monotonic."""

EVERY_S = 60.0


class Expiries:
    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._said_at: dict[str, float] = {}

    def add(self, destination: str) -> None:
        self._counts[destination] = self._counts.get(destination, 0) + 1

    def to_say(self, now: float, all_of_it: bool = False) -> list[tuple[str, int]]:
        """Destination and count of what is to be reported now; `all_of_it`: before the end."""
        due = [name for name in self._counts if all_of_it or now - self._said_at.get(name, now - EVERY_S) >= EVERY_S]
        self._said_at.update(dict.fromkeys(due, now))
        return [(name, self._counts.pop(name)) for name in due]
