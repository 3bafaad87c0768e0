"""One destination of each type at once: whether all keep up, and whether one in trouble slows the others down.

`python -m benchmarks.every_type [--seconds 5] [--runs 1]` tries it out in less time.
"""

import argparse
import contextlib
import os
import sqlite3
import statistics
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

from msgspec import Struct

from benchmarks.events import DEVICES, FIRST_NUMBER, KIND
from benchmarks.figure import Figure, line, new_folder, wait_drained
from benchmarks.mails import photo_file
from benchmarks.process import Child, Gateway, cpu_seconds, free_port, once, queued_seconds, serving

CONFIGURATION = Path(__file__).with_suffix(".toml")
LINES = ("dc09", "surgard", "manitou", "microkey", "webhook", "stages")
MAIL = ("immix", "sentinel", "patriot", "sureview", "email")
FILES = ("ebus",)
EVERY_TYPE = (*LINES, *MAIL, *FILES)
DEAD, SLOW, REFUSING = "surgard", "webhook", "dc09"
UNDISTURBED = tuple(name for name in EVERY_TYPE if name not in (DEAD, SLOW, REFUSING))
SECONDS, RUNS = 60.0, 5
PROCESSES = (LINES, *((name,) for name in MAIL), FILES)
"""Stand-ins share a process where reading costs them little."""
BEHIND_S = 1.0
"""A destination keeps up if it is done this long after the last event."""


class Run(Struct, frozen=True):
    """What one run gave: per destination milliseconds from accepted to acknowledged, in the order of the events, and
    how long after the last event it was done. Of the time it took, the gateway had a core for `cpu` and its loop waited
    for one for `queued`; `load` is the machine's.
    """

    waits_ms: dict[str, list[float]]
    behind_s: dict[str, float]
    cpu: float
    queued: float
    sent: int
    load: float

    def p99_ms(self, name: str) -> float:
        waits = sorted(self.waits_ms[name])
        return waits[int(len(waits) * 0.99)] if len(waits) == self.sent else float("inf")


def every_type(seconds: float = SECONDS) -> Iterator[Figure]:
    """20 events a second to all twelve, then 100 to those that take neither mail nor files; each type alone before."""
    alone = {name: _run((name,), 20, seconds / 4) for name in EVERY_TYPE}
    yield from _kept_up(EVERY_TYPE, 20, seconds, alone)
    yield from _kept_up(LINES, 100, seconds, {})


def _kept_up(names: Sequence[str], rate: int, seconds: float, alone: dict[str, Run]) -> Iterator[Figure]:
    run = _run(names, rate, seconds)
    what = f"{len(names)} types at {rate}/s"
    for name in names:
        waits = sorted(run.waits_ms[name])
        p50 = waits[len(waits) // 2] if waits else float("inf")
        ours = f"p50 {p50:.0f} ms, {len(waits)} of {run.sent}, done {run.behind_s[name]:.1f} s after"
        reference = f"alone p99 {alone[name].p99_ms(name):.0f} ms" if alone else ""
        reach = 500.0 if name in LINES else None
        yield Figure(f"{what}, {name} p99", run.p99_ms(name), "ms", reach, ours, reference, most=True)
    latest = max(names, key=lambda name: run.behind_s[name])
    yield Figure(
        f"{what}, the last done after the last event", run.behind_s[latest], "s", BEHIND_S, latest, "", most=True
    )
    shared = f"load {run.load:.1f}, ready but without a core {run.queued:.0%} of the time"
    yield Figure(f"{what}, CPU of the gateway", run.cpu * 100, "%", None, "of one core", shared)


def troubled(seconds: float = SECONDS / 3, runs: int = RUNS) -> Iterator[Figure]:
    """One destination dead, one slow, one refusing: the other nine against a run without that."""
    pairs = [(_run(EVERY_TYPE, 20, seconds), _run(EVERY_TYPE, 20, seconds, trouble=True)) for _ in range(runs)]
    for name in UNDISTURBED:
        p99s = [(calm.p99_ms(name), stormy.p99_ms(name)) for calm, stormy in pairs]
        calm_ms, stormy_ms = (statistics.median(each) for each in zip(*p99s, strict=True))
        yield Figure(
            f"{name} beside a dead, a slow, a refusing one",
            stormy_ms / calm_ms,
            "x",
            2.0,
            f"p99 {stormy_ms:.0f} ms, median of {runs}",
            f"undisturbed {calm_ms:.0f} ms",
            most=True,
        )


def _run(names: Sequence[str], rate: float, seconds: float, trouble: bool = False) -> Run:
    """A gateway with these destinations. In `trouble` only those that are not meant to suffer are waited for."""
    folder = new_folder()
    with contextlib.ExitStack() as stack:
        ports: dict[str, int] = {}
        stations: list[Child] = []
        for group in PROCESSES:
            if mine := [name for name in names if name in group and not (trouble and name == DEAD)]:
                options = ("--slow", SLOW, "--refusing", REFUSING) if trouble else ()
                stations.append(stack.enter_context(serving("benchmarks.stations", *mine, *options)))
                ports |= stations[-1].line()
        if trouble:
            ports[DEAD] = free_port()
        gateway = stack.enter_context(Gateway(folder, configuration(names, ports)))
        assert gateway.process is not None
        pid = gateway.process.pid
        cpu, queued, began = cpu_seconds(pid), queued_seconds(pid), time.monotonic()
        sending = ("--port", gateway.api, "--photo", photo_file(folder), "--rate", rate, "--seconds", seconds)
        sent = once("benchmarks.events", *sending)
        wait_drained(gateway, names=UNDISTURBED if trouble else names)
        took = time.monotonic() - began
        cpu, queued = (cpu_seconds(pid) - cpu) / took, (queued_seconds(pid) - queued) / took
        load = os.getloadavg()[0]
    assert not any(station.result["wrong"] for station in stations), "a stand-in could not read what it got"
    return Run(*_waits(folder, names), cpu, queued, int(sent["sent"]), load)


def configuration(names: Sequence[str], ports: dict[str, int]) -> str:
    """The template's devices, and the destinations of these names."""
    blocks = CONFIGURATION.read_text(encoding="utf-8").split("\n\n")
    filled = []
    for block in blocks:
        entries = tomllib.loads(block)
        if "devices" in entries:
            numbers = range(FIRST_NUMBER, FIRST_NUMBER + DEVICES)
            filled += [Template(block).substitute(number=number) for number in numbers]
        for entry in entries.get("destinations", ()):
            if entry["name"] in names:
                filled.append(Template(block).substitute(port=ports[entry["name"]]))
    return "\n\n".join(filled)


def _waits(folder: Path, names: Sequence[str]) -> tuple[dict[str, list[float]], dict[str, float]]:
    with contextlib.closing(sqlite3.connect(f"file:{folder / 'data' / 'tocsin.db'}?mode=ro", uri=True)) as database:
        rows = database.execute(
            "SELECT t.name, e.accepted_at, d.delivered_at FROM deliveries d JOIN events e ON e.seq = d.event_seq"
            " JOIN destinations t ON t.id = d.destination WHERE d.state = 'delivered' AND e.kind = ? ORDER BY e.seq",
            (KIND,),
        ).fetchall()
        (last,) = database.execute("SELECT max(accepted_at) FROM events WHERE kind = ?", (KIND,)).fetchone()
    waits: dict[str, list[float]] = defaultdict(list)
    done: dict[str, int] = {}
    for name, accepted, delivered in rows:
        waits[name].append((delivered - accepted) / 1000)
        done[name] = max(delivered, done.get(name, 0))
    behind = {name: max(0, done[name] - last) / 1e6 if name in done else float("inf") for name in names}
    return waits, behind


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--runs", type=int, default=RUNS)
    given = parser.parse_args()
    for figure in every_type(given.seconds):
        print(line(figure), flush=True)
    if given.runs:
        for figure in troubled(given.seconds / 3, given.runs):
            print(line(figure), flush=True)


if __name__ == "__main__":
    main()
