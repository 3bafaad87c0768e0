"""Whether the time that came with an event is believed; one that cannot be right is no reason to lose an alarm. Pure.

Both answer with when it occurred, which is when it came if nothing better is known, and with the event's flags.
"""

from datetime import UTC, datetime, timedelta

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
FURTHEST_AHEAD = timedelta(hours=24)
SYSTEM_WITHIN = timedelta(hours=24)
"""A system's time is believed this far from the gateway's (connectors.md 1.7)."""
ABSURD = ("time_absurd",)


def told_time(given: datetime | None, now: datetime) -> tuple[datetime, tuple[str, ...]]:
    """Of a source that may have kept the event back for as long as it was cut off."""
    if given is None:
        return now, ()
    return (given, ()) if EARLIEST <= given <= now + FURTHEST_AHEAD else (now, ABSURD)


def system_time(given: datetime | None, now: datetime) -> tuple[datetime, tuple[str, ...]]:
    """Of a system that is listened to all the time."""
    if given is None:
        return now, ()
    return (given, ()) if abs(given - now) <= SYSTEM_WITHIN else (now, ABSURD)
