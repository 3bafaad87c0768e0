"""Recorders that play recordings over RTSP under an address with the time in it (connectors.md 7).

Which times a recorder holds is not asked: a request is taken as held and what it plays is what there is.
"""

import re
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from tocsin.engine.contracts import Clock
from tocsin.engine.systems import Span
from tocsin.evidence.archives.instants import instant, microseconds
from tocsin.evidence.contracts import Fetched, Impossible, NotNow, Taken, UnknownCamera
from tocsin.media.child import NotMade
from tocsin.media.mp4 import Limits, limits_for, played
from tocsin.media.video_plan import PlayPlan

_TIME = re.compile(r"\{(start|end):([^{}]+)\}")
SLOWEST = 2.0
"""Times the length of the video, for a recorder that plays no faster than it recorded."""


class RtspRules(NamedTuple):
    """`urls`: by device id, with `{start:…}` and `{end:…}` in the recorder's own `zone`, without user and password."""

    urls: Mapping[str, str]
    user: str
    password: str
    zone: tzinfo
    timeout_s: float
    audio: bool


class RtspArchive:
    def __init__(self, name: str, rules: RtspRules, clock: Clock) -> None:
        self._name = name
        self._rules = rules
        self._clock = clock

    def holds(self, device: str) -> bool:
        return device in self._rules.urls

    async def recordings(self, device: str, span: Span) -> Sequence[Span]:
        end = min(span.end, self._clock.now() - timedelta(seconds=10))
        return [Span(span.start, end)] if end > span.start else []

    async def extents(self, devices: Sequence[str]) -> AsyncGenerator[tuple[str, Span], None]:
        nothing: tuple[tuple[str, Span], ...] = ()
        for one in nothing:
            yield one

    async def fetch(self, device: str, span: Span, into: Path, told: Callable[[float], None]) -> Fetched:
        rules, seconds = self._rules, span.length.total_seconds()
        if not self.holds(device):
            raise UnknownCamera("unknown device")
        url = with_login(written(rules.urls[device], span, rules.zone), rules.user, rules.password)
        plan = PlayPlan(
            str(into), url, microseconds(span.start), round(seconds * 1_000_000), rules.timeout_s, rules.audio
        )
        limits = limits_for(seconds, seconds * SLOWEST + Limits(0).computing_s)
        made = await played(plan, limits, told)
        if isinstance(made, NotMade):
            raise NotNow(f"{self._name} plays nothing of {device}: {without(made.reason, rules.password)}")
        return Fetched(into, "video/mp4", instant(made.first_us), instant(made.end_us), f"rtsp {self._name} {device}")

    async def picture(self, device: str, at: datetime | None = None) -> Taken:
        raise Impossible(f"{self._name} gives recordings only")


def written(url: str, span: Span, zone: tzinfo) -> str:
    times = {"start": span.start, "end": span.end}
    return _TIME.sub(lambda found: times[found[1]].astimezone(zone).strftime(found[2]), url)


def with_login(url: str, user: str, password: str) -> str:
    """In memory only: it goes to the process over a pipe."""
    if not user:
        return url
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{quote(user, safe='')}:{quote(password, safe='')}@{rest}"


def without(text: str, secret: str) -> str:
    for one in filter(None, (secret, quote(secret, safe=""))):
        text = text.replace(one, "…")
    return text
