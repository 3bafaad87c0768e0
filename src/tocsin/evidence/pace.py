"""How fast uploads may go, by the hours of the week (clearance.md 11.5): pure, clocks are arguments."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

PIECE = 128 * 1024
_LEAST_PIECE = 1024
_WEEK = timedelta(days=7)
DAY_ENDS = time(0, 0)


class Hours(Struct, frozen=True):
    """From `start` to `end` (midnight as end: the end of the day; before the start: into the next day) on these days,
    Monday is 0. `bits_per_s` 0: no uploads then; None: as fast as it goes.
    """

    days: tuple[int, ...]
    start: time
    end: time
    bits_per_s: int | None

    def covers(self, at: datetime) -> bool:
        """`at` in the time zone of the hours."""
        begun_yesterday = (at.weekday() - 1) % 7 in self.days
        if self.start < self.end or self.end == DAY_ENDS:
            return (
                at.weekday() in self.days and self.start <= at.time() and (at.time() < self.end or self.end == DAY_ENDS)
            )
        late = at.weekday() in self.days and at.time() >= self.start
        return late or (begun_yesterday and at.time() < self.end)


class Pace(Struct, frozen=True):
    """The cap outside all hours, and the hours; the first that cover an instant decide."""

    bits_per_s: int | None = None
    hours: tuple[Hours, ...] = ()
    zone: str = "UTC"

    def bytes_per_s(self, now: datetime) -> float | None:
        """None: no cap; 0: no uploads now."""
        local = now.astimezone(ZoneInfo(self.zone)) if self.hours else now
        bits = next((one.bits_per_s for one in self.hours if one.covers(local)), self.bits_per_s)
        return None if bits is None else bits / 8

    def opens_at(self, now: datetime) -> datetime | None:
        """The next quarter of an hour in which uploads may go; None: in this week none."""
        quarter = timedelta(minutes=15)
        at = now - timedelta(minutes=now.minute % 15, seconds=now.second, microseconds=now.microsecond) + quarter
        while at < now + _WEEK:
            if self.bytes_per_s(at) != 0:
                return at
            at += quarter
        return None


def piece_size(bytes_per_s: float | None) -> int:
    """Pieces that are written at once: small enough that a capped link still moves every second."""
    return PIECE if bytes_per_s is None else max(_LEAST_PIECE, min(PIECE, int(bytes_per_s)))


class Bucket:
    """Tokens of one second's bytes; what was not used before that is lost."""

    def __init__(self, now: float) -> None:
        self._left = 0.0
        self._at = now

    def take(self, size: int, bytes_per_s: float, now: float) -> float:
        """Seconds to wait before so many bytes are written. `bytes_per_s` is above 0."""
        self._left = min(bytes_per_s, self._left + (now - self._at) * bytes_per_s)
        self._at = now
        self._left -= size
        return max(0.0, -self._left / bytes_per_s)
