"""The demonstration: the whole way over real sockets, and an exit code that does not flatter."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from tocsin.app.demo.evidence import Evidence, Proof, ProvedFile, ProvedJob
from tocsin.app.demo.rollcall import RollCall, device_id
from tocsin.app.demo.running import Tally, summary
from tocsin.app.demo.systems import Systems
from tocsin.evidence.custody import Verdict
from tocsin.store.contract import Store
from tocsin.store.open import open_store


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
    for asked, file in (
        ("a list of the shared cameras", r"discovery\.json"),
        ("a picture of Camera 5 of xprotect", r"thumbnail\.jpg"),
        (r"30 s of video of Camera 5 of xprotect, from [\d:]+ UTC", r"Camera_5_\w+_30s\.mp4"),
    ):
        proved = rf"\nregistry asked for {asked} -> Completed after [\d.]+ s\n {{10}}{file}: .* as in the custody log\n"
        assert re.search(proved, ended.stdout), asked
    assert "NOT as in" not in ended.stdout
    assert re.search(r"\ncustody log of city: unbroken, lines 1 to \d+\n", ended.stdout)
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


WHOLE = ProvedFile("clip.mp4", 5, "ab" * 32, True)
DONE = ProvedJob("job-1", "a picture of Camera 5", "Completed", 4.0, (WHOLE,))
CHAIN = Verdict(3, 1, 3, "cd" * 32)


@pytest.mark.parametrize(
    ("job", "chain", "said"),
    [
        (
            ProvedJob("job-1", "a picture", "Failed", 4.0, ()),
            CHAIN,
            "registry asked for a picture -> Failed after 4.0 s",
        ),
        (ProvedJob("job-1", "a picture", "", None, ()), CHAIN, "registry asked for a picture -> NOT ended"),
        (ProvedJob("job-1", "a picture", "Completed", 4.0, ()), CHAIN, "-> Completed"),
        (replace(DONE, files=(WHOLE, replace(WHOLE, agrees=False))), CHAIN, "NOT as in the custody log"),
        (DONE, Verdict(), "custody log of city: NOT unbroken"),
        (DONE, replace(CHAIN, faults=("line 2 does not follow from line 1",)), "line 2 does not follow from line 1"),
    ],
)
def test_the_demo_says_what_cannot_be_proved_of_the_evidence(job: ProvedJob, chain: Verdict, said: str) -> None:
    proof = Proof((DONE, job, DONE), chain)
    assert not proof.complete()
    assert said in "\n".join(proof.lines())
    assert Proof((DONE, DONE, DONE), CHAIN).complete()
    assert not Proof((DONE, DONE), CHAIN).complete()


@asynccontextmanager
async def opened_store(folder: Path) -> AsyncIterator[Store]:
    store = open_store(folder / "tocsin.db")
    await store.open()
    yield store
    await store.aclose()


async def test_the_demo_says_that_a_job_was_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tocsin.app.demo.evidence._LIMIT_S", 0.05)
    evidence = Evidence(tmp_path)
    printed: list[str] = []
    async with AsyncExitStack() as stack, opened_store(tmp_path) as store:
        await evidence.start(stack, tmp_path / "clearance.json")
        evidence.post("cam", "Camera 5", printed.append)
        await evidence.done()
        proof = await evidence.proved(store)
    assert printed[-1] == "The evidence registry's jobs were NOT ended within 0 s"
    assert not proof.complete()
    assert [line.rpartition(" -> ")[2] for line in proof.lines()[:3]] == ["NOT ended"] * 3
