"""Reading connections in a few threads, apart from the writer."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import apsw

from tocsin.store.contract import StoreUnavailable
from tocsin.store.sqlite import BUSY_MS, OUTSIDE, Runner, unavailable
from tocsin.store.steps import Steps

T = TypeVar("T")


class Readers:
    """Questions, each in one read transaction, so that what one plan sees belongs together."""

    def __init__(self, path: str, threads: int) -> None:
        self._path = path
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="store-reader")
        self._own = threading.local()
        self._connections: list[apsw.Connection] = []

    async def run(self, steps: Steps[T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, steps)

    async def aclose(self) -> None:
        await asyncio.to_thread(self._pool.shutdown)
        for connection in self._connections:
            connection.close(True)

    def _run(self, steps: Steps[T]) -> T:
        try:
            runner = self._runner()
            runner.connection.execute("BEGIN")
            try:
                return runner.run(steps)
            finally:
                runner.connection.execute("ROLLBACK")
        except OUTSIDE as error:
            self._forget()
            raise unavailable(error, self._path) from error

    def _runner(self) -> Runner:
        runner: Runner | None = getattr(self._own, "runner", None)
        if runner is None:
            runner = Runner(self._connect())
            self._own.runner = runner
        return runner

    def _forget(self) -> None:
        """A connection that met a failing disk is not used again."""
        runner: Runner | None = getattr(self._own, "runner", None)
        self._own.runner = None
        if runner is not None:
            self._connections.remove(runner.connection)
            runner.connection.close(True)

    def _connect(self) -> apsw.Connection:
        if self._path == ":memory:":
            raise StoreUnavailable("a database in memory has no second connection")
        connection = apsw.Connection(self._path, flags=apsw.SQLITE_OPEN_READONLY)
        self._connections.append(connection)
        connection.set_busy_timeout(BUSY_MS)
        return connection
