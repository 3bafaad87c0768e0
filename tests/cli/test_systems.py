"""`systems` and `sync`, as typed, against a running gateway."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.serving import Served, served_apart
from tests.inventory.conftest import RULES, ScriptedSystem, camera, state

from tocsin.engine.systems import LoginRefused


@pytest.fixture
def system() -> ScriptedSystem:
    return ScriptedSystem(*[camera(n) for n in range(20)])


@pytest.fixture
def gateway(tmp_path: Path, system: ScriptedSystem) -> Iterator[Served]:
    """Its first run is over."""

    async def has_run(gw: Served) -> None:
        async def ended() -> bool:
            found = await gw.gateway.store.runs("xp", 1)
            return bool(found and found[0].ended)

        await gw.until(ended)

    with served_apart(tmp_path, has_run, console=False, systems=[(system, RULES)]) as running:
        yield running


def test_a_dry_run_shows_the_difference_and_a_run_makes_it(tocsin, gateway, system):
    system.listed = [camera(0, name="Dock"), *[camera(n) for n in range(1, 21)]]
    dry = tocsin("--url", gateway.url, "sync", "xp", "--dry-run")
    assert (dry.code, dry.out.splitlines()) == (
        0,
        [
            "~ xp:camera:0  Dock  (name: Camera 0 → Dock)",
            "+ xp:camera:20  Camera 20  (camera)",
            "xp: succeeded, 21 seen, 1 added, 1 changed, 0 removed (dry run: nothing was changed)",
        ],
    )
    done = tocsin("--url", gateway.url, "--json", "sync", "xp")
    assert (done.code, json.loads(done.out)["counts"]["added"]) == (0, 1)
    again = tocsin("--url", gateway.url, "sync", "xp")
    assert again.out == "xp: succeeded, 21 seen, 0 added, 0 changed, 0 removed\n"


def test_removals_that_are_held_end_with_1_and_say_what_to_do(tocsin, gateway, system):
    system.listed = []
    held = tocsin("--url", gateway.url, "sync", "xp")
    assert held.code == 1
    assert "`tocsin sync xp --accept-removals`" in held.out
    assert "xp: held, 0 seen, 0 added, 0 changed, 0 removed, 20 missing" in held.out
    listed = tocsin("--url", gateway.url, "systems")
    assert "held: the system lists no device any more" in listed.out
    accepted = tocsin("--url", gateway.url, "sync", "xp", "--accept-removals")
    assert (accepted.code, "20 removed" in accepted.out) == (0, True)


def test_a_run_that_fails_says_why(tocsin, gateway, system):
    system.down = LoginRefused("the server refuses the user svc: wrong password")
    failed = tocsin("--url", gateway.url, "sync", "xp")
    assert (failed.code, failed.err) == (1, "error: the server refuses the user svc: wrong password\n")
    listed = tocsin("--url", gateway.url, "systems")
    assert "auth_failed" in listed.out


def test_what_is_mistyped_is_said(tocsin, gateway):
    assert tocsin("--url", gateway.url, "sync", "nothing").code == 1
    both = tocsin("--url", gateway.url, "sync", "xp", "--dry-run", "--accept-removals")
    assert (both.code, "leave one of the two out" in both.err) == (2, True)
    assert tocsin("sync").code == 2


def test_one_system_is_told_with_its_runs(tocsin, gateway):
    tocsin("--url", gateway.url, "sync", "xp", "--dry-run")
    told = tocsin("--url", gateway.url, "systems", "xp")
    lines = told.out.splitlines()
    assert lines[0] == "system       xp, scripted"
    assert lines[1].startswith("state        ok since 20")
    assert lines[2] == "devices      20 unknown"
    assert lines[3].endswith("succeeded, 20 seen, 20 added, 0 changed, 0 removed")
    assert "dry run" in lines[-2]
    assert "manual, by api" in lines[-2]
    assert lines[-1].endswith("20 seen, 20 added, 0 changed, 0 removed")
    runs = json.loads(tocsin("--url", gateway.url, "--json", "systems", "xp").out)["runs"]
    assert [run["dry_run"] for run in runs] == [True, False]
    assert tocsin("--url", gateway.url, "systems", "none").code == 1


def test_devices_of_a_system_are_told_with_what_it_says_of_them(tocsin, gateway, system):
    system.now = [state(n, "offline" if n == 7 else "online", reason="communication_lost") for n in range(20)]
    system.stream.put_nowait("new_session")
    while "1 offline" not in tocsin("--url", gateway.url, "systems").out:
        pass
    told = tocsin("--url", gateway.url, "devices", "--system", "xp", "--status", "offline")
    assert len(told.out.splitlines()) == 2
    assert "Camera 7" in told.out
    assert ": communication lost" in told.out
    assert len(tocsin("--url", gateway.url, "devices", "--system", "xp").out.splitlines()) == 21
    assert tocsin("--url", gateway.url, "devices", "--system", "og").out.startswith("no devices")
