"""In which order the hosts of a station are tried. Pure."""

from collections.abc import Collection, Hashable, Sequence
from typing import TypeVar

Host = TypeVar("Host", bound=Hashable)


def round_order(hosts: Sequence[Host], without: Collection[Host] = ()) -> list[Host]:
    """The hosts for one round of new connections, each once: every new connection starts at the first host that may
    be asked (stations.md 8.1).
    """
    return [host for host in dict.fromkeys(hosts) if host not in without]


def turn_order(hosts: Sequence[Host], turn: int) -> list[Host]:
    """The hosts for one upload, each once: every turn starts one further (stations.md 8.2)."""
    once = list(dict.fromkeys(hosts))
    start = turn % len(once) if once else 0
    return once[start:] + once[:start]
