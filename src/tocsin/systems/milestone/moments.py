"""Times as XProtect writes them (connectors.md 1.8). Pure."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_FORM = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?")


def instant(text: str, zone: str) -> datetime | None:
    """Up to nine fraction digits; without an offset the time is of `zone`. None if it is no time."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    whole, fraction, offset = found.groups()
    try:
        if offset == "Z":
            return datetime.fromisoformat(text)
        moment = datetime.fromisoformat(f"{whole}.{(fraction or '0')[:6]:0<6}{offset or ''}")
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=ZoneInfo(zone))
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def written(moment: datetime) -> str:
    """UTC with seven fraction digits, as XProtect writes them: rounded, a filter would give the last event again."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
