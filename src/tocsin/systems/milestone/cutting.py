"""Which of the frames that a recording server sends belong to a span (connectors.md 4.9). Pure."""

from collections.abc import Sequence
from datetime import timedelta

from tocsin.engine.systems import Frame, ProtocolFault, Span

FARTHEST = timedelta(seconds=1)
"""Asked for a moment in a gap, a recorder begins with what lies before it: what ended this long before the start is not
of the span.
"""
MOST_WAITING = 64 * 1024 * 1024


class Unseen:
    """At its end a recording gives its last pictures again and again, and those being written more of them each time:
    what was seen of an answer is known by its time, which the recorder gives as `Current`.
    """

    def __init__(self) -> None:
        self._at_ms = -1
        self._count = 0

    def of(self, at_ms: int, frames: Sequence[Frame]) -> Sequence[Frame]:
        """The frames of an answer that were not in an earlier one."""
        if at_ms < self._at_ms:
            return ()
        begin = self._count if at_ms == self._at_ms else 0
        self._at_ms, self._count = at_ms, max(begin, len(frames))
        return frames[begin:]


class Cut:
    """Takes frames in decoding order. `done` once one lies behind the end of the span."""

    def __init__(self, span: Span) -> None:
        self.done = False
        self._span = span
        self._begun = False
        self._waiting: list[Frame] = []
        self._size = 0

    def take(self, frames: Sequence[Frame]) -> list[Frame]:
        """Those that belong to the span. Raises ProtocolFault where no end of a group of pictures comes."""
        if self.done:
            return []
        return self._until_the_end(frames if self._begun else self._begin(frames))

    def _begin(self, frames: Sequence[Frame]) -> list[Frame]:
        """From the last key frame at or before the start."""
        for place, frame in enumerate(frames):
            if frame.codec == "aac":
                continue
            if frame.key and (frame.at <= self._span.start or self._ended_before()):
                self._waiting, self._size = [], 0
            if frame.key or self._waiting:
                self._wait(frame)
            if self._waiting and frame.at >= self._span.start:
                self._begun = True
                begun, self._waiting = self._waiting, []
                return [*begun, *frames[place + 1 :]]
        return []

    def _ended_before(self) -> bool:
        return bool(self._waiting) and max(one.at for one in self._waiting) < self._span.start - FARTHEST

    def _wait(self, frame: Frame) -> None:
        self._waiting.append(frame)
        self._size += len(frame.data)
        if self._size > MOST_WAITING:
            raise ProtocolFault(f"the recording has no key frame within {MOST_WAITING >> 20} MiB before the start")

    def _until_the_end(self, frames: Sequence[Frame]) -> list[Frame]:
        """Up to the first frame behind the end, and to the last one that is within: of pictures in decoding order a
        later one may come first.
        """
        end = self._span.end
        behind = next((n for n, one in enumerate(frames) if one.at > end and one.codec != "aac"), None)
        if behind is None:
            return list(frames)
        self.done = True
        within = max((n for n, one in enumerate(frames) if one.at <= end), default=0)
        return list(frames[: max(behind, within) + 1])
