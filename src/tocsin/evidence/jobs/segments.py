"""What of a request is fetched as which file (clearance.md 8.1). Pure."""

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from tocsin.engine.systems import Span

GAP_S = 2.0
LONGEST_S = 3600.0
SHORTEST_S = 60.0
"""A segment is not cut into pieces that are shorter."""
LONGEST_NAME = 120
_FOREIGN = re.compile(r"[^A-Za-z0-9._-]+")


def segments(wanted: Span, recorded: Sequence[Span], longest_s: float = LONGEST_S) -> list[Span]:
    """Pieces of what is recorded within the request, none longer than `longest_s`; a gap over 2 s ends a piece."""
    return [piece for span in joined(clipped(wanted, recorded)) for piece in cut(span, longest_s)]


def clipped(wanted: Span, recorded: Sequence[Span]) -> list[Span]:
    """In order of their start."""
    found = [Span(max(one.start, wanted.start), min(one.end, wanted.end)) for one in recorded]
    return sorted((one for one in found if one.start < one.end), key=lambda one: (one.start, one.end))


def joined(spans: Sequence[Span]) -> list[Span]:
    """Gaps up to 2 s are none."""
    found: list[Span] = []
    for span in spans:
        if found and (span.start - found[-1].end).total_seconds() <= GAP_S:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return found


def cut(span: Span, longest_s: float) -> list[Span]:
    """Into equal pieces, so that none is a mere rest."""
    pieces = max(math.ceil(span.length.total_seconds() / longest_s), 1)
    marks = [span.start + span.length * n / pieces for n in range(pieces)] + [span.end]
    return [Span(*pair) for pair in pairwise(marks)]


def halves(span: Span) -> list[Span]:
    """Two, or none when they would be too short."""
    return cut(span, span.length.total_seconds() / 2) if span.length.total_seconds() >= 2 * SHORTEST_S else []


def whole(wanted: Span, delivered: Sequence[Span]) -> bool:
    """Whether all of the request was delivered, but for gaps up to 2 s."""
    found = joined(clipped(wanted, delivered))
    near = timedelta(seconds=GAP_S)
    return len(found) == 1 and found[0].start - wanted.start <= near and wanted.end - found[0].end <= near


def file_name(camera: str, start: datetime, seconds: float, suffix: str = "mp4") -> str:
    """`{camera}_{start UTC}_{seconds}s.mp4`, at most 120 characters of A-Z a-z 0-9 . _ -"""
    tail = f"_{start.astimezone(UTC):%Y%m%dT%H%M%SZ}_{round(seconds)}s.{suffix}"
    return plain_name(camera)[: LONGEST_NAME - len(tail)] + tail


def plain_name(text: str) -> str:
    return _FOREIGN.sub("_", text).strip("._-") or "camera"
