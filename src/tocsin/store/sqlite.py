"""SQLite: the writing connection, and running plans on any connection."""

import os
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import apsw
import msgspec

from tocsin.store.contract import StoreUnavailable
from tocsin.store.migrations import marks, scripts
from tocsin.store.queries import load_queries
from tocsin.store.steps import Bulk, Operation, Query, Row, Steps, alone, together

T = TypeVar("T")
OUTSIDE = (
    apsw.FullError,
    apsw.IOError,
    apsw.BusyError,
    apsw.LockedError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.NoMemError,
    apsw.ProtocolError,
    apsw.PermissionsError,
    apsw.InterruptError,
    OSError,
)
"""What the disk or another process does to us, as opposed to what we asked wrongly."""
BUSY_MS = 5000
CACHE_KIB = 32_768
"""Of the database's pages. With a million events stored, twice as much made nothing faster."""
LONGEST_CACHED_SQL = 16_000
"""apsw caches prepared statements up to 16 KiB of text."""
SIZES = (512, 256, 128, 64, 32, 16, 8, 4, 2, 1)
"""Rows of one statement; halves, so that any number of rows takes few."""
_encode = msgspec.json.Encoder().encode
_MANY = re.compile(r"\{rows(?::(?P<constants>[^}]*))?\}")


class Runner:
    """Runs plans on one connection.

    The interpreter's lock is given up at each step of a statement, and getting it back takes up to 5 ms while the
    loop is busy. So a change of many rows is one statement with many rows of values, and a list is fetched as one row
    holding JSON.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self._queries = load_queries("sqlite")

    def run(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                step = steps.send(self.insert(step) if isinstance(step, Bulk) else self._query(step))
        except StopIteration as stop:
            answer: T = stop.value
            return answer

    def _query(self, query: Query) -> list[Row]:
        named = self._queries[query.name]
        if not named.text:
            return []
        text = named.text.replace("{where}", " AND ".join(query.conditions)) if query.conditions else named.text
        values = [_encode(value).decode() if isinstance(value, list) else value for value in query.values]
        if not named.columns:
            return self.connection.execute(text, values).fetchall()
        [(packed,)] = self.connection.execute(_packed(text, named.columns), values)
        rows: list[Row] = msgspec.json.decode(packed)
        return rows

    def insert(self, bulk: Bulk) -> list[Row]:
        """Many rows in few statements."""
        if bulk.rows:
            text = self._queries[bulk.name].text
            place = 0
            for size in _sizes(text, len(bulk.rows[0])):
                while len(bulk.rows) - place >= size:
                    values = list(chain.from_iterable(bulk.rows[place : place + size]))
                    self.connection.execute(_many(text, len(bulk.rows[0]), size), values)
                    place += size
        return []


def _packed(text: str, columns: int) -> str:
    """The same list as one row with one JSON text."""
    names = ", ".join(f"c{n}" for n in range(columns))
    return f"WITH listed({names}) AS ({text}) SELECT json_group_array(json_array({names})) FROM listed"  # noqa: S608


@lru_cache(maxsize=256)
def _many(text: str, width: int, size: int) -> str:
    """The statement for `size` rows of values; constants of its own follow each row's."""

    def rows(match: re.Match[str]) -> str:
        constants = f", {match['constants']}" if match["constants"] else ""
        return ", ".join([f"({', '.join('?' * width)}{constants})"] * size)

    return _MANY.sub(rows, text)


@lru_cache(maxsize=64)
def _sizes(text: str, width: int) -> tuple[int, ...]:
    """How many rows go into one statement: the most that stay cached, then fewer for the rest."""
    return tuple(size for size in SIZES if size == 1 or len(_many(text, width, size)) <= LONGEST_CACHED_SQL)


def unavailable(error: Exception, place: str) -> StoreUnavailable:
    return StoreUnavailable(f"{place}: {type(error).__name__}: {error}")


class SqliteDatabase:
    """The writing side of one database file (or `:memory:`)."""

    def __init__(self, path: str, synchronous: str = "FULL", on_log: Callable[[int], None] | None = None) -> None:
        """`on_log` is told after each commit how many pages the write-ahead log holds."""
        self._path = path
        self._synchronous = synchronous
        self._on_log = on_log
        self._runner: Runner | None = None

    @property
    def connection(self) -> apsw.Connection:
        return self._running().connection

    def open(self) -> None:
        try:
            self._open()
        except OUTSIDE as error:
            raise unavailable(error, self._path) from error

    def probe(self) -> None:
        def write() -> Steps[None]:
            yield Query("probe")

        self._guarded(write())
        self._guarded(_forget_probe())

    def apply(self, operations: Sequence[Operation]) -> list[Any]:
        try:
            return self._transaction(together(operations))
        except OUTSIDE as error:
            self._roll_back()
            raise unavailable(error, self._path) from error
        except Exception as error:  # noqa: BLE001 - one caller's fault must not fail the others: each by itself
            self._roll_back()
            if len(operations) == 1 and operations[0].cautious is None:
                return [error]
            return [self._apply_alone(operation) for operation in operations]

    def run(self, steps: Steps[T]) -> T:
        """A question, on this connection (without threads)."""
        try:
            return self._running().run(steps)
        except OUTSIDE as error:
            raise unavailable(error, self._path) from error

    def close(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            try:
                runner.connection.close()
            except apsw.Error:
                runner.connection.close(True)

    def _running(self) -> Runner:
        if self._runner is None:
            raise StoreUnavailable(f"{self._path} is closed")
        return self._runner

    def _open(self) -> None:
        fresh = self._path != ":memory:" and not Path(self._path).exists()
        connection = apsw.Connection(self._path)
        self._runner = Runner(connection)
        connection.set_busy_timeout(BUSY_MS)
        connection.execute("PRAGMA journal_mode = WAL").fetchall()
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")
        connection.execute(
            f"PRAGMA cache_size = -{CACHE_KIB}; PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = 0"
        )
        if self._on_log is not None:  # somebody else moves the log; otherwise SQLite does, within a commit
            connection.set_wal_hook(self._after_commit)
        self._migrate()
        if fresh:
            sync_directory(Path(self._path).parent)

    def _after_commit(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        if self._on_log is not None:
            self._on_log(pages)
        return apsw.SQLITE_OK

    def _migrate(self) -> None:
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for script in scripts("sqlite", self._meta(), self._path):
                connection.execute(script).fetchall()
            self._mark()
            connection.execute("COMMIT")
        finally:
            self._roll_back()

    def _meta(self) -> dict[str, str] | None:
        if not self.connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchall():
            return None
        return dict(self._running().run(_read_meta()))

    def _mark(self) -> None:
        if self._meta() != (wanted := marks("sqlite")):
            self._running().run(_write_meta(wanted))

    def _guarded(self, steps: Steps[T]) -> T:
        try:
            return self._transaction(steps)
        except OUTSIDE as error:
            self._roll_back()
            raise unavailable(error, self._path) from error

    def _transaction(self, steps: Steps[T]) -> T:
        runner = self._running()
        runner.connection.execute("BEGIN IMMEDIATE")
        answer = runner.run(steps)
        runner.connection.execute("COMMIT")
        return answer

    def _apply_alone(self, operation: Operation) -> Any:
        try:
            return self._guarded(alone(operation))
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - handed to the one caller it belongs to
            self._roll_back()
            return error

    def _roll_back(self) -> None:
        if self._runner is not None and self._runner.connection.in_transaction:
            try:
                self._runner.connection.execute("ROLLBACK")
            except apsw.Error:
                self.close()  # a connection that cannot roll back is not used again


def _read_meta() -> Steps[list[Row]]:
    return (yield Query("schema_version"))


def _write_meta(wanted: dict[str, str]) -> Steps[None]:
    for name, value in wanted.items():
        yield Query("put_meta", (name, value))


def _forget_probe() -> Steps[None]:
    yield Query("drop_meta", ("probe",))


def without_memory_counts() -> None:
    """SQLite counts what memory it has, under one lock for all threads, for nobody. For this process, and before it
    opens its first database.
    """
    apsw.shutdown()
    apsw.config(apsw.SQLITE_CONFIG_MEMSTATUS, False)
    apsw.initialize()


def sync_directory(path: Path) -> None:
    """Makes a new file's name durable, where the system knows such a thing."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
