"""Whom the store tells how it is doing."""

from typing import Protocol


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
