"""The real program, started as a user starts it: what it prints and how it ends."""

import io
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from msgspec import Struct

from tocsin.cli.main import main


class Ended(Struct, frozen=True):
    """How one call ended."""

    code: int
    out: str
    err: str


Tocsin = Callable[..., Ended]


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "tocsin", *arguments]


def _surroundings(environment: dict[str, str]) -> dict[str, Any]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
    return inherited | {"COLUMNS": "120", "PYTHONUTF8": "1"} | environment


@pytest.fixture
def program(tmp_path: Path) -> Tocsin:
    """Runs `python -m tocsin` in the test's own folder."""

    def run(*arguments: str, given: str = "", **environment: str) -> Ended:
        ended = subprocess.run(
            _command(*arguments),
            cwd=tmp_path,
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            env=_surroundings(environment),
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run


@pytest.fixture
def tocsin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tocsin:
    """The same by its entry point, without a second Python: what most tests use, for speed."""
    monkeypatch.chdir(tmp_path)
    for name in ("TOCSIN_TOKEN", "TOCSIN_URL"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str, given: str = "", **environment: str) -> Ended:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        printed = capsys.readouterr()
        return Ended(int(ended.value.code or 0), printed.out, printed.err)

    return run


@contextmanager
def started(folder: Path, *arguments: str) -> "Iterator[subprocess.Popen[str]]":
    """`python -m tocsin`, running in a folder until SIGTERM."""
    with subprocess.Popen(
        _command(*arguments),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_surroundings({}),
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def line_with(stream: IO[str] | None, pattern: str) -> "re.Match[str]":
    """The next line that matches; pytest's timeout bounds the wait, the end of the stream ends it."""
    assert stream is not None
    seen = []
    for line in stream:
        seen.append(line)
        found = re.search(pattern, line)
        if found:
            return found
    raise AssertionError(f"no line with {pattern}: {seen}")
