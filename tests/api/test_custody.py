"""The custody log over the real server, and the commands that read it there."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from serving import Served, served
from typer.testing import CliRunner

from tocsin.api.access import Access, Token, digest
from tocsin.cli.context import Invocation
from tocsin.cli.evidence import app
from tocsin.evidence.journal import next_line
from tocsin.model.evidence import CustodyLine, Job

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
async def gw(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as it:
        lines: list[CustodyLine] = []
        for number in range(5):
            lines.append(next_line(lines[-1] if lines else None, "city", AT, {"event": f"e{number}"}))
        job = Job(
            id="j", agent="city", registry_id="r", type="thumbnail", state="ended", seen_at=AT, updated_at=AT
        )  # fmt: skip
        await it.gateway.store.keep_job(job, (), lines)
        yield it


async def test_the_log_comes_page_by_page_as_it_was_written(gw: Served) -> None:
    first = await gw.get("/evidence/city/custody", limit="3")
    rest = await gw.get("/evidence/city/custody", limit="3", cursor=first["next_cursor"])
    assert [item["number"] for item in first["items"] + rest["items"]] == [1, 2, 3, 4, 5]
    assert rest["next_cursor"] is None
    stored = await gw.gateway.store.custody("city")
    assert [(one["text"], one["sha256"]) for one in first["items"]] == [(line.text, line.sha256) for line in stored[:3]]
    assert (await gw.get("/evidence/nobody/custody"))["items"] == []


async def test_the_commands_read_it_from_the_gateway(gw: Served, tmp_path: Path) -> None:
    url = str(gw.http._base_url).rstrip("/")

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, words, obj=Invocation(url=url))
        return done.exit_code, done.output

    out = str(tmp_path / "custody.jsonl")
    assert await asyncio.to_thread(run, "custody", "--agent", "city", "--out", out) == (
        0,
        f"5 lines written to {out}\n",
    )
    assert (await asyncio.to_thread(run, "verify", "--agent", "city"))[0] == 0
    assert (await asyncio.to_thread(run, "verify", "--log", out))[0] == 0
    assert (await asyncio.to_thread(run, "custody", "--agent", "city", "--out", out))[0] == 1
    assert (await asyncio.to_thread(run, "custody", "--agent", "city"))[1].count("\n") == 5


async def test_a_narrow_token_sees_no_custody_log(tmp_path: Path) -> None:
    narrow = Token(name="narrow", scopes=frozenset({"read"}), areas=frozenset({"North depot"}), digest=digest("sesame"))
    async with served(tmp_path, access=Access((narrow,))) as gw:
        headers = {"Authorization": "Bearer sesame"}
        async with gw.http.get("/api/v1/evidence/city/custody", headers=headers) as answer:
            assert answer.status == 403
