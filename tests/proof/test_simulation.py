"""Hours of a gateway's life among faults, in seconds: nothing is lost, nothing out of order, nothing astray.

A failure names its seed; `simulate(seed, hours)` replays it.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from harness.memory_store import MemoryStore
from harness.simulation import Report, Violation, simulate
from msgspec.structs import replace

from tocsin.engine import intake
from tocsin.engine.contracts import Submission, Taken
from tocsin.engine.intake import Door
from tocsin.engine.pump import Pump
from tocsin.engine.window import LaneWindow
from tocsin.model.delivery import Due
from tocsin.model.kinds import Lane
from tocsin.store.contract import Store
from tocsin.store.open import open_inline_store

HOURS = 10.0
_background: set[asyncio.Task[Any]] = set()


def lived(report: Report) -> None:
    """The simulation was worth its name: there was traffic, trouble and recovery."""
    print(report)
    assert report.events > 300
    assert report.states["delivered"] > 600
    assert report.states["filtered"] > 0
    assert report.restarts > 0
    assert report.repeats > 0


@pytest.mark.parametrize("seed", range(1, 6))
def test_ten_hours_on_sqlite(seed: int) -> None:
    lived(simulate(seed, HOURS, open_inline_store))


@pytest.mark.parametrize("seed", range(101, 106))
def test_ten_hours_in_memory(seed: int) -> None:
    lived(simulate(seed, HOURS))


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(1000, 1060))
@pytest.mark.parametrize("store", [open_inline_store, MemoryStore])
def test_twelve_hundred_hours(store: Callable[[], Store], seed: int) -> None:
    lived(simulate(seed, HOURS, store))


def test_a_seed_replays_in_another_process_whatever_the_hashes() -> None:
    script = "from harness.simulation import simulate; print(simulate(7, 2).fingerprint)"
    fingerprints = {run_python(script, PYTHONHASHSEED=seed) for seed in ("1", "2")}
    assert fingerprints == {simulate(7, 2).fingerprint}
    assert simulate(8, 2).fingerprint not in fingerprints


def run_python(script: str, **environment: str) -> str:
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **environment, "PYTHONPATH": path},
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
    )
    return done.stdout.strip()


# Planted mistakes: the simulation must see each, and its seed must show it again.


def acknowledged_before_the_commit(monkeypatch: pytest.MonkeyPatch) -> str:
    real = Door.accept_many

    async def hasty(self: Door, submissions: Sequence[Submission]) -> Sequence[Taken]:
        task = asyncio.ensure_future(real(self, submissions))
        _background.add(task)
        task.add_done_callback(lambda done: (_background.discard(done), done.cancelled() or done.exception()))
        return [Taken("", 0, False, ()) for _ in submissions]

    monkeypatch.setattr(Door, "accept_many", hasty)
    return "was acknowledged and is not kept"


def lanes_ignored(monkeypatch: pytest.MonkeyPatch) -> str:
    real = Pump.offer
    monkeypatch.setattr(Pump, "offer", lambda self, due: real(self, replace(due, lane=Lane.ROUTINE)))
    return "more urgent"


def newest_first(monkeypatch: pytest.MonkeyPatch) -> str:
    def turned(self: LaneWindow, found: Sequence[Due], asked: int, *ended: Any) -> list[str]:
        heads = real(self, found, asked, *ended)
        for queue in self._queues.values():
            queue.items.reverse()
        return heads

    real = LaneWindow.load
    monkeypatch.setattr(LaneWindow, "load", turned)
    return "came after"


def now_and_then_not_told(monkeypatch: pytest.MonkeyPatch) -> str:
    real = Pump.offer
    monkeypatch.setattr(Pump, "offer", lambda self, due: due.key.event_seq % 50 and real(self, due))
    return "came after"


def wrong_address(monkeypatch: pytest.MonkeyPatch) -> str:
    real = intake.due_of
    monkeypatch.setattr(intake, "due_of", lambda *owed: replace(real(*owed), address="9999#dev-0"))
    return "sent to 9999#dev-0"


PLANTED = (acknowledged_before_the_commit, lanes_ignored, newest_first, now_and_then_not_told, wrong_address)


@pytest.mark.parametrize("plant", PLANTED)
def test_a_planted_mistake_is_seen_and_replayed(
    plant: Callable[[pytest.MonkeyPatch], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sentence = plant(monkeypatch)
    with pytest.raises(Violation) as first:
        simulate(5, 6)
    assert sentence in str(first.value)
    assert str(first.value).startswith("seed 5, 6 h:")
    with pytest.raises(Violation) as again:
        simulate(5, 6)
    assert str(again.value) == str(first.value)
