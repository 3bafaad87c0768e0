"""Who asks, where reverse proxies stand between: only those that the configuration names are believed. Pure."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Proxies = Sequence[IPv4Network | IPv6Network]
"""Where trusted proxies are; empty: nobody is believed."""

_MOST_HOPS = 20
_LONGEST_ENTRY = 64


def caller(peer: str, forwarded_for: Sequence[str], trusted: Proxies) -> str:
    """The address of who asks. `peer`: the other end of the connection; `forwarded_for`: all `X-Forwarded-For` lines.

    Each proxy adds at the right whom it got the request from, so what stands left of the first address that is no
    trusted proxy's may be made up by anybody. Where an entry is no address, the proxy that passed it on is the caller.
    """
    known = _address(peer)
    if known is None:
        return peer
    for entry in _from_the_right(forwarded_for):
        before = _address(_without_port(entry)) if within(known, trusted) else None
        if before is None:
            break
        known = before
    return str(known)


def by_https(peer: str, forwarded_proto: str, trusted: Proxies) -> bool:
    """Whether a trusted proxy says that the browser came to it by https; the first of several is the browser's."""
    known = _address(peer)
    said = forwarded_proto.partition(",")[0].strip().lower()
    return known is not None and said == "https" and within(known, trusted)


def within(address: Address, networks: Proxies) -> bool:
    return any(address in network for network in networks)


def _from_the_right(lines: Sequence[str]) -> Sequence[str]:
    entries = ",".join(lines).rsplit(",", _MOST_HOPS)[-_MOST_HOPS:]
    return [entry.strip(" \t") for entry in reversed(entries)]


def _without_port(entry: str) -> str:
    """Of `address`, `IPv4:port`, `[IPv6]` or `[IPv6]:port`. Empty for others; a zone means nothing here."""
    if len(entry) > _LONGEST_ENTRY or "%" in entry:
        return ""
    if entry.startswith("["):
        host, bracket, rest = entry[1:].partition("]")
        return host if bracket and ":" in host and (not rest or _is_port(rest)) else ""
    host, colon, port = entry.partition(":")
    if not colon or ":" in port:
        return entry
    return host if _is_port(colon + port) else ""


def _is_port(text: str) -> bool:
    digits = text[1:]
    return text[0] == ":" and digits.isascii() and digits.isdigit() and len(digits) <= 5


@lru_cache(1024)
def _address(text: str) -> Address | None:
    """An IPv4 caller at a socket for both versions has an IPv6 address, and is the same caller all the same."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
