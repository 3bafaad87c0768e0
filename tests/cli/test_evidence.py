"""`tocsin evidence` and `tocsin jobs` against a running gateway and a stand-in registry, as people type them."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

AT = "2026-03-04T08:00:00+00:00"


def tocsin(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tocsin", *words], check=False, cwd=folder, capture_output=True, text=True, timeout=60
    )


class Started:
    """A command that goes on; `said` waits for a line of its standard error."""

    def __init__(self, folder: Path, *words: str) -> None:
        self._log = folder / f"{words[1] if len(words) > 1 else words[0]}.err"
        with self._log.open("w") as log, (folder / "out").open("a") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tocsin", *words], cwd=folder, stderr=log, stdout=out
            )

    def said(self, words: str) -> str:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for line in self._log.read_text().splitlines():
                if words in line:
                    return line
            assert self.process.poll() is None, self._log.read_text()
            time.sleep(0.05)
        raise AssertionError(self._log.read_text())

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture
def registry(tmp_path: Path):
    blobs = Started(tmp_path, "simulate", "blobs", "--listen", "127.0.0.1:0", "--key", "secret")
    port = blobs.said("listening on").rpartition(":")[2]
    clearance = Started(
        tmp_path, "simulate", "clearance", "--listen", "127.0.0.1:0", "--connection", "clearance.json",
        "--blobs", f"http://127.0.0.1:{port}/standin", "--blobs-key", "secret",
        "--job", "discovery", "--job", f"mediarequest/nobody/{AT}/2026-03-04T09:00:00+00:00",
    )  # fmt: skip
    clearance.said("listening on")
    yield tmp_path
    clearance.end()
    blobs.end()


def test_setup_tries_the_file_and_drafts_a_profile(registry: Path) -> None:
    (registry / "swagger.json").write_text(json.dumps({"paths": {"/v1/agents/{agentId}/jobs": {"get": {}}}}))
    tried = tocsin(registry, "evidence", "setup", "clearance.json", "--openapi", "swagger.json", "--out", "p.toml")
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "ok      token: given" in tried.stdout
    assert "algorithms RS256, RS384, RS512" in tried.stdout
    assert "2 on offer" in tried.stdout
    assert "[ops.get_jobs]\n# ? GET /v1/agents/{agentId}/jobs" in (registry / "p.toml").read_text()
    again = tocsin(registry, "evidence", "setup", "clearance.json", "--openapi", "swagger.json", "--out", "p.toml")
    assert again.returncode == 1
    (registry / "clearance.json").chmod(0o644)
    refused = tocsin(registry, "evidence", "setup", "clearance.json")
    assert (refused.returncode, "chmod 600" in refused.stderr) == (2, True)


def test_check_run_jobs_pause_and_verify(registry: Path) -> None:
    (registry / "tocsin.toml").write_text(
        '[api]\nlisten = "127.0.0.1:0"\n[[areas]]\nname = "North"\n'
        '[[evidence]]\nname = "city"\ntype = "clearance"\nconnection_file = "clearance.json"\n'
        'shared_areas = ["North"]\npoll_interval = "5s"\n'
    )
    checked = tocsin(registry, "evidence", "check")
    assert checked.returncode == 0, checked.stdout
    assert "cameras of North" in checked.stdout
    assert "city:" in tocsin(registry, "check", "--connect").stdout
    assert tocsin(registry, "evidence", "check", "town").returncode == 2
    gateway = Started(registry, "run")
    try:
        url = gateway.said("is ready").rpartition("console at ")[2].split()[0]
        gateway.said("unknown device")
        listed = json.loads(tocsin(registry, "jobs", "--json", "--url", url).stdout)
        assert {one["type"]: (one["state"], one["outcome"], one["reason"]) for one in listed} == {
            "mediarequest": ("ended", "Failed", "unknown device"),
            "discovery": ("released", None, listed_reason(listed)),
        }
        assert "asking" in tocsin(registry, "evidence", "agents", "--url", url).stdout
        assert "city: paused" in tocsin(registry, "evidence", "pause", "city", "--url", url).stdout
        drained = tocsin(registry, "evidence", "drain", "city", "--url", url)
        assert (drained.returncode, drained.stdout) == (0, "city: nothing is under way, none is taken\n")
        assert "city: asking" in tocsin(registry, "evidence", "resume", "city", "--url", url).stdout
        assert tocsin(registry, "evidence", "pause", "town", "--url", url).returncode == 1
        verified = tocsin(registry, "evidence", "verify", "--agent", "city", "--url", url)
        assert "unbroken: lines 1 to 4" in verified.stdout, verified.stdout + verified.stderr
    finally:
        gateway.end()


def listed_reason(listed: list[dict[str, str]]) -> str:
    (found,) = [one["reason"] for one in listed if one["type"] == "discovery"]
    assert found.startswith("no camera is shared")
    return found
