"""Settings that can be used and will hardly do what is meant: told by `check`, with their place. Pure."""

from typing import Any

from msgspec import Struct

from tocsin.engine.attempts import ATTEMPT_LIMIT_S

SMALLEST_PICTURE = 10_000
"""Detectors send 10 to 20 kB (stations.md 1.7), and none is made smaller than this."""


class Doubt(Struct, frozen=True):
    """`place` are the keys below the destination's table."""

    place: tuple[str, ...]
    message: str
    hint: str = ""


def common_doubts(settings: Any) -> list[Doubt]:
    """What any type's settings may say. Goes by names that mean the same in every type: `photos`, `hosts`, `urls`."""
    return [*_expires_early(settings), *_no_room_for_pictures(settings), *_hosts_out_of_reach(settings)]


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
