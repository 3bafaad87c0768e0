"""When a source may tell its peer that an event was taken: when it is on disk, or when a station has it."""

from collections.abc import Sequence

from tocsin.engine.contracts import Intake, Taken
from tocsin.sources.settings import SourceSettings


async def may_acknowledge(settings: SourceSettings, intake: Intake, taken: Sequence[Taken]) -> bool:
    """Whether the message that brought these events may be acknowledged. `taken` is what the intake answered, so all
    of it is on disk. False: say nothing; the peer sends it again, which is a repeat and no second event.
    """
    if settings.acknowledge == "stored":
        return True
    return await intake.all_delivered(taken, settings.delivered_within)
