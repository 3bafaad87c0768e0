"""Settings that can be used and will hardly do what is meant: told by `check`, with their place. Pure."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from tocsin.engine.attempts import ATTEMPT_LIMIT_S

SMALLEST_PICTURE = 10_000
"""Detectors send 10 to 20 kB (stations.md 1.7), and none is made smaller than this."""

_TLS_AT_ONCE, _PLAIN_FIRST = frozenset({443, 465, 990}), frozenset({21, 25, 80, 587})
"""Ports where TLS is spoken from the first byte by custom, and where it is not."""


class Doubt(Struct, frozen=True):
    """`place` are the keys below the destination's table."""

    place: tuple[str, ...]
    message: str
    hint: str = ""


def common_doubts(settings: Any) -> list[Doubt]:
    """What any type's settings may say. Goes by names that mean the same in every type: `photos`, `hosts`, `urls`,
    `tls.mode`.
    """
    return [
        *_nothing_passes(settings),
        *_expires_early(settings),
        *_no_room_for_pictures(settings),
        *_hosts_out_of_reach(settings),
        *_other_port(settings),
    ]


def _nothing_passes(settings: Any) -> list[Doubt]:
    rule = settings.filter.rule()
    empty = any(one is not None and not one for one in (rule.kinds, rule.states, rule.areas, rule.sources))
    if empty or (rule.kinds is not None and rule.kinds <= rule.exclude_kinds):
        return [Doubt(("filter",), "lets no event through", "leave out the list that is empty, or says the opposite")]
    return []


def _expires_early(settings: Any) -> list[Doubt]:
    expire_s, hold_s = settings.retry.expire, settings.hold_s()
    if expire_s > hold_s:
        return []
    message = (
        f"events are given up after {expire_s:g} s, and one may be held {hold_s:g} s for its photos and classification"
    )
    return [Doubt(("retry", "expire"), message, 'a day is usual: "24h"')]


def _no_room_for_pictures(settings: Any) -> list[Doubt]:
    most = getattr(getattr(settings, "photos", None), "max_bytes", None)
    if most is None or most >= SMALLEST_PICTURE or not settings.wants_photos():
        return []
    message = f"in {most} bytes there is no room for a picture: all are left out"
    return [Doubt(("photos", "max_bytes"), message, "it counts bytes, of all pictures of an event: 4000000 is usual")]


def _hosts_out_of_reach(settings: Any) -> list[Doubt]:
    name = "hosts" if hasattr(settings, "hosts") else "urls"
    others, each_s = len(getattr(settings, name, ())) - 1, settings.host_s()
    if others < 1 or others * each_s < ATTEMPT_LIMIT_S:
        return []
    message = (
        f"while the others stay silent, {each_s:g} s each, the last is never tried: an attempt ends after "
        f"{ATTEMPT_LIMIT_S:g} s"
    )
    return [Doubt((name,), message, "give shorter timeouts, or fewer of them")]


def _other_port(settings: Any) -> list[Doubt]:
    """A port where the other end by custom waits for TLS that never comes, or cannot make anything of it."""
    mode = getattr(getattr(settings, "tls", None), "mode", None)
    ports = {endpoint.port for endpoint in settings.endpoints()} if mode is not None else set()
    odd = sorted(ports & (_PLAIN_FIRST if mode == "implicit" else _TLS_AT_ONCE))
    if odd:
        first = "does not begin with TLS, as mode implicit does" if mode == "implicit" else "begins with TLS"
        other = '"required" or another port' if mode == "implicit" else '"implicit" or another port'
        return [Doubt(("tls", "mode"), f"what listens on port {odd[0]} usually {first}", other)]
    return [*_other_scheme(settings)]


def _other_scheme(settings: Any) -> Iterator[Doubt]:
    urls = [("url", getattr(settings, "url", "")), *(("urls", url) for url in getattr(settings, "urls", ()))]
    for name, url in urls:
        parts = urlsplit(url)
        if parts.port in (_PLAIN_FIRST if parts.scheme == "https" else _TLS_AT_ONCE):
            scheme = "http" if parts.scheme == "https" else "https"
            yield Doubt((name,), f"what listens on port {parts.port} usually speaks {scheme}", f"{scheme}://")
