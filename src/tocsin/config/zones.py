"""Time zones as they are written in the configuration."""

import zoneinfo
from typing import Annotated

from pydantic import AfterValidator


def _known_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError('not the name of a time zone: expected one such as "Europe/Tallinn" or "UTC"') from None
    return name


TimeZone = Annotated[str, AfterValidator(_known_zone)]
"""An IANA name."""
