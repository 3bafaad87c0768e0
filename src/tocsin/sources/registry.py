"""What a source type is, and the ones there are: one line each."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from tocsin.engine.contracts import Source
from tocsin.sources.dc09.settings import Dc09SourceSettings
from tocsin.sources.dc09.source import build as build_dc09
from tocsin.sources.settings import SourceSettings
from tocsin.sources.smtp.settings import SmtpSourceSettings
from tocsin.sources.smtp.source import build as build_smtp
from tocsin.sources.surgard.settings import SurgardSourceSettings
from tocsin.sources.surgard.source import build as build_surgard
from tocsin.sources.surroundings import SourceSurroundings


class SourceType(Struct, frozen=True):
    """`published` says in one sentence what of the format is published and what is ours."""

    name: str
    title: str
    published: str
    settings: type[SourceSettings]
    build: Callable[[Any, SourceSurroundings], Source]


_TYPES = (
    SourceType(
        "dc09",
        "SIA DC-09 receiver",
        "Frames, replies and time window are the standard's; limits and the recognition of repeats are ours.",
        Dc09SourceSettings,
        build_dc09,
    ),
    SourceType(
        "surgard",
        "Sur-Gard automation",
        "Records, answers and heartbeat are from published manuals; limits and the recognition of repeats are ours.",
        SurgardSourceSettings,
        build_surgard,
    ),
    SourceType(
        "smtp",
        "Alarms by mail",
        "SMTP is the standard's and the alarm document that of senders for Immix; the rules that read other mails are "
        "the site's own.",
        SmtpSourceSettings,
        build_smtp,
    ),
)
SOURCE_TYPES: dict[str, SourceType] = {one.name: one for one in _TYPES}
"""By the name that `type` gives in the configuration."""
