"""Which state of a job follows which (clearance.md 7.2). Pure."""

from collections.abc import Mapping
from typing import Literal

from tocsin.model.evidence import FileState, JobState

JobEvent = Literal[
    "picked",  # a free worker, and the choice fell on it
    "granted",  # the lock is ours
    "refused",  # another agent was faster
    "unanswered",  # nobody knows whether it is ours
    "planned",  # what is to be fetched is known
    "decided",  # how it ends is known: complete will be sent
    "put_off",  # not now: release will be sent
    "nonsense",  # never, for anybody: cancel will be sent
    "told",  # the registry has taken the end, or the job is gone after we had told it
    "lost",  # the lock is gone, the job is gone, or the deadline is too near
]
FileEvent = Literal["begun", "sending", "stored", "taken", "given_up", "again"]

HOLDING: frozenset[JobState] = frozenset({"locked", "fetching", "ending", "releasing", "cancelling"})
"""States in which the registry thinks that we hold the lock."""

_JOB: Mapping[JobState, Mapping[JobEvent, JobState]] = {
    # A renewal may show that a lock nobody answered for is ours after all.
    "seen": {"picked": "locking", "granted": "locked", "lost": "lost"},
    "locking": {"granted": "locked", "refused": "lost", "unanswered": "seen"},
    "locked": {
        "planned": "fetching", "decided": "ending", "put_off": "releasing", "nonsense": "cancelling", "lost": "lost",
    },
    "fetching": {"decided": "ending", "put_off": "releasing", "nonsense": "cancelling", "lost": "lost"},
    "ending": {"told": "ended", "lost": "lost"},
    "releasing": {"told": "released", "lost": "lost"},
    "cancelling": {"told": "cancelled", "lost": "lost"},
    # The same job, offered again, is a new attempt.
    "ended": {"picked": "locking"},
    "released": {"picked": "locking"},
    "cancelled": {"picked": "locking"},
    "lost": {"picked": "locking"},
}  # fmt: skip
_FILE: Mapping[FileState, Mapping[FileEvent, FileState]] = {
    "init": {"begun": "uploading", "again": "init", "given_up": "abandoned"},
    "uploading": {"sending": "commit_sent", "stored": "committed", "again": "init", "given_up": "abandoned"},
    "commit_sent": {"stored": "committed", "again": "init", "given_up": "abandoned"},
    "committed": {"taken": "done", "again": "init", "given_up": "abandoned"},
    "done": {},
    "abandoned": {},
}


class OutOfOrder(Exception):
    """A defect: this cannot happen to a job or file in this state."""


def after(state: JobState, event: JobEvent) -> JobState:
    """Raises OutOfOrder."""
    try:
        return _JOB[state][event]
    except KeyError:
        raise OutOfOrder(f"a job that is {state} cannot be {event}") from None


def file_after(state: FileState, event: FileEvent) -> FileState:
    """Raises OutOfOrder."""
    try:
        return _FILE[state][event]
    except KeyError:
        raise OutOfOrder(f"a file that is {state} cannot be {event}") from None
