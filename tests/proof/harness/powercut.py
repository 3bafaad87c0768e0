"""A mounted file system that forgets unsynced writes at a cut, and fails on demand, for the process under test.

    with PowerCut(tmp_path) as power:
        process = start(data_dir=power.mount_point)
        power.inject(Faults(cut_at=200, torn=True, seed=7))
        power.wait_for_cut(30)
        process.kill(); process.wait()
        power.restore()                # the state a disk would have, mounted anew, no faults

`platter` is a real folder that holds the disk's content whenever nothing is mounted.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.disk import Faults

__all__ = ["DiskStatus", "Faults", "PowerCut", "unavailable"]

_PROCESS = Path(__file__).with_name("mounted_disk.py")


def unavailable() -> str:
    """Why no file system can be mounted here; empty when it can."""
    if shutil.which("fusermount3") is None:
        return "Debian's fuse3 is not installed"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse cannot be opened"
    return ""


@dataclass(frozen=True)
class DiskStatus:
    """Counts since mounting: changes of any kind, syncs, operations refused by an injected fault."""

    changes: int
    syncs: int
    refused: int
    cut: bool


class PowerCut:
    """Mounted on construction. Every process that uses it must be dead before `restore`, `unmount` or the end."""

    def __init__(self, folder: Path) -> None:
        self.platter = folder / "platter"
        self.mount_point = folder / "mount"
        self.platter.mkdir(exist_ok=True)
        self.mount_point.mkdir(exist_ok=True)
        self._process: subprocess.Popen[str] | None = None
        self.mount()

    def mount(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(_PROCESS), str(self.platter), str(self.mount_point)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if self._answer() != {"mounted": True}:
            raise OSError("the file system was not mounted")

    def inject(self, faults: Faults) -> DiskStatus:
        """Replace all faults by these; counts in them start now."""
        return DiskStatus(**self._ask("inject", **asdict(faults)))

    def cut(self) -> DiskStatus:
        """Cut the power now."""
        return DiskStatus(**self._ask("cut"))

    def status(self) -> DiskStatus:
        return DiskStatus(**self._ask("status"))

    def wait_for_cut(self, timeout_s: float) -> DiskStatus:
        """Returns when the power went, or after `timeout_s` with `cut` False."""
        return DiskStatus(**self._ask("wait", timeout_s=timeout_s))

    def restore(self) -> None:
        """The power is back: what was durable is mounted again, without faults."""
        self.unmount()
        self.mount()

    def unmount(self) -> None:
        """Afterwards `platter` holds the disk's content: after a cut what was durable, otherwise everything."""
        process, self._process = self._process, None
        if process is None:
            return
        _, errors = process.communicate(timeout=30)
        if process.returncode != 0:
            subprocess.run(["fusermount3", "-u", "-z", str(self.mount_point)], check=False, timeout=10)
            raise OSError(f"the file system's process ended with {process.returncode}: {errors}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unmount()

    def _ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": command, **arguments}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise OSError("the file system's process has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer
