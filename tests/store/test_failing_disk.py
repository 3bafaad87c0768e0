"""A disk that is full, files that may not grow, a database somebody else holds."""

import json
import subprocess
import sys
from pathlib import Path

import apsw
import pytest
from storekit.values import arrival
from storekit.watching import SeenWatch

from tocsin.store import sqlite
from tocsin.store.contract import EventFilter, StoreUnavailable
from tocsin.store.open import open_inline_store, open_store
from tocsin.store.plans.accepting import accept
from tocsin.store.rows import prepare
from tocsin.store.sqlite import SqliteDatabase
from tocsin.store.steps import Operation

FULL_DISK = Path(__file__).parent / "storekit" / "full_disk.py"


def accepting(*arrivals):
    return Operation(accept, [prepare(one) for one in arrivals])


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
async def test_no_more_room_and_room_again(tmp_path):
    path = str(tmp_path / "tocsin.db")
    done = subprocess.run([sys.executable, str(FULL_DISK), path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert len(seen["acknowledged"]) > 3
    assert (seen["refused_meanwhile"], seen["writable_meanwhile"]) == (True, False)
    assert len(seen["downs"]) == seen["backs"] == 1
    assert path in seen["downs"][0]
    store = open_store(path)
    await store.open()
    assert [one.event.id for one in await store.events(EventFilter(limit=1000))][::-1] == seen["acknowledged"]
    await store.aclose()


def test_a_full_database_keeps_all_of_a_transaction_or_nothing(tmp_path):
    database = SqliteDatabase(str(tmp_path / "tocsin.db"))
    database.open()
    [pages] = database.connection.execute("PRAGMA page_count").fetchone()
    database.connection.execute(f"PRAGMA max_page_count = {pages + 10}")
    huge = [arrival(f"E{n}", text="x" * 30_000) for n in range(5)]
    with pytest.raises(StoreUnavailable, match="FullError"):
        database.apply([accepting(arrival("small")), accepting(*huge)])
    assert database.connection.execute("SELECT count(*) FROM events").fetchone() == (0,)
    database.connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
    answers = database.apply([accepting(arrival("small")), accepting(*huge)])
    assert [len(answer) for answer in answers] == [1, 5]
    database.close()


async def test_a_locked_database(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_MS", 20)
    watch = SeenWatch()
    path = str(tmp_path / "tocsin.db")
    store = open_store(path, watch)
    await store.open()
    other = apsw.Connection(path)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="BusyError"):
        await store.accept([arrival("A")])
    assert not store.writable()
    with pytest.raises(StoreUnavailable):
        await store.accept([arrival("A")])
    other.execute("ROLLBACK")
    other.close()
    await watch.back.wait()
    assert (await store.accept([arrival("A")]))[0].seq == 1
    assert (len(watch.downs), len(watch.backs)) == (1, 1)
    await store.aclose()


async def test_a_place_that_cannot_be_had(tmp_path):
    store = open_store(tmp_path / "missing" / "tocsin.db")
    with pytest.raises(StoreUnavailable, match=r"missing/tocsin\.db: CantOpenError"):
        await store.open()
    await store.aclose()


async def test_something_else_at_that_place(tmp_path):
    path = tmp_path / "tocsin.db"
    path.write_text("this is a letter, not a database. " * 100)
    with pytest.raises(StoreUnavailable, match="NotADBError"):
        await open_inline_store(path).open()
    assert path.read_text().startswith("this is a letter")


async def test_closed_means_closed(tmp_path):
    store = open_store(tmp_path / "tocsin.db")
    await store.open()
    await store.accept([arrival("A")])
    await store.aclose()
    assert not store.writable()
    with pytest.raises(StoreUnavailable):
        await store.accept([arrival("B")])
    assert [path.name for path in tmp_path.iterdir()] == ["tocsin.db"]  # the log is in the database and gone
