"""What the store takes from outside: time, and whom it tells how it is doing."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC."""

    def monotonic(self) -> float:
        """Seconds."""


class Watch(Protocol):
    """Told on the event loop."""

    def went_down(self, reason: str) -> None:
        """Once per outage: nothing is accepted until `came_back`."""

    def came_back(self, down_s: float) -> None: ...

    def committed(self, seconds: float, operations: int) -> None: ...

    def trouble(self, text: str) -> None:
        """Something to look at that stops nothing yet."""


class NoWatch:
    """For tools and tests that do not care."""

    def went_down(self, reason: str) -> None: ...

    def came_back(self, down_s: float) -> None: ...

    def committed(self, seconds: float, operations: int) -> None: ...

    def trouble(self, text: str) -> None: ...
