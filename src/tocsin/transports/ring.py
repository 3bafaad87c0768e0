"""In which order the hosts of a station are tried. Pure."""

from collections.abc import Hashable, Sequence
from typing import TypeVar

Host = TypeVar("Host", bound=Hashable)


def round_order(hosts: Sequence[Host], linked: Host | None = None) -> list[Host]:
    """The hosts for one round, each once.

    Every new connection starts at the first host (stations.md 8.1); a link that still stands is used before a new
    one is opened, whichever host it leads to.
    """
    order = list(dict.fromkeys(hosts))
    if linked in order:
        order.remove(linked)
        order.insert(0, linked)
    return order
