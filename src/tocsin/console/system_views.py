"""What the pages show of on-prem systems, their devices and runs. Pure: values in, values for the templates out."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final

from msgspec import Struct

from tocsin.console.present import Tone
from tocsin.engine.inventory.source import SourceState
from tocsin.engine.inventory.systems import SystemStatus
from tocsin.model.canonical import Counts, Difference, KeptDevice, Run, RunState
from tocsin.model.inventory import HealthState, SourceStatus
from tocsin.systems.registry import SYSTEM_TYPES

PAGE = 50
LEAST_SHARE = 0.015
"""One camera of a thousand must still be seen in the bar."""
STATES: Final[tuple[HealthState, ...]] = ("offline", "degraded", "unknown", "online", "disabled")
"""What needs somebody comes first."""
STATE_TONES: Final[Mapping[HealthState, Tone]] = {
    "online": "good",
    "offline": "alarm",
    "degraded": "warn",
    "unknown": "info",
    "disabled": "calm",
}
SOURCE_WORDS: Final[Mapping[SourceStatus, str]] = {
    "ok": "connected",
    "degraded": "degraded",
    "unreachable": "unreachable",
    "auth_failed": "login refused",
    "licence_refused": "licence refused",
    "misconfigured": "misconfigured",
    "starting": "not read yet",
}
_SOURCE_TONES: Final[Mapping[SourceStatus, Tone]] = {"ok": "good", "degraded": "warn", "starting": "info"}
_RUN_TONES: Final[Mapping[RunState, Tone]] = {
    "succeeded": "good",
    "partial": "warn",
    "held": "warn",
    "failed": "alarm",
    "queued": "info",
    "running": "info",
}
_RUN_WORDS: Final[Mapping[RunState, str]] = {
    "succeeded": "complete",
    "partial": "not complete",
    "held": "removals held",
    "failed": "failed",
    "queued": "waiting",
    "running": "reading",
}
_TRIGGERS: Final = {"schedule": "on schedule", "manual": "by hand", "rpc": "asked for by a program", "event": "on news"}
_COUNTED: Final = (
    ("seen", "seen"),
    ("added", "added"),
    ("changed", "changed"),
    ("removed", "removed"),
    ("missing", "missing"),
    ("withheld", "left out"),
    ("unmapped", "without customer"),
    ("invalid", "not understood"),
)
_SIGNS: Final[Mapping[str, tuple[str, Tone]]] = {
    "-": ("removed", "alarm"),
    "?": ("missing", "warn"),
    "+": ("added", "good"),
    "~": ("changed", "info"),
}
_DIGITS = re.compile(r"(\d{1,9})")


class Part(Struct, frozen=True):
    """The devices in one state; `start` and `length` are fractions of the bar."""

    state: HealthState
    tone: Tone
    count: int
    start: float
    length: float


class SourceLine(Struct, frozen=True):
    """A system in one line."""

    name: str
    title: str
    state: SourceState
    tone: Tone
    words: str


class SystemCard(Struct, frozen=True):
    """A system. `waits`: so many removals wait for somebody; `held` also says so when the number is not known."""

    status: SystemStatus
    source: SourceLine
    parts: Sequence[Part]
    devices: int
    last: "RunLine | None"
    held: bool
    waits: int


class RunLine(Struct, frozen=True):
    """A run in one line. `counts`: number and word, none that says nothing."""

    run: Run
    tone: Tone
    words: str
    trigger: str
    counts: Sequence[tuple[int, str]]


class DifferenceLine(Struct, frozen=True):
    line: Difference
    word: str
    tone: Tone


class DeviceLine(Struct, frozen=True):
    """One device of a system."""

    kept: KeptDevice
    state: HealthState
    tone: Tone
    why: str


class Wanted(Struct, frozen=True):
    """Which devices; empty fields do not filter. `page` counts from 1."""

    name: str = ""
    type: str = ""
    status: str = ""
    page: int = 1


class Found(Struct, frozen=True):
    """One page of devices, and how many there are in all. `types` are those that can be chosen."""

    lines: Sequence[DeviceLine]
    total: int
    first: int
    page: int
    pages: int
    types: Sequence[str]
    wanted: Wanted


def source_line(name: str, type_: str, state: SourceState) -> SourceLine:
    title = SYSTEM_TYPES[type_].title if type_ in SYSTEM_TYPES else type_
    return SourceLine(name, title, state, _SOURCE_TONES.get(state.status, "alarm"), SOURCE_WORDS[state.status])


def system_card(status: SystemStatus) -> SystemCard:
    last = status.last_sync
    return SystemCard(
        status=status,
        source=source_line(status.name, status.type, status.source),
        parts=_parts(status.devices),
        devices=sum(status.devices.values()),
        last=run_line(last) if last else None,
        held=status.held > 0 or (last is not None and last.state == "held"),
        waits=status.held,
    )


def _parts(devices: Mapping[str, int]) -> list[Part]:
    there = [(state, devices[state]) for state in reversed(STATES) if devices.get(state)]
    widths = [max(count, LEAST_SHARE * sum(devices.values())) for _, count in there]
    starts = accumulate(widths, initial=0.0)
    return [
        Part(state, STATE_TONES[state], count, start / sum(widths), width / sum(widths))
        for (state, count), start, width in zip(there, starts, widths, strict=False)
    ]


def run_line(run: Run) -> RunLine:
    words = _RUN_WORDS[run.state]
    return RunLine(run, _RUN_TONES[run.state], words, _TRIGGERS[run.trigger], _counts(run.counts))


def _counts(counts: Counts) -> list[tuple[int, str]]:
    """What always counts, and the rest where there is any."""
    told = [(getattr(counts, name), word) for name, word in _COUNTED]
    return [(count, word) for n, (count, word) in enumerate(told) if count or n < 4]


def difference_lines(run: Run) -> list[DifferenceLine]:
    """What goes before what comes, then what is changed; by name."""
    ordered = sorted(run.differences, key=lambda line: (list(_SIGNS).index(line.what), natural(line.name)))
    return [DifferenceLine(line, *_SIGNS[line.what]) for line in ordered]


def device_line(kept: KeptDevice) -> DeviceLine:
    health = kept.health
    if health is None:
        return DeviceLine(kept, "unknown", STATE_TONES["unknown"], "its state was not told yet")
    why = "" if health.state == "online" else health.detail or (health.reason or "").replace("_", " ")
    return DeviceLine(kept, health.state, STATE_TONES[health.state], why)


def found_devices(kept: Iterable[KeptDevice], wanted: Wanted) -> Found:
    """The devices that are there, those that need somebody first, then by name."""
    alive = [device_line(one) for one in kept if one.removal is None]
    fits = sorted((one for one in alive if _fits(one, wanted)), key=_urgency)
    pages = max(1, -(-len(fits) // PAGE))
    page = min(wanted.page, pages)
    first = (page - 1) * PAGE
    types = sorted(Counter(one.kept.record.type for one in alive))
    return Found(fits[first : first + PAGE], len(fits), first + 1, page, pages, types, wanted)


def _fits(one: DeviceLine, wanted: Wanted) -> bool:
    record = one.kept.record
    told = " ".join((record.name, record.id, record.location, record.ip, record.mac_address, record.hostname))
    return (
        (not wanted.status or one.state == wanted.status)
        and (not wanted.type or record.type == wanted.type)
        and wanted.name.casefold() in told.casefold()
    )


def _urgency(one: DeviceLine) -> tuple[int, list[tuple[int, str]]]:
    return STATES.index(one.state), natural(one.kept.record.name)


def natural(name: str) -> list[tuple[int, str]]:
    """Camera 9 before Camera 10."""
    return [(int(part), "") if part.isdecimal() else (0, part.casefold()) for part in _DIGITS.split(name)]


def missing(kept: Iterable[KeptDevice]) -> list[KeptDevice]:
    """The devices that the last complete readings did not see, longest missing first."""
    absent = [one for one in kept if one.removal is None and one.missing_count]
    return sorted(absent, key=lambda one: (-one.missing_count, natural(one.record.name)))
