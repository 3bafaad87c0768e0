"""What is noted beside the work does not bring back a state that was left meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from tocsin.engine.clock import LoopClock
from tocsin.evidence.holding import Holding
from tocsin.evidence.journal import AgentJournal
from tocsin.model.evidence import Job
from tocsin.store.contract import Store
from tocsin.store.open import open_store

AT = datetime(2026, 3, 4, 8, 0, 0, tzinfo=UTC)
JOB = Job("j", "city", "r", "thumbnail", "locked", AT, AT)
Change = Callable[[Holding], Coroutine[Any, Any, None]]


async def decided(holding: Holding) -> None:
    await holding.move("decided", outcome="Completed")


async def noted(holding: Holding) -> None:
    await holding.note(progress=500)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = open_store(str(tmp_path / "tocsin.db"))
    await made.open()
    yield made
    await made.aclose()


@pytest.mark.parametrize("order", [(decided, noted), (noted, decided)])
async def test_a_state_and_progress_written_at_once_are_both_kept(store: Store, order: tuple[Change, Change]) -> None:
    lease = await store.claim("evidence/city", "node", 60.0, AT)
    changed: list[str] = []
    journal = AgentJournal(store, LoopClock(), "city", lambda: lease, lambda job: changed.append(job.state))
    holding = Holding(JOB, {}, journal, LoopClock())
    await asyncio.gather(*(change(holding) for change in order))
    for found in (holding.job, await store.job("j")):
        assert found is not None
        assert (found.state, found.progress, found.outcome) == ("ending", 500, "Completed")
    assert changed[-1] == "ending"


async def test_a_job_stands_in_the_custody_log_as_it_was_received_but_for_secrets(store: Store) -> None:
    lease = await store.claim("evidence/city", "node", 60.0, AT)
    journal = AgentJournal(store, LoopClock(), "city", lambda: lease, always=lambda: {"software": "tocsin 1"})
    received = b'{"id":"r","note":"by phone","place":"https://pictures.example.net/p?sig=Zq9s","lockToken":"Zq9s"}'
    await Holding(replace(JOB, state="locking", received=Raw(received)), {}, journal, LoopClock()).move("granted")
    [line] = await store.custody("city")
    told = json.loads(line.text)
    assert (told["received"]["id"], told["received"]["note"], told["software"]) == ("r", "by phone", "tocsin 1")
    assert "Zq9s" not in line.text
