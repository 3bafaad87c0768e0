"""One occurrence is one value: recording it writes the log line and moves the metric, so the two never disagree."""

from typing import ClassVar, Literal, Protocol

from msgspec import Struct

Level = Literal["none", "debug", "info", "warning", "error"]


class Occurrence(Struct, frozen=True):
    """Something that happened, worth a log line or a metric. Its fields are the log line's fields.

    `level` is of its log line ("none": only a metric); the class's first docstring line is the line's text.
    The kinds are in telemetry/occurrences.py.
    """

    level: ClassVar[Level] = "info"


class Recorder(Protocol):
    def __call__(self, occurrence: Occurrence, /) -> None: ...
