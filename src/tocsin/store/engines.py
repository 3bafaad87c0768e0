"""What runs plans: SQLite with threads, and SQLite on the loop. (PostgreSQL's is in postgres.py.)"""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from tocsin.store.checkpointer import MOST_PAGES, Checkpointer, checkpoint_here
from tocsin.store.log_file import LogIndex, write_again
from tocsin.store.readers import Readers
from tocsin.store.sqlite import OUTSIDE, SqliteDatabase, unavailable
from tocsin.store.steps import Operation, Steps
from tocsin.store.surroundings import Watch
from tocsin.store.writer import InlineWriter, ThreadWriter

T = TypeVar("T")


class Engine(Protocol):
    async def open(self) -> None: ...

    async def write(self, operation: Operation) -> Any:
        """Returns when it is on disk. Raises StoreUnavailable."""

    async def read(self, steps: Steps[T]) -> T: ...

    def writable(self) -> bool: ...

    async def aclose(self) -> None: ...


class CheckpointedDatabase(SqliteDatabase):
    """A database whose log is moved by a checkpointer, and by the writer when it grows too long."""

    def __init__(self, path: str, synchronous: str, checkpointer: Checkpointer) -> None:
        super().__init__(path, synchronous, self._grown)
        self._checkpointer = checkpointer
        self._pages = 0

    def apply(self, operations: Sequence[Operation]) -> list[Any]:
        if self._pages >= MOST_PAGES:
            checkpoint_here(self.connection)
        return super().apply(operations)

    def _grown(self, pages: int) -> None:
        self._pages = pages
        if pages < MOST_PAGES:  # from there on it is the writer's turn, once the checkpointer has ended
            self._checkpointer.grown(pages)


class ThreadedSqlite:
    """The embedded store as it runs: writer, checkpointer and readers each on their own connection."""

    def __init__(self, path: str, watch: Watch, synchronous: str = "FULL", readers: int = 2) -> None:
        self._path = path
        self._watch = watch
        self._reader_threads = readers
        self._checkpointer = Checkpointer(path, self._trouble)
        self._writer = ThreadWriter(CheckpointedDatabase(path, synchronous, self._checkpointer), watch)
        self._readers: Readers | None = None
        self._index: LogIndex | None = None

    async def open(self) -> None:
        """Nobody else may have the file open. Raises StoreUnavailable, StoreTooNew."""
        self._loop = asyncio.get_running_loop()
        try:
            await asyncio.to_thread(write_again, self._path)
            await self._writer.open()
            self._index = await asyncio.to_thread(LogIndex, self._path)
        except OUTSIDE as error:
            await self._writer.aclose()
            raise unavailable(error, self._path) from error
        self._checkpointer.start()
        self._readers = Readers(self._path, self._reader_threads)

    async def write(self, operation: Operation) -> Any:
        return await self._writer.submit(operation)

    async def read(self, steps: Steps[T]) -> T:
        assert self._readers is not None, "open() comes first"
        return await self._readers.run(steps)

    def writable(self) -> bool:
        return self._writer.writable()

    async def aclose(self) -> None:
        """The writer last: the last connection to close moves the log into the database and removes it."""
        if self._readers is not None:
            await self._readers.aclose()
            self._readers = None
            await asyncio.to_thread(self._checkpointer.stop)
        if self._index is not None:
            self._index.close()
            self._index = None
        await self._writer.aclose()

    def _trouble(self, text: str) -> None:
        self._loop.call_soon_threadsafe(self._watch.trouble, text)


class InlineSqlite:
    """SQLite without any thread: every change and question is carried out on the loop, at once."""

    def __init__(self, path: str, watch: Watch, synchronous: str = "FULL") -> None:
        self._database = SqliteDatabase(path, synchronous)
        self._writer = InlineWriter(self._database, watch)

    async def open(self) -> None:
        await self._writer.open()

    async def write(self, operation: Operation) -> Any:
        return await self._writer.submit(operation)

    async def read(self, steps: Steps[T]) -> T:
        return self._database.run(steps)

    def writable(self) -> bool:
        return self._writer.writable()

    async def aclose(self) -> None:
        await self._writer.aclose()
