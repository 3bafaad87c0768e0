"""What the pages show of evidence agents, their jobs and custody lines. Pure: values in, values for templates out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

import msgspec
from msgspec import Struct

from tocsin.console.present import Tone
from tocsin.engine.evidence import AgentState, AgentStatus
from tocsin.model.evidence import CustodyLine, EndState, FileState, Job, JobFile, JobState, JobType
from tocsin.model.received import read

TYPE_WORDS: Final[Mapping[JobType, str]] = {
    "mediarequest": "Video", "discovery": "List of cameras", "thumbnail": "Picture",
}  # fmt: skip
_AGENT_WORDS: Final[Mapping[AgentState, tuple[str, Tone]]] = {
    "starting": ("not answered yet", "info"),
    "elsewhere": ("at work on another node", "calm"),
    "asking": ("connected", "good"),
    "paused": ("paused", "warn"),
    "away": ("unreachable", "alarm"),
    "refused": ("login refused", "alarm"),
    "broken": ("cannot start", "alarm"),
}
_STATE_WORDS: Final[Mapping[JobState, tuple[str, Tone]]] = {
    "seen": ("lock not answered", "warn"),
    "locking": ("asking for the lock", "info"),
    "locked": ("taken", "info"),
    "fetching": ("fetching and uploading", "info"),
    "ending": ("telling the end", "info"),
    "ended": ("ended", "calm"),
    "releasing": ("giving back", "warn"),
    "released": ("given back", "warn"),
    "cancelling": ("refusing", "warn"),
    "cancelled": ("refused", "warn"),
    "lost": ("lost", "warn"),
}
_OUTCOMES: Final[Mapping[EndState, tuple[str, Tone]]] = {
    "Completed": ("completed", "good"),
    "PartiallyCompleted": ("partly delivered", "warn"),
    "Failed": ("failed", "alarm"),
}
_FILE_WORDS: Final[Mapping[FileState, tuple[str, Tone]]] = {
    "init": ("not uploaded yet", "info"),
    "uploading": ("uploading", "info"),
    "commit_sent": ("storing", "info"),
    "committed": ("stored", "info"),
    "done": ("delivered", "good"),
    "abandoned": ("given up", "warn"),
}
_SHOWN_FACTS: Final = (
    "file", "origin", "blob", "key_id", "file_id", "reason", "left", "outcome",
    "begun_at", "committed_at", "completed_at", "approved_by", "software", "node", "clock_offset_s",
)  # fmt: skip
_DIGESTS: Final = (("sha256", "size", "content"), ("cipher_sha256", "cipher_size", "cipher text"))
LONGEST_RECEIVED = 20_000


class Choice(Struct, frozen=True):
    """A filter of jobs: in words, and what it asks of the store before `fits` is asked."""

    words: str
    state: JobState | None
    fits: Callable[[Job], bool]


def _ended(outcome: EndState) -> Callable[[Job], bool]:
    return lambda job: job.outcome == outcome


CHOICES: Final[Mapping[str, Choice]] = {
    "": Choice("All states", None, lambda _: True),
    "open": Choice("under way", None, lambda job: job.open),
    "completed": Choice("completed", "ended", _ended("Completed")),
    "partly": Choice("partly delivered", "ended", _ended("PartiallyCompleted")),
    "failed": Choice("failed", "ended", _ended("Failed")),
    "released": Choice("given back", "released", lambda _: True),
    "cancelled": Choice("refused", "cancelled", lambda _: True),
    "lost": Choice("lost or withdrawn", "lost", lambda _: True),
}


class AgentCard(Struct, frozen=True):
    status: AgentStatus
    tone: Tone
    words: str


class JobLine(Struct, frozen=True):
    """A job in one line. `device`: its name; `share`: how much of it is done, 0 to 1."""

    job: Job
    tone: Tone
    words: str
    what: str
    device: str
    share: float


class FileLine(Struct, frozen=True):
    file: JobFile
    tone: Tone
    words: str


class AttemptFiles(Struct, frozen=True):
    attempt: int
    files: Sequence[FileLine]


class CustodyView(Struct, frozen=True):
    """One line of the custody log. `facts`: word and value; `delivered`: the span it names, as written."""

    line: CustodyLine
    event: str
    attempt: int
    facts: Sequence[tuple[str, str]]
    delivered: str


def agent_card(status: AgentStatus) -> AgentCard:
    words, tone = _AGENT_WORDS[status.state]
    return AgentCard(status, "warn" if tone == "good" and status.blocked else tone, words)


def job_line(job: Job, device: str) -> JobLine:
    words, tone = _words(job)
    return JobLine(job, tone, words, TYPE_WORDS[job.type], device, min(job.progress, 1000) / 1000)


def _words(job: Job) -> tuple[str, Tone]:
    if job.state == "ended" and job.outcome is not None:
        return _OUTCOMES[job.outcome]
    if job.state == "lost" and job.reason.startswith("withdrawn"):
        return "withdrawn", "calm"
    return _STATE_WORDS[job.state]


def attempts(files: Iterable[JobFile]) -> list[AttemptFiles]:
    """The newest attempt first; its files in their order."""
    ordered = sorted(files, key=lambda file: (-file.attempt, file.number))
    return [
        AttemptFiles(attempt, [_file_line(file) for file in some])
        for attempt, some in groupby(ordered, key=lambda file: file.attempt)
    ]


def _file_line(file: JobFile) -> FileLine:
    words, tone = _FILE_WORDS[file.state]
    return FileLine(file, tone, words)


def custody_view(line: CustodyLine) -> CustodyView:
    document: dict[str, Any] = msgspec.json.decode(line.text, type=dict[str, Any])
    facts = [(name.replace("_", " "), str(document[name])) for name in _SHOWN_FACTS if document.get(name)]
    for digest, size, word in _DIGESTS:
        if document.get(digest):
            facts.append((f"SHA-256 of {word}", f"{document[digest]} ({int(document.get(size, 0)):,} bytes)"))
    span = document.get("delivered") or []
    return CustodyView(line, str(document["event"]), int(document.get("attempt", 1)), facts, " to ".join(span))


def received_text(received: bytes) -> str:
    """The job as the registry wrote it, for reading."""
    try:
        document = read(received)
    except ValueError:
        return f"{len(received)} bytes that are not JSON"
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
    return text if len(text) <= LONGEST_RECEIVED else f"{text[:LONGEST_RECEIVED]}…"
