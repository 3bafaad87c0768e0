"""Which stand-in devices are armed: a disarmed detector has its PIR off, and arms itself when its time is over."""

from collections.abc import Callable
from datetime import datetime


class ArmedDevices:
    """By id; whoever was never disarmed is armed."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._disarmed: dict[str, datetime | None] = {}

    def arm(self, device: str) -> None:
        self._disarmed.pop(device, None)

    def disarm(self, device: str, until: str | None) -> None:
        """`until` in ISO 8601 with its zone; None: until it is armed again."""
        self._disarmed[device] = datetime.fromisoformat(until) if until else None

    def is_armed(self, device: str) -> bool:
        if device not in self._disarmed:
            return True
        until = self._disarmed[device]
        return until is not None and until <= self._now()
