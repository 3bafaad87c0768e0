"""What must outlive a reload: what a person paused, and what stations were told and still have to hear the end of."""

from msgspec import Struct


class Standing(Struct, frozen=True):
    """Destinations paused by hand, destinations announced as down, supervised subjects of sources and paths of
    destinations announced as lost.
    """

    paused: frozenset[str] = frozenset()
    down: frozenset[str] = frozenset()
    lost: frozenset[tuple[str, str]] = frozenset()
    paths: frozenset[tuple[str, str]] = frozenset()
