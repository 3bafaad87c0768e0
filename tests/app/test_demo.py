"""The demonstration: the whole way over real sockets, and an exit code that does not flatter."""

import re
import subprocess
import sys

import pytest

from tocsin.app.demo.rollcall import RollCall, device_id
from tocsin.app.demo.running import Tally, summary
from tocsin.app.demo.systems import Systems


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
    assert "\ntamper                     TA              1383            E383 " in ended.stdout
    assert "(off) snapshot: filter.kinds: snapshot is not forwarded unless listed" in ended.stdout
    assert "MISSING" not in ended.stdout
    assert "\ncloud holds 201 devices of xprotect, 9 devices of onguard, 3 devices of onvif; it took " in ended.stdout
    assert re.search(
        r"\nCamera 17 of xprotect unplugged -> told after [\d.]+ s; plugged in again -> told after [\d.]+ s\n",
        ended.stdout,
    )
    assert "Lobby of onvif saw motion once -> alarms: 1 at arc, 1 at email, there with its picture" in ended.stdout
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
    assert summary(4, [Tally("other", 1, 1, 1), tally], True, printed.append) == code
    assert printed[0] == "\n4 events accepted; times are from accepted to acknowledged"
    assert printed[3].split()[:4] == ["arc", str(tally.owed), str(tally.acknowledged), str(tally.seen)]


def test_the_summary_gives_the_middle_and_the_slow_end() -> None:
    printed: list[str] = []
    summary(100, [Tally("arc", 100, 100, 100, tuple(float(n) for n in range(100)))], True, printed.append)
    assert printed[2].split()[4:] == ["50.0", "ms", "99.0", "ms"]


def test_the_roll_call_says_what_did_not_come() -> None:
    roll = RollCall()
    assert device_id("tamper") == "roll-02"
    roll.note("surgard", {"account": "9281", "zone": "002", "code": "1383"})
    roll.note("surgard", {"account": "9280", "zone": "003", "code": "1383"})
    assert roll.missing({"surgard": {"tamper", "fire"}}) == ["fire did not reach surgard"]
    table = "\n".join(roll.table(["surgard"], {"surgard": {"snapshot": "not wanted"}}))
    assert "tamper                     E383" in table
    assert "snapshot                   (off)" in table
    assert "(off) snapshot: not wanted" in table
    assert "fire                       MISSING" in table
    assert summary(1, [Tally("surgard", 1, 1, 1)], False, [].append) == 1


async def test_the_demo_says_what_the_cloud_did_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.app.demo.systems._LIMIT_S", 0.05)
    monkeypatch.setattr("tocsin.app.demo.systems._AWAY_S", 0.0)
    systems = Systems()
    systems.stopping.set()
    printed: list[str] = []
    await systems.go_on(printed.append)
    assert printed[0] == "Camera 17 of xprotect was unplugged -> cloud has it offline NOT within 0 s"
    assert not systems.complete()
    lines = list(systems.lines())
    assert lines[0] == "cloud holds nothing; it took 0 messages"
    assert lines[1].startswith("Camera 17 of xprotect unplugged -> told NOT within")
    assert lines[2].startswith("Lobby of onvif saw motion once -> alarms: 0 at arc, 0 at email")
