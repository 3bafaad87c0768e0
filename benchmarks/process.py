"""Starting the programs of a measurement, reading what they print, and ending them by their own id."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def once(*arguments: object) -> dict[str, Any]:
    """Run a module of this package to its end; the last line it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=600, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def queued_seconds(pid: int) -> float:
    """How long the first thread of a process, its loop, was ready to run and others had the machine's cores."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def thread_seconds(pid: int) -> dict[str, float]:
    """The same by thread: the loop, then the others in the order in which they were started."""
    found = {}
    entries = Path(f"/proc/{pid}/task").iterdir()
    # Numbers begin anew after the largest, so the loop's need not be the smallest.
    for place, entry in enumerate(sorted(entries, key=lambda each: (int(each.name) != pid, int(each.name)))):
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
        found["loop" if place == 0 else f"thread {place}"] = (int(fields[11]) + int(fields[12])) / os.sysconf(
            "SC_CLK_TCK"
        )
    return found


class Child:
    """A program that serves until SIGTERM; `result` is what it printed at its end."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.result: dict[str, Any] = {}

    def line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def stop(self) -> dict[str, Any]:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=60)
        lines = output.strip().splitlines()
        self.result = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
        return self.result


@contextlib.contextmanager
def serving(*arguments: object) -> Iterator[Child]:
    process = subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    child = Child(process)
    try:
        yield child
    finally:
        if process.poll() is None:
            child.stop()


class Gateway:
    """The real program with its own folder and configuration."""

    def __init__(self, folder: Path, configuration: str) -> None:
        self.folder = folder
        self.api = free_port()
        text = f'[gateway]\nname = "bench"\n[api]\nlisten = "127.0.0.1:{self.api}"\n{configuration}'
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tocsin.toml").write_text(text)
        self.process: subprocess.Popen[str] | None = None
        self.ready_s = 0.0

    def __enter__(self) -> "Gateway":
        began = time.perf_counter()
        log = (self.folder / "log").open("a")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tocsin", "--config", str(self.folder / "tocsin.toml"), "run"],
            cwd=self.folder,
            stdout=log,
            stderr=log,
            text=True,
        )
        while not self.get("/readyz"):
            if self.process.poll() is not None or time.perf_counter() - began > 60:
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.01)
        self.ready_s = time.perf_counter() - began
        return self

    def __exit__(self, *error: object) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def get(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.api}{path}", timeout=30) as answer:
                body = answer.read()
                return json.loads(body) if "json" in answer.headers.get("content-type", "") else body.decode()
        except OSError:
            return None

    def post(self, path: str, body: bytes, content_type: str) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.api}{path}", data=body, headers={"content-type": content_type}
        )
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())

    def rss_mb(self) -> float:
        """Resident memory now, and its highest value so far, of the process."""
        return self._status("VmRSS")

    def peak_mb(self) -> float:
        return self._status("VmHWM")

    def _status(self, key: str) -> float:
        assert self.process is not None
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1]) / 1024
        return 0.0
