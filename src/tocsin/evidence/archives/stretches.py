"""From files of one camera to unbroken stretches, and back to parts of files. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from tocsin.engine.systems import Span
from tocsin.evidence.archives.instants import microseconds
from tocsin.media.video_plan import Piece

GAP = timedelta(seconds=2)


class Recorded(NamedTuple):
    """A file, as long as it was measured. Files of one `sort` can follow each other in one file."""

    path: str
    start: datetime
    end: datetime
    sort: str


def stretches(files: Sequence[Recorded], span: Span) -> list[Span]:
    """Clipped to the span, oldest first; a gap over 2 s or another sort of video ends a stretch."""
    found: list[tuple[Span, str]] = []
    for one in _within(files, span):
        clipped = Span(max(one.start, span.start), min(one.end, span.end))
        if found and found[-1][1] == one.sort and clipped.start - found[-1][0].end <= GAP:
            found[-1] = (Span(found[-1][0].start, max(found[-1][0].end, clipped.end)), one.sort)
        else:
            found.append((clipped, one.sort))
    return [each for each, _ in found]


def pieces(files: Sequence[Recorded], span: Span) -> list[Piece]:
    """What to copy for the span; where files overlap the later one begins at its start."""
    wanted = list(_within(files, span))
    found = []
    for n, one in enumerate(wanted):
        until = min(one.end, span.end, *(after.start for after in wanted[n + 1 : n + 2]))
        start_us = max(microseconds(span.start) - microseconds(one.start), 0)
        end_us = microseconds(until) - microseconds(one.start)
        if end_us > start_us:
            found.append(Piece(one.path, microseconds(one.start), start_us, end_us))
    return found


def _within(files: Sequence[Recorded], span: Span) -> Iterator[Recorded]:
    """In order, without those that show nothing new: ending the file before them there would lose its rest."""
    shown = span.start
    for one in sorted(files, key=lambda one: (one.start, one.path)):
        if one.start < span.end and one.end > max(one.start, shown):
            shown = one.end
            yield one
