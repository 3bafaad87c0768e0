"""When the next reading is due: an interval, or five cron fields in a time zone. Pure.

A small part of cron, of which five plain fields suffice for a reading a day: numbers, lists, ranges, steps and `*`.
Day and weekday must both hold; there are no names and no `@daily`. At the change to summer time a minute that does not
exist is passed over; at the change back one that comes twice counts once.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_LONGEST_SEARCH_DAYS = 366 * 5
JITTER = 0.1


class Cron(Struct, frozen=True):
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> "Cron":
        """Raises ValueError naming the field."""
        fields = text.split()
        if len(fields) != len(_FIELDS):
            raise ValueError(f"{len(fields)} fields instead of five: minute hour day month weekday")
        found = [frozenset(_values(field, *said)) for field, said in zip(fields, _FIELDS, strict=True)]
        minutes, hours, days, months, weekdays = found
        return cls(minutes, hours, days, months, frozenset(day % 7 for day in weekdays))

    def after(self, instant: datetime, zone: ZoneInfo) -> datetime:
        """The first minute after an instant that all fields name. Raises ValueError without one in five years."""
        day = instant.astimezone(zone).date()
        for _ in range(_LONGEST_SEARCH_DAYS):
            if day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays:
                for hour in sorted(self.hours):
                    for minute in sorted(self.minutes):
                        local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                        found = local.astimezone(UTC)
                        if found > instant and found.astimezone(zone).hour == hour:
                            return found
            day += timedelta(days=1)
        raise ValueError("no day of the next five years fits")


def _values(field: str, name: str, least: int, most: int) -> Iterator[int]:
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        numbers = [least, most] if span == "*" else [_number(first, name), _number(last if dash else first, name)]
        every = _number(step, name) if "/" in part else 1
        low, high = numbers
        if not (least <= low <= high <= most) or every < 1:
            raise ValueError(f'the {name} "{field}" is not within {least} to {most}')
        yield from range(low, high + 1, every)


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 2):
        raise ValueError(f'the {name} has "{text}" where a number is expected, such as 3, 1-5, */10 or *')
    return int(text)


def jittered(every_s: float, randomness: float) -> float:
    """The interval ±10 %; `randomness` from 0 to 1."""
    return every_s * (1 - JITTER + 2 * JITTER * randomness)
