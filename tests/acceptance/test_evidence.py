"""The real program between an XProtect site, a registry and a storage that `tocsin simulate` runs: a job of each type,
and what was stored held against the custody log by `tocsin evidence verify`.
"""

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
from tests.acceptance.conftest import Program, Told, simulated
from tests.ports import free_port

from tocsin.engine.clock import LoopClock
from tocsin.standins.blob_access import permission
from tocsin.standins.milestone.site import Plan, identity
from tocsin.standins.milestone.standin import MilestoneStandin
from tocsin.standins.milestone.switches import Login

KEY = "stand-in"
CAMERA = f"xp:camera:{identity('camera', 3)}"
CONFIGURATION = """
[api]
listen = "127.0.0.1:API_PORT"
[[areas]]
name = "Depot"
[[systems]]
name = "xp"
type = "milestone"
url = "http://127.0.0.1:XP_PORT"
username = "tocsin"
password = "a&b"
area = "Depot"
[[evidence]]
name = "city"
type = "clearance"
connection_file = "clearance.json"
shared_areas = ["Depot"]
poll_interval = "5s"
"""


async def offered(registry: int, **job: str) -> None:
    address = f"http://127.0.0.1:{registry}/standin/job"
    async with aiohttp.ClientSession() as session, session.post(address, json=job) as answer:
        assert answer.status == 204, await answer.text()


async def stored(blobs: int, name: str, into: Path) -> Path:
    """A blob as it lies there, encrypted."""
    path = f"evidence/{name}"
    query = permission("standin", path, KEY.encode(), "r", datetime.now(UTC) + timedelta(minutes=5))
    address = f"http://127.0.0.1:{blobs}/standin/{path}?{query}"
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        assert answer.status == 200, await answer.text()
        into.write_bytes(await answer.read())
    return into


async def test_a_job_of_each_type_is_delivered_and_can_be_proved(
    program: Callable[[str], Program], tmp_path: Path
) -> None:
    told, blobs, registry = Told(), free_port(), free_port()
    account = ("--blobs", f"http://127.0.0.1:{blobs}/standin", "--blobs-key", KEY)
    connection = ("--connection", str(tmp_path / "clearance.json"))
    site = MilestoneStandin("127.0.0.1:0", lambda _: None, LoopClock(), Plan(4, 2), Login("tocsin", "a&b"))
    tocsin = program(CONFIGURATION.replace("XP_PORT", str(await site.start())))
    async with (
        contextlib.aclosing(site),
        simulated([], blobs, "blobs", "--key", KEY),
        simulated(told, registry, "clearance", *connection, *account),
        tocsin.running(),
    ):
        await tocsin.until("/api/v1/systems", lambda found: found["items"][0]["devices"].get("online", 0) >= 4)
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2)
        start -= timedelta(seconds=start.second % 2)
        asked = {"device": CAMERA, "start": start.isoformat(), "end": (start + timedelta(seconds=20)).isoformat()}
        await offered(registry, type="mediarequest", approved_by="Officer Tamm", **asked)
        await offered(registry, type="thumbnail", device=CAMERA)
        await offered(registry, type="discovery")
        found = await tocsin.until("/api/v1/jobs", _all_ended)
        jobs = {job["type"]: await tocsin.get(f"/api/v1/jobs/{job['id']}") for job in found["items"]}
        assert {name: (job["outcome"], job["reason"]) for name, job in jobs.items()} == dict.fromkeys(
            ("mediarequest", "thumbnail", "discovery"), ("Completed", "")
        )
        seen = {line["name"]: line for line in told if str(line.get("request", "")).startswith("complete_")}
        for type_, looks_like in (("mediarequest", "mp4"), ("thumbnail", "jpeg"), ("discovery", "json")):
            [file] = jobs[type_]["files"]
            assert _facts(seen[file["name"]]) == (looks_like, *(file[name] for name in _FACTS)), "decrypted there"
            blob = next(line["blob"] for line in told if line.get("file") == file["file_id"] and "blob" in line)
            copy = await stored(blobs, blob, tmp_path / type_)
            code, said = await tocsin.call("evidence", "verify", str(copy), "--agent", "city")
            assert (code, "as it was delivered" in said, "unbroken: lines 1 to" in said) == (0, True, True), said
        [clip] = jobs["mediarequest"]["files"]
        begin, end = (datetime.fromisoformat(clip[name]) for name in ("start", "end"))
        assert begin == start
        assert timedelta(seconds=20) <= end - begin < timedelta(seconds=22), "up to the group that the end lies in"
        assert jobs["discovery"]["devices"] == 4
        await _a_changed_one_is_found(tocsin, tmp_path)
    assert [line for line in told if line.get("problem")] == []


_FACTS = ("size", "sha256", "cipher_size", "cipher_sha256")


def _facts(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line[name] for name in ("looks_like", "size", "sha256", "cipher", "sha256_cipher"))


def _all_ended(found: Any) -> bool:
    return len(found["items"]) == 3 and all(job["state"] == "ended" for job in found["items"])


async def _a_changed_one_is_found(tocsin: Program, folder: Path) -> None:
    """One byte in a file, and one in the log."""
    clip, log = folder / "mediarequest", folder / "custody.jsonl"
    data = clip.read_bytes()
    clip.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert (await tocsin.call("evidence", "custody", "--agent", "city", "--out", str(log)))[0] == 0
    code, said = await tocsin.call("evidence", "verify", str(clip), "--log", str(log))
    assert (code, "not in the custody log" in said) == (1, True), said
    log.write_text(log.read_text().replace("Officer Tamm", "Officer Kask", 1))
    code, said = await tocsin.call("evidence", "verify", "--log", str(log))
    assert (code, "one of them was changed" in said) == (1, True), said
