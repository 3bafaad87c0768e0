"""Which store a place in the configuration means; without loading either engine."""

import re
from urllib.parse import parse_qsl, urlsplit

_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.%\w]+\]|[^\[\]:@,]*)(?::[0-9]{1,5})?")


def is_postgres(place: str) -> bool:
    """Else it is the path of an SQLite file."""
    return place.startswith(("postgresql://", "postgres://"))


def is_address(url: str) -> bool:
    """Whether a PostgreSQL URL can be taken apart: a password with a bare `/` or `?` in it would pass for a host."""
    try:
        parts = urlsplit(url)
        parse_qsl(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        return False
    hosts = parts.netloc.rpartition("@")[2].split(",")
    return all(map(_HOST.fullmatch, hosts)) and "@" not in parts.path and not parts.fragment
