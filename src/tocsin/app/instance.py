"""One gateway per data folder: a lock that the kernel gives back when the process ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tocsin.store.sqlite import sync_directory

LOCK_NAME = "tocsin.lock"
WRITABLE = "give it to the user the gateway runs as, or set gateway.data_dir to another"


class AlreadyRunning(Exception):
    """Another process has the data folder."""


@contextmanager
def only_one(data_dir: Path) -> Iterator[None]:
    """Hold the folder. Raises AlreadyRunning, OSError when the folder cannot be made or written."""
    with _lock_file(data_dir) as file:
        _lock(file.fileno(), data_dir)
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _lock_file(data_dir: Path) -> TextIO:
    try:
        missing = [folder for folder in (data_dir, *data_dir.parents) if not folder.exists()]
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o750)
        for folder in missing:
            sync_directory(folder.parent)  # else a power cut takes the new folder with all that is in it
        return (data_dir / LOCK_NAME).open("a+")
    except OSError as error:
        reason = f"the data folder {data_dir} cannot be used: {error.strerror}; {WRITABLE}"
        raise OSError(error.errno, reason) from None


def unusable_folder(data_dir: Path) -> str:
    """Why a gateway of this user could not keep its data there, or ""; nothing is made or written."""
    nearest = next(folder for folder in (data_dir, *data_dir.parents) if os.path.lexists(folder))
    if not nearest.is_dir():
        return f"{nearest} is no folder"
    return "" if os.access(nearest, os.W_OK | os.X_OK) else f"this user may not write in {nearest}"


def _lock(descriptor: int, data_dir: Path) -> None:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise AlreadyRunning(
            f"another gateway is running with the data folder {data_dir}; stop it, or give this one its own data_dir"
        ) from None
