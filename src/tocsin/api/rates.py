"""How often one address may ask: a bucket that fills again with time. Bounded, also against many addresses."""

import ipaddress
from collections.abc import Callable

_REMEMBERED = 4096


class Rate:
    """At most `per_minute` at once, and as many again each minute."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float]) -> None:
        self._most = float(per_minute)
        self._monotonic = monotonic
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, peer: str) -> bool:
        """Whether this address may ask once more; if so, that is counted."""
        key, now = _network(peer), self._monotonic()
        left, since = self._left.pop(key, (self._most, now))
        left = min(self._most, left + (now - since) * self._most / 60)
        allowed = left >= 1
        self._left[key] = (left - allowed, now)
        if len(self._left) > _REMEMBERED:
            del self._left[next(iter(self._left))]
        return allowed


def _network(peer: str) -> str:
    """Whoever has an IPv6 address has 2^64 of them."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    return peer if address.version == 4 else str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
