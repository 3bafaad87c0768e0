"""When a device is armed by its saved schedule: `Mon-Fri 18:00-06:00; Sat,Sun 00:00-24:00`. Pure.

Rules are separated by semicolons; each names days and the spans of these days in which the device is armed, in the
device's own time zone. A span that ends at or before its start ends on the next day. Outside all spans the device is
disarmed. Where summer time doubles or skips a time, the device is rather armed than not.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from msgspec import Struct

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WHOLE_DAY = 1440
_REACH = 8
"""Days looked at before and after: a week and the days that a span may reach into."""
_SPAN = re.compile(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})")
_EXAMPLE = 'expected such as "Mon-Fri 18:00-06:00; Sat,Sun 00:00-24:00"'


class Span(Struct, frozen=True):
    """Minutes from the start of each of its days (0 is Monday); `end` is beyond 1440 when it is on the next day."""

    days: frozenset[int]
    start: int
    end: int


class Phase(Struct, frozen=True):
    """What the schedule says at an instant: armed or not, since when and until when, and when it arms next.

    None: always, never.
    """

    armed: bool
    since: datetime | None
    until: datetime | None
    next_arming: datetime | None


class ArmingSchedule(Struct, frozen=True):
    spans: tuple[Span, ...]

    def phase(self, now: datetime, zone: tzinfo) -> Phase:
        """Instants are UTC."""
        armed = list(_merged(sorted(self._armed(now.astimezone(zone).date(), zone))))
        begun = [span for span in armed if span[0] <= now]
        following = armed[len(begun)][0] if len(begun) < len(armed) else None
        if not begun:
            return Phase(False, None, following, following)
        start, end = begun[-1]
        if now >= end:
            return Phase(False, end, following, following)
        always = end - start > timedelta(days=_REACH)
        return Phase(True, None if always else start, None if always else end, following)

    def _armed(self, today: date, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
        for offset in range(-_REACH, _REACH + 1):
            day = today + timedelta(days=offset)
            for span in self.spans:
                if day.weekday() in span.days:
                    yield _instants(day, span.start, zone)[0], _instants(day, span.end, zone)[1]


def _instants(day: date, minutes: int, zone: tzinfo) -> tuple[datetime, datetime]:
    """The earlier and the later instant that a wall clock may mean; the same but for the hour of a change."""
    days, minute = divmod(minutes, _WHOLE_DAY)
    wall = datetime.combine(day + timedelta(days=days), time(minute // 60, minute % 60), zone)
    both = sorted(wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    return both[0], both[1]


def _merged(spans: list[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    start, end = spans[0]
    for following_start, following_end in spans[1:]:
        if following_start <= end:
            end = max(end, following_end)
        else:
            yield start, end
            start, end = following_start, following_end
    yield start, end


@lru_cache(maxsize=1000)
def arming_schedule(text: str) -> ArmingSchedule:
    """Read the written form. Raises ValueError."""
    return ArmingSchedule(tuple(span for rule in text.split(";") for span in _rule(rule.strip())))


def _rule(text: str) -> Iterator[Span]:
    days, _, spans = text.partition(" ")
    if not spans.strip():
        raise ValueError(f"{text!r} names no days or no times: {_EXAMPLE}")
    listed = frozenset(day for part in days.split(",") for day in _days(part))
    for span in spans.split(","):
        yield Span(listed, *_minutes(span.strip()))


def _days(text: str) -> Iterator[int]:
    first, dash, last = text.partition("-")
    for name in (first, last) if dash else (first,):
        if name not in DAYS:
            raise ValueError(f"{name!r} is no day: Mon, Tue, Wed, Thu, Fri, Sat, Sun; {_EXAMPLE}")
    start, end = DAYS.index(first), DAYS.index(last or first)
    return (day % 7 for day in range(start, end + 1 if end >= start else end + 8))


def _minutes(text: str) -> tuple[int, int]:
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no span of time: {_EXAMPLE}")
    hours = tuple(int(part) for part in match.groups())
    start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    if hours[1] > 59 or hours[3] > 59 or start >= _WHOLE_DAY or end > _WHOLE_DAY:
        raise ValueError(f"{text!r} is no time of day: 00:00 to 23:59, or 24:00 as an end")
    if start == end:
        raise ValueError(f"{text!r} is empty; a whole day is 00:00-24:00")
    return start, end if end > start else end + _WHOLE_DAY
