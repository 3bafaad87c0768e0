"""How a job ends, and by which call (clearance.md 7.3). Pure.

Released: somebody could do it later. Failed: we looked, and the answer is no. Cancelled: it should never have been a
job for us.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from tocsin.engine.systems import Span
from tocsin.evidence.jobs.segments import whole
from tocsin.model.evidence import EndState, Job

MOST_FAILURES = 5
NO_RECORDING = "no recording"
LONGEST_MESSAGE = 500


class Ending(Struct, frozen=True):
    """`state` only with complete."""

    call: Literal["complete", "release", "cancel"]
    message: str
    state: EndState | None = None


def delivered(wanted: Span, spans: Sequence[Span], problems: Sequence[str]) -> Ending:
    """After the work on a media request: what was delivered, and why the rest was not."""
    reason = "; ".join(dict.fromkeys(problems))[:LONGEST_MESSAGE]
    if not spans:
        return failed(reason or NO_RECORDING)
    if whole(wanted, spans) and not problems:
        return Ending("complete", "", "Completed")
    return Ending("complete", reason or "not everything of it was recorded", "PartiallyCompleted")


def with_photos(taken: Sequence[datetime], reason: str) -> Ending:
    """Photos of events were delivered because no recording could be had, for this reason; none of them: failed."""
    if not taken:
        return failed(reason)
    first, last = (f"{at:%Y-%m-%d %H:%M:%S}" for at in (min(taken), max(taken)))
    when = f"taken at {first} UTC" if first == last else f"taken from {first} to {last} UTC"
    number = "1 photo" if len(taken) == 1 else f"{len(taken)} photos"
    said = f"no video but {number} of the camera's events, {when}: {reason}"
    return Ending("complete", said[:LONGEST_MESSAGE], "PartiallyCompleted")


def failed(reason: str) -> Ending:
    return Ending("complete", reason[:LONGEST_MESSAGE], "Failed")


def put_off(reason: str, failures: int) -> Ending:
    """`failures`: this one among them. Without an end, releasing would go on for ever."""
    if failures >= MOST_FAILURES:
        return failed(reason)
    return Ending("release", reason[:LONGEST_MESSAGE])


def nonsense(reason: str) -> Ending:
    return Ending("cancel", reason[:LONGEST_MESSAGE])


def broken(job: Job) -> str:
    """Why a job will never make sense, for anybody; empty when it does (7.3)."""
    if job.type == "discovery":
        return ""
    if not job.device:
        return "it names no device"
    if job.type == "mediarequest" and (job.start is None or job.end is None):
        return "it names no time"
    if job.start and job.end and job.end <= job.start:
        return "its end is not after its start"
    return ""
