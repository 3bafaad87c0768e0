"""Moves the write-ahead log into the database beside the writer, so that commits do not wait for it."""

import threading
from collections.abc import Callable

import apsw

from tocsin.store.contract import StoreUnavailable

PAGES = 4000
"""When the log has grown by so much (16 MB) there is work to do: moved in larger pieces, a page that was written many
times is moved once.
"""
MOST_PAGES = 16_000
"""From here on (64 MB) the writer itself moves the rest, which lets the log begin again from its start."""


class Checkpointer:
    """A thread with its own connection. `grown` is called after each commit, on the writer's thread."""

    def __init__(self, path: str, trouble: Callable[[str], None]) -> None:
        self._path = path
        self._trouble = trouble
        self._work = threading.Event()
        self._stopping = False
        self._failing = False
        self._moved = 0
        """Pages of the log that are in the database."""
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="store-checkpointer", daemon=True)
        self._thread.start()

    def grown(self, pages: int) -> None:
        if pages < self._moved:  # it has begun again from its start
            self._moved = 0
        if pages - self._moved >= PAGES:
            self._work.set()

    def stop(self) -> None:
        self._stopping = True
        self._work.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while self._work.wait() and not self._stopping:
            self._work.clear()
            try:
                self._checkpoint()
                self._failing = False
            except (apsw.Error, OSError) as error:
                self._say_once(error)

    def _checkpoint(self) -> None:
        """Each time with a fresh connection: one that met a failing disk is not used again."""
        connection = apsw.Connection(self._path, flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            # Through SQL, which reads the file first: a connection that has read nothing knows of no log.
            [(_, _, self._moved)] = connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except apsw.BusyError:
            pass  # the writer is at it itself
        finally:
            connection.close()

    def _say_once(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            self._trouble(f"{self._path}: the write-ahead log cannot be moved into the database: {error}")


def checkpoint_here(connection: apsw.Connection) -> None:
    """On the writer's own connection, between two transactions; does not wait for readers."""
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    except apsw.BusyError:
        return  # the checkpointer is at it; asked again after the next commit
    except apsw.Error as error:
        raise StoreUnavailable(f"the write-ahead log cannot be moved into the database: {error}") from error
