"""From a path or URL to a store."""

from pathlib import Path

from tocsin.store.contract import Store
from tocsin.store.durable import DurableStore
from tocsin.store.engines import InlineSqlite, ThreadedSqlite
from tocsin.store.places import is_postgres
from tocsin.store.postgres import PostgresEngine
from tocsin.store.surroundings import NoWatch, Watch


def open_store(place: str | Path, watch: Watch | None = None, synchronous: str = "FULL") -> Store:
    """A store for `postgresql://…`, or for the path of an SQLite file. Call its `open()` before use.

    `synchronous` is SQLite's; anything but FULL can lose what was acknowledged when the power goes.
    """
    watch = watch or NoWatch()
    if is_postgres(str(place)):
        return DurableStore(PostgresEngine(str(place), watch))
    return DurableStore(ThreadedSqlite(str(place), watch, synchronous))


def open_inline_store(path: str | Path = ":memory:", watch: Watch | None = None, synchronous: str = "FULL") -> Store:
    """SQLite without threads, for a loop with virtual time: nothing here waits for anything but the disk."""
    return DurableStore(InlineSqlite(str(path), watch or NoWatch(), synchronous))
