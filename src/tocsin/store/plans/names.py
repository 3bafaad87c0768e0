"""Destinations by name and number."""

from collections.abc import Iterable

from tocsin.store.steps import Bulk, Query, Steps


def destination_ids(names: Iterable[str]) -> Steps[dict[str, int]]:
    """The numbers of destinations, given now to those seen for the first time."""
    wanted = sorted(names)
    if not wanted:
        return {}
    found: dict[str, int] = dict((yield Query("destination_ids", (wanted,))))
    missing = [(name,) for name in wanted if name not in found]
    if missing:
        yield Bulk("add_destinations", missing)
        found = dict((yield Query("destination_ids", (wanted,))))
    return found
