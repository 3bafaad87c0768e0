"""The process that mounts a Disk with FUSE. Commands come as JSON lines on standard input; its end unmounts.

Usage: mounted_disk.py PLATTER MOUNTPOINT. PLATTER is a real folder: read at the start, replaced by what a disk would
hold when the mount ends.
"""

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import mfusepy

from harness.disk import Disk, Faults, File, Folder, load, save


class Mounted(mfusepy.Operations):
    """Translates FUSE calls to a Disk. File handles keep unlinked files alive."""

    use_ns = True

    def __init__(self, disk: Disk, lock: threading.Lock) -> None:
        self._disk = disk
        self._lock = lock
        self._open: dict[int, File] = {}
        self._handle = 0

    def init(self, path: str) -> None:
        print(json.dumps({"mounted": True}), flush=True)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        with self._lock:
            node = self._open[fh] if fh in self._open else self._disk.find(path)
            if isinstance(node, Folder):
                return {"st_mode": stat.S_IFDIR | node.mode, "st_nlink": 2, "st_uid": os.getuid()}
            size = len(node.data)
            return {
                "st_mode": stat.S_IFREG | node.mode,
                "st_nlink": 1,
                "st_size": size,
                "st_blocks": -(-size // 512),
                "st_uid": os.getuid(),
            }

    def readdir(self, path: str, fh: int) -> list[str]:
        with self._lock:
            return [".", "..", *self._disk.folder(path).entries]

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        with self._lock:
            file = File(mode=stat.S_IMODE(mode))
            self._disk.enter(path, file)
            return self._opened(file)

    def open(self, path: str, flags: int) -> int:
        with self._lock:
            file = self._disk.file(path)
            if flags & os.O_TRUNC:
                self._disk.truncate(file, 0)
            return self._opened(file)

    def release(self, path: str, fh: int) -> int:
        with self._lock:
            self._open.pop(fh, None)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        with self._lock:
            return self._disk.read(self._open[fh], size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        with self._lock:
            return self._disk.write(self._open[fh], data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        with self._lock:
            self._disk.truncate(self._open[fh] if fh in self._open else self._disk.file(path), length)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        with self._lock:
            self._disk.sync(self._open[fh])
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        with self._lock:
            self._disk.sync(self._disk.folder(path))
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        with self._lock:
            self._disk.enter(path, Folder(mode=stat.S_IMODE(mode)))
        return 0

    def unlink(self, path: str) -> int:
        with self._lock:
            self._disk.enter(path, None)
        return 0

    rmdir = unlink

    def rename(self, old: str, new: str) -> int:
        with self._lock:
            self._disk.rename(old, new)
        return 0

    def chmod(self, path: str, mode: int) -> int:
        with self._lock:
            self._disk.find(path).mode = stat.S_IMODE(mode)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        return 0

    def utimens(self, path: str, times: Any = None) -> int:
        return 0

    def _opened(self, file: File) -> int:
        self._handle += 1
        self._open[self._handle] = file
        return self._handle


class Control:
    """Answers the commands of the test that owns the disk."""

    def __init__(self, disk: Disk, lock: threading.Lock, mountpoint: str) -> None:
        self._disk = disk
        self._lock = lock
        self._mountpoint = mountpoint
        self._cut = threading.Event()
        disk.on_cut = self._cut.set

    def run(self) -> None:
        for line in sys.stdin:
            request = json.loads(line)
            answer = getattr(self, "do_" + request.pop("do"))(**request)
            print(json.dumps(answer), flush=True)
        self._unmount()

    def do_status(self) -> dict[str, Any]:
        with self._lock:
            disk = self._disk
            return {"changes": disk.changes, "syncs": disk.syncs, "refused": disk.refused, "cut": disk.dead}

    def do_inject(self, **faults: Any) -> dict[str, Any]:
        with self._lock:
            self._disk.inject(Faults(**faults))
        return self.do_status()

    def do_cut(self) -> dict[str, Any]:
        with self._lock:
            self._disk.cut()
        return self.do_status()

    def do_wait(self, timeout_s: float) -> dict[str, Any]:
        self._cut.wait(timeout_s)
        return self.do_status()

    def _unmount(self) -> None:
        for arguments in (["-u"],) * 20 + (["-u", "-z"],):
            done = subprocess.run(
                ["fusermount3", *arguments, self._mountpoint], capture_output=True, check=False, timeout=10
            )
            if done.returncode == 0 or not os.path.ismount(self._mountpoint):
                return
            time.sleep(0.05)  # busy: a dying process still holds a file
        raise OSError(errno.EBUSY, done.stderr.decode())


def main(platter: Path, mountpoint: str) -> None:
    disk, lock = Disk(), threading.Lock()
    disk.root = load(platter)
    threading.Thread(target=Control(disk, lock, mountpoint).run, daemon=True).start()
    mfusepy.FUSE(
        Mounted(disk, lock),
        mountpoint,
        foreground=True,
        nothreads=True,
        kernel_cache=True,
        auto_unmount=True,
        fsname="powercut",
    )
    shutil.rmtree(platter)
    save(disk.durable(), platter)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
