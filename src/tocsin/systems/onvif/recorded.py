"""What a device says of its recordings (ONVIF Recording Search), and the stretches that follow from it. Pure."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from tocsin.engine.systems import Span
from tocsin.systems.onvif import facts, soap
from tocsin.systems.onvif.facts import MOST

if TYPE_CHECKING:
    from lxml import etree

TRACK_STATE = "RecordingHistory/Track/State"


class Recording(Struct, frozen=True):
    """`names` are what it calls its source. `video` are the tokens of its video tracks."""

    token: str
    names: tuple[str, ...]
    start: datetime | None
    end: datetime | None
    video: tuple[str, ...] = ()


class Change(Struct, frozen=True):
    """From `at` on there is something recorded on this track, or nothing."""

    recording: str
    track: str
    at: datetime
    present: bool


class Stretch(Struct, frozen=True):
    """Recorded without a gap, in one recording."""

    recording: str
    span: Span


def search_token(answer: "etree._Element") -> str:
    return soap.text(answer, "SearchToken")[:200]


def is_over(answer: "etree._Element") -> bool:
    """Whether a search has found all it will find."""
    state = soap.text(next(soap.below(answer, "SearchState"), None))
    return state not in ("Queued", "Searching")


def recordings(answer: "etree._Element") -> tuple[Recording, ...]:
    """Of GetRecordingSearchResults."""
    return tuple(_recording(one) for one in list(soap.below(answer, "RecordingInformation"))[:MOST])


def _recording(one: "etree._Element") -> Recording:
    source = soap.child(one, "Source")
    names = (soap.text(source, name)[:200] for name in ("SourceId", "Name"))
    tracks = [track for track in soap.below(one, "Track") if soap.text(track, "TrackType") == "Video"]
    bounds = [(soap.text(track, "DataFrom"), soap.text(track, "DataTo")) for track in tracks]
    bounds += [(soap.text(one, "EarliestRecording"), soap.text(one, "LatestRecording"))]
    begins, ends = ([found for text in texts if (found := facts.instant(text))] for texts in zip(*bounds, strict=True))
    return Recording(
        soap.text(one, "RecordingToken")[:200],
        tuple(filter(None, names)),
        min(begins, default=None),
        max(ends, default=None),
        tuple(soap.text(track, "TrackToken")[:200] for track in tracks),
    )


def changes(answer: "etree._Element") -> tuple[Change, ...]:
    """Of GetEventSearchResults: when tracks began and ceased to hold something."""
    found = []
    for one in list(soap.below(answer, "Result"))[:MOST]:
        items = {item.get("Name"): item.get("Value", "") for item in soap.below(one, "SimpleItem")}
        topic = soap.text(next(soap.below(one, "Topic"), None))
        at = facts.instant(soap.text(one, "Time"))
        if at is not None and topic.endswith(TRACK_STATE) and "IsDataPresent" in items:
            present = str(items["IsDataPresent"]).lower() in ("true", "1")
            found.append(Change(soap.text(one, "RecordingToken"), soap.text(one, "TrackToken"), at, present))
    return tuple(found)


def of_camera(found: Sequence[Recording], tokens: Collection[str], only: bool) -> list[Recording]:
    """The camera's own: those of a source it is called by; all, where the device has one camera `only`."""
    return [one for one in found if only or not set(tokens).isdisjoint(one.names)]


def extent(found: Sequence[Recording]) -> Span | None:
    """From the first to the last picture; None where a recording does not say, as while it goes on."""
    begins, ends = [one.start for one in found if one.start], [one.end for one in found if one.end]
    if not found or len(begins) < len(found) or len(ends) < len(found) or min(begins) >= max(ends):
        return None
    return Span(min(begins), max(ends))


def stretches(found: Iterable[Recording], changed: Sequence[Change], span: Span) -> list[Stretch]:
    """Within the span, oldest first. Where a device tells no changes a recording counts as one stretch."""
    made = [
        Stretch(one.token, Span(max(begin, span.start), min(end, span.end)))
        for one in found
        for begin, end in _held(one, [each for each in changed if each.recording == one.token], span)
        if max(begin, span.start) < min(end, span.end)
    ]
    return sorted(made, key=lambda one: (one.span.start, one.span.end, one.recording))


def _held(one: Recording, changed: Sequence[Change], span: Span) -> list[tuple[datetime, datetime]]:
    """Without an end it is still being recorded."""
    first, last = one.start or span.start, one.end or span.end
    of_video = [each for each in changed if not one.video or each.track in one.video]
    if not of_video:
        return [(first, last)]
    held: list[tuple[datetime, datetime]] = []
    since: datetime | None = None
    for each in sorted(of_video, key=lambda each: each.at):
        if each.present and since is None:
            since = each.at
        elif not each.present and since is not None:
            held.append((since, each.at))
            since = None
    return [*held, (since, max(last, since))] if since is not None else held


def merged(found: Sequence[Stretch]) -> list[Span]:
    """Where one ends and another begins there is no gap."""
    spans: list[Span] = []
    for one in found:
        if spans and one.span.start <= spans[-1].end:
            spans[-1] = Span(spans[-1].start, max(spans[-1].end, one.span.end))
        else:
            spans.append(one.span)
    return spans
