"""The demonstration: the whole way over real sockets, and an exit code that does not flatter."""

import subprocess
import sys

import pytest

from tocsin.app.demo import Tally, summary


def test_the_demo_ends_by_itself_with_everything_acknowledged() -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tocsin", "demo", "--for", "3", "--port", "0"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
    assert ended.stdout.startswith("The console is at http://127.0.0.1:")
    for seen in ('"SIA-DCS"', '"*ADM-CID"', '"ACK"', "HTTP 200", "Subject: ", "250 2.0.0 queued", "burglary from"):
        assert seen in ended.stdout, seen
    assert ended.stdout.endswith("Every event was acknowledged by every station that was owed it.\n")


@pytest.mark.parametrize(
    ("tally", "code"),
    [
        (Tally("arc", 3, 3, 3), 0),
        (Tally("arc", 3, 2, 2), 1),
        (Tally("arc", 3, 3, 2), 1),
        (Tally("arc", 0, 0, 0), 1),
    ],
)
def test_the_exit_code_says_whether_the_stations_saw_it(tally: Tally, code: int) -> None:
    printed: list[str] = []
    assert summary(4, [Tally("other", 1, 1, 1), tally], printed.append) == code
    assert printed[0] == "\n4 events accepted; times are from accepted to acknowledged"
    assert printed[3].split()[:4] == ["arc", str(tally.owed), str(tally.acknowledged), str(tally.seen)]


def test_the_summary_gives_the_middle_and_the_slow_end() -> None:
    printed: list[str] = []
    summary(100, [Tally("arc", 100, 100, 100, tuple(float(n) for n in range(100)))], printed.append)
    assert printed[2].split()[4:] == ["50.0", "ms", "99.0", "ms"]
