"""The time of DC-09: `HH:MM:SS,MM-DD-YYYY`, month before day, UTC (dc09.md 8)."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

AHEAD = timedelta(seconds=20)
BEHIND = timedelta(seconds=40)

_LONGEST_TIME = len("_HH:MM:SS,MM-DD-YYYY")
_TIME = re.compile(rb"_?([0-9]{2}):([0-9]{2}):([0-9]{2}),([0-9]{2})-([0-9]{2})-([0-9]{4})\Z")


def format_time(moment: datetime) -> bytes:
    """`moment` is aware; the text is in UTC and has no underscore."""
    return clock_text(moment if moment.tzinfo is UTC else moment.astimezone(UTC))


def clock_text(at: datetime) -> bytes:
    """What a clock in the zone of `at` shows."""
    iso = at.isoformat()
    return f"{iso[11:19]},{iso[5:10]}-{iso[:4]}".encode("ascii")


def read_time(text: bytes, zone: tzinfo = UTC, day_first: bool = False) -> datetime | None:
    """The instant, aware UTC; None where the text is no time. `zone` and `day_first`: panels that differ (dc09.md
    16).
    """
    return _read_time(text, zone, day_first) if len(text) <= _LONGEST_TIME else None


@lru_cache(maxsize=1024)
def _read_time(text: bytes, zone: tzinfo, day_first: bool) -> datetime | None:
    """Kept, because the same second comes from many panels, and with one event more than once."""
    match = _TIME.match(text)
    if match is None:
        return None
    hour, minute, second, month, day, year = map(int, match.groups())
    if day_first:
        month, day = day, month
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
        return moment if zone is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def in_window(moment: datetime, now: datetime, ahead: timedelta = AHEAD, behind: timedelta = BEHIND) -> bool:
    """Whether a message of `moment` may be taken at `now` (dc09.md 8). Fractions of our second do not count."""
    return -behind <= moment - now.replace(microsecond=0) <= ahead
