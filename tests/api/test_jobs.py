"""Evidence jobs and agents over the real server."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec import Raw
from msgspec.structs import replace
from serving import Served, served

from tocsin.api.access import Access, Token, digest
from tocsin.engine.evidence import AgentStatus
from tocsin.engine.tasks import ComponentState
from tocsin.model.evidence import Job, JobFile, SourceIdentity, Upload

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
UPLOAD = Upload(
    "f1", "https://x/b?sig=secret", "k", b"SEALED", b"w", b"i", b"t", 4, SourceIdentity(1, 2, 3), AT, next=3
)
FILE = JobFile("01J1", 1, 1, "a.mp4", "video/mp4", "uploading", "spooled.mp4", 9, "ab", upload=UPLOAD)


class Scripted:
    """engine.evidence.Agent."""

    name = "city"
    paused = False

    def __init__(self) -> None:
        self.done: list[str] = []

    def works(self):
        return []

    def state(self) -> ComponentState:
        return ComponentState("registry of city", "evidence", False, "cannot be reached")

    async def status(self) -> AgentStatus:
        return AgentStatus("city", "clearance", "paused" if self.done == ["pause"] else "asking", offered=2)

    def pause(self) -> None:
        self.done.append("pause")

    def resume(self) -> None:
        self.done.append("resume")

    def accept_shrink(self) -> None:
        self.done.append("accept")

    async def stop(self, for_good: bool) -> None: ...

    async def aclose(self) -> None: ...


@pytest.fixture
async def gw(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as it:
        for n in range(1, 6):
            job = Job(f"01J{n}", "city", f"r{n}", "mediarequest", "fetching" if n == 1 else "ended", AT, AT, "cam")
            await it.gateway.store.keep_job(replace(job, received=Raw(b'{"id":"r"}')), [FILE] if n == 1 else [])
        yield it


async def test_jobs_page_by_page_and_by_state(gw: Served) -> None:
    first = await gw.get("/jobs", limit="2")
    rest = await gw.get("/jobs", limit="3", cursor=first["next_cursor"])
    assert [one["id"] for one in first["items"] + rest["items"]] == ["01J5", "01J4", "01J3", "01J2", "01J1"]
    assert [one["id"] for one in (await gw.get("/jobs", state="fetching"))["items"]] == ["01J1"]
    assert (await gw.get("/jobs", agent="town"))["items"] == []


async def test_one_job_with_its_files_and_without_secrets(gw: Served) -> None:
    found = await gw.get("/jobs/01J1")
    (file,) = found["files"]
    assert (file["name"], file["file_id"], file["blocks"], found["received"]) == ("a.mp4", "f1", 3, {"id": "r"})
    assert "sig=" not in str(found)
    assert "SEALED" not in str(found)
    async with gw.http.get("/api/v1/jobs/none") as answer:
        assert answer.status == 404


async def test_agents_are_listed_paused_and_resumed_and_it_is_audited(gw: Served) -> None:
    agent = Scripted()
    gw.gateway.agents.add(agent)
    assert [one["name"] for one in (await gw.get("/evidence"))["items"]] == ["city"]
    for order, state in (("pause", "paused"), ("resume", "asking"), ("accept", "asking")):
        async with gw.http.post(f"/api/v1/evidence/city/{order}") as answer:
            assert (answer.status, (await answer.json())["state"]) == (200, state)
    assert agent.done == ["pause", "resume", "accept"]
    audited = [entry.action for entry in await gw.gateway.store.audit_entries(3)]
    assert audited == ["accept fewer devices", "resume", "pause"]
    async with gw.http.post("/api/v1/evidence/town/pause") as answer:
        assert answer.status == 404
    async with gw.http.get("/healthz") as answer:
        components = {one["name"]: one["ok"] for one in (await answer.json())["components"]}
    assert components["registry of city"] is False


async def test_who_may_see_only_some_areas_sees_no_jobs(tmp_path: Path) -> None:
    narrowed = Token("t", frozenset({"read", "operate"}), frozenset({"North"}), digest=digest("secret"))
    async with served(tmp_path, access=Access((narrowed,))) as it:
        for path in ("/jobs", "/jobs/01J1", "/evidence"):
            async with it.http.get(f"/api/v1{path}", headers={"Authorization": "Bearer secret"}) as answer:
                assert answer.status == 403
