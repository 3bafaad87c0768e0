"""How long somebody who failed to log in must wait. Pure but for the clock it is given.

Counted by user and source address: whoever guesses from elsewhere never holds up a station, and nobody is held up for
longer than five minutes at a time.
"""

import ipaddress
from collections.abc import Callable

from msgspec import Struct

FREE_FAILURES = 5
FIRST_S = 30.0
LONGEST_S = 300.0
FORGOTTEN_S = 900.0
MOST_REMEMBERED = 4096

Key = tuple[str, str]


class _Failures(Struct):
    count: int = 0
    last: float = 0.0
    until: float = 0.0


class Lockouts:
    """Tries made while one must wait are not looked at and do not count."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        free: int = FREE_FAILURES,
        first_s: float = FIRST_S,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._monotonic = monotonic
        self._free = free
        self._first_s = first_s
        self._longest_s = longest_s
        self._failures: dict[Key, _Failures] = {}

    def wait_s(self, key: Key) -> float:
        """Seconds until the next try is looked at; 0: now."""
        known = self._failures.get(key)
        return 0.0 if known is None else max(0.0, known.until - self._monotonic())

    def failed(self, key: Key) -> float:
        """A wrong password. Returns for how long nothing is looked at."""
        now = self._monotonic()
        known = self._failures.pop(key, None)
        if known is None or now - known.last > FORGOTTEN_S:
            known = _Failures()
        known.count, known.last = known.count + 1, now
        surplus = known.count - self._free
        wait_s = min(self._first_s * 2.0 ** min(surplus, 10), self._longest_s) if surplus >= 0 else 0.0
        known.until = now + wait_s
        self._failures[key] = known
        if len(self._failures) > MOST_REMEMBERED:
            del self._failures[next(iter(self._failures))]
        return wait_s

    def succeeded(self, key: Key) -> None:
        self._failures.pop(key, None)


def neighbourhood(peer: str) -> str:
    """The address; of IPv6 the network that one customer has."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    return peer if address.version == 4 else str(ipaddress.ip_network(f"{peer.partition('%')[0]}/64", strict=False))
