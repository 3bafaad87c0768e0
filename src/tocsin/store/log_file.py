"""SQLite's write-ahead log on a disk that failed to sync: what it shows is not always what the disk holds.

After a failed sync Linux counts the pages as written. They are still shown to whoever reads the file, and no later sync
brings them to the disk. A commit that was refused for this must not be built upon: after a power cut the log would end
at its place, and everything acknowledged behind it would be gone (docs/decisions/0013-failed-syncs.md).
"""

import os

import apsw

PIECE = 1 << 20


def write_again(path: str) -> None:
    """Before the database is opened: the log's bytes are written over themselves and synced, so that what is shown is
    on the disk. Nobody else may have the database open. Raises OSError.
    """
    try:
        log = os.open(f"{path}-wal", os.O_RDWR)
    except FileNotFoundError:
        return
    try:
        place = 0
        while piece := _read(log, place):
            _write(log, piece, place)
            place += len(piece)
        os.fsync(log)
    finally:
        os.close(log)


def _read(log: int, place: int) -> bytes:
    os.lseek(log, place, os.SEEK_SET)
    return os.read(log, PIECE)


def _write(log: int, piece: bytes, place: int) -> None:
    os.lseek(log, place, os.SEEK_SET)
    while piece:
        piece = piece[os.write(log, piece) :]


class LogIndex:
    """A connection that does nothing but stay open: as long as there is one, no other makes the index of the log anew
    from what the file shows, and a refused commit, which is not in the index, is written over by the next.
    """

    def __init__(self, path: str) -> None:
        self._connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        self._connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # the log is opened at the first read

    def close(self) -> None:
        self._connection.close(True)
