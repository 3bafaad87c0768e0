"""Times as XProtect writes them (connectors.md 1.8). Pure."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def moment(text: str) -> datetime | None:
    """Digits beyond microseconds are left out: a time is never taken for a later one. None if it is no time."""
    try:
        return datetime.fromisoformat(text) if text[10:11] == "T" else None
    except ValueError:
        return None


def instant(told: str | datetime | None, zone: str) -> datetime | None:
    """Without an offset the time is of `zone`. None if it is no time."""
    found = moment(told) if isinstance(told, str) else told
    if found is None or found.tzinfo is UTC:
        return found
    try:
        return (found if found.tzinfo is not None else found.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except OverflowError:
        return None


def written(at: datetime) -> str:
    """UTC with seven fraction digits, as XProtect writes them: rounded, a filter would give the last event again."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
