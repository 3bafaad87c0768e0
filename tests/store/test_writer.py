"""The writer thread: group commit, back-pressure, an orderly end; the checkpointer; the writer without threads."""

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from harness.virtual import run_virtually
from storekit.values import arrival, at, outcome
from storekit.watching import SeenWatch

from tocsin.model.kinds import Lane
from tocsin.store import checkpointer, engines
from tocsin.store.contract import StoreUnavailable
from tocsin.store.open import open_inline_store, open_store
from tocsin.store.steps import Operation, each
from tocsin.store.writer import ThreadWriter


def _plan(payload):
    return payload
    yield


class SlowDatabase:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.go = threading.Semaphore(0)
        self.batches: list[int] = []
        self.closed = False

    def open(self) -> None: ...

    def probe(self) -> None: ...

    def apply(self, operations):
        self.go.acquire()
        self.batches.append(len(operations))
        return [operation.payload for operation in operations]

    def close(self) -> None:
        self.closed = True


async def test_what_waits_is_written_together_and_callers_wait_when_too_much_does():
    database = SlowDatabase()
    writer = ThreadWriter(database, SeenWatch(), most_waiting=5)
    await writer.open()
    plan = each(_plan)
    tasks = [asyncio.create_task(writer.submit(Operation(plan, n))) for n in range(12)]
    await asyncio.sleep(0)
    database.go.release(12)
    assert await asyncio.gather(*tasks) == list(range(12))
    assert sum(database.batches) == 12
    assert max(database.batches) <= 5
    await writer.aclose()
    assert database.closed


async def test_what_waits_at_the_end_is_still_written():
    database = SlowDatabase()
    writer = ThreadWriter(database, SeenWatch())
    await writer.open()
    tasks = [asyncio.create_task(writer.submit(Operation(each(_plan), n))) for n in range(3)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(writer.aclose())
    database.go.release(9)
    assert await asyncio.gather(*tasks) == [0, 1, 2]
    await closing
    with pytest.raises(StoreUnavailable):
        await writer.submit(Operation(each(_plan), 9))


class BrokenDatabase(SlowDatabase):
    def apply(self, operations):
        raise KeyError("a defect")


async def test_even_a_defect_leaves_no_caller_waiting():
    watch = SeenWatch()
    writer = ThreadWriter(BrokenDatabase(), watch)
    await writer.open()
    with pytest.raises(StoreUnavailable, match="unexpected KeyError: 'a defect'"):
        await writer.submit(Operation(each(_plan), 1))
    await watch.back.wait()
    assert writer.writable()
    await writer.aclose()


async def test_many_callers_share_few_transactions(tmp_path):
    watch = SeenWatch()
    store = open_store(tmp_path / "tocsin.db", watch)
    await store.open()
    await asyncio.gather(*(store.accept([arrival(f"E{n}")]) for n in range(500)))
    await store.aclose()
    assert sum(watch.commits) == 500
    assert len(watch.commits) < 100


async def test_the_log_does_not_grow_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointer, "PAGES", 20)
    monkeypatch.setattr(engines, "MOST_PAGES", 60)
    store = open_store(tmp_path / "tocsin.db")
    await store.open()
    for batch in range(200):  # which make 2600 pages
        await store.accept([arrival(f"E{batch}.{n}", text="x" * 300) for n in range(20)])
    assert (tmp_path / "tocsin.db-wal").stat().st_size < 1000 * 4096
    await store.aclose()


async def test_the_checkpointer_moves_the_log_each_time_it_has_grown(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointer, "PAGES", 20)
    store = open_store(tmp_path / "tocsin.db")
    await store.open()
    for batch in range(1, 6):
        await store.accept([arrival(f"E{batch}.{n}", text="x" * 300) for n in range(200)])
        while (tmp_path / "tocsin.db").stat().st_size < batch * 20 * 4096:
            await asyncio.sleep(0.001)
    await store.aclose()


def test_a_process_can_do_without_counting_memory():
    program = (
        "import apsw; from tocsin.store.sqlite import without_memory_counts; without_memory_counts();"
        "apsw.Connection(':memory:').execute('CREATE TABLE t (n)'); print(apsw.memory_used())"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "0\n"


async def test_a_log_that_cannot_be_moved_is_said_once(tmp_path):
    seen: list[str] = []
    moving = checkpointer.Checkpointer(str(tmp_path / "nothing.db"), seen.append)
    moving.start()
    moving.grown(checkpointer.PAGES - 1)
    assert seen == []
    for _ in range(2):
        moving.grown(checkpointer.PAGES)
        while not seen:
            await asyncio.sleep(0.001)
    moving.stop()
    assert len(seen) == 1
    assert "cannot be moved" in seen[0]


def test_without_threads_in_virtual_time():
    async def gateway(_clock):
        store = open_inline_store()
        await store.open()
        for n in range(50):
            await store.accept([arrival(f"E{n}")])
            await asyncio.sleep(60)
        await store.settle([outcome(n, "arc", "delivered", at=at(n)) for n in range(1, 50)])
        due = await store.due("arc", Lane.ALARM, 0, 10)
        with pytest.raises(Exception, match="UNIQUE"):
            await store.accept([arrival("twice", *due_twice())])
        await store.aclose()
        with pytest.raises(StoreUnavailable):
            await store.accept([arrival("late")])
        return [one.key.event_seq for one in due], threading.active_count()

    before = threading.active_count()
    assert run_virtually(gateway) == ([50], before)


def due_twice():
    from storekit.values import owed

    return owed("arc"), owed("arc")


async def test_without_threads_on_a_file(tmp_path: Path):
    for round_ in range(2):
        store = open_inline_store(tmp_path / "tocsin.db", synchronous="OFF")
        await store.open()
        assert (await store.accept([arrival(f"E{round_}")]))[0].seq == round_ + 1
        await store.aclose()
