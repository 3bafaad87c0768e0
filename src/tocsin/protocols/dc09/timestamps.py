"""The time of DC-09: `HH:MM:SS,MM-DD-YYYY`, month before day, UTC (dc09.md 8)."""

from datetime import UTC, datetime, timedelta, tzinfo

AHEAD = timedelta(seconds=20)
BEHIND = timedelta(seconds=40)

_LENGTH = len("HH:MM:SS,MM-DD-YYYY")
_DIGITS = ((0, 2), (3, 5), (6, 8), (9, 11), (12, 14), (15, 19))
_MARKS = b"::,--"


def format_time(moment: datetime) -> bytes:
    """`moment` is aware; the text is in UTC and has no underscore."""
    at = moment.astimezone(UTC)
    return b"%02d:%02d:%02d,%02d-%02d-%04d" % (at.hour, at.minute, at.second, at.month, at.day, at.year)


def read_time(text: bytes, zone: tzinfo = UTC, day_first: bool = False) -> datetime | None:
    """The instant, aware UTC; None where the text is no time. `zone` and `day_first`: panels that differ (dc09.md
    16).
    """
    text = text.removeprefix(b"_")
    if len(text) != _LENGTH or text[2::3][:2] + text[8:9] + text[11:15:3] != _MARKS:
        return None
    parts = [text[start:stop] for start, stop in _DIGITS]
    if not b"".join(parts).isdigit():
        return None
    hour, minute, second, month, day, year = map(int, parts)
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
