"""The pages of evidence agents and jobs, as a browser without script gets them."""

import html
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from serving import Served, served
from tests.console.evidence_scene import AT, ScriptedAgent, clip, job, kept, many
from tests.console.test_live import piece, watching

from tocsin.api.access import Rights
from tocsin.app.gauges import metrics_text
from tocsin.console.job_custody import custody_of
from tocsin.console.job_views import received_text
from tocsin.console.people import Person
from tocsin.engine.standing import Standing
from tocsin.telemetry.metrics import Metrics

HTML = {"accept": "text/html"}
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("secret")
LOOKS = Person(Rights("eva", frozenset({"read"})), HASH)
NARROW = Person(Rights("leo", frozenset({"read", "operate"}), frozenset({"North"})), HASH)


@pytest.fixture
def agent() -> ScriptedAgent:
    return ScriptedAgent(offered=2, running=("one",), blocked=["discovery: job.id is absent"])


@pytest.fixture
async def gw(tmp_path: Path, agent: ScriptedAgent) -> AsyncIterator[Served]:
    async with served(tmp_path, agents=[agent]) as it:
        yield it


async def page(gw: Served, path: str, status: int = 200) -> str:
    async with gw.http.get(path, headers=HTML) as answer:
        assert answer.status == status, await answer.text()
        return html.unescape(re.sub(r"\s+", " ", await answer.text()))


def words(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


async def test_an_agent_says_how_it_stands_with_its_registry(gw: Served) -> None:
    text = words(await page(gw, "/evidence"))
    for shown in (
        "connected",
        "registry.example.net",
        "On offer 2 jobs",
        "Under way 1 job",
        "Not taken: discovery: job",
    ):
        assert shown in text, shown
    assert "No job was taken yet." in text


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("refused", "login refused"),
        ("away", "unreachable"),
        ("broken", "cannot start"),
        ("elsewhere", "at work on another node"),
        ("starting", "not answered yet"),
    ],
)
async def test_an_agent_in_trouble_says_why(tmp_path: Path, state: str, said: str) -> None:
    agent = ScriptedAgent(state=state, reason="the token service refuses us", last_answer=None)
    async with served(tmp_path, agents=[agent]) as gw:
        text = words(await page(gw, "/evidence"))
    assert said in text
    assert "the token service refuses us" in text
    assert "Last answer none yet" in text


async def test_jobs_are_listed_in_plain_words_newest_first(gw: Served) -> None:
    await kept(gw, job(1))
    await kept(gw, job(2, outcome="Failed", reason="no recording", progress=0))
    await kept(gw, job(3, type="discovery", device="", devices=203))
    await kept(gw, job(4, state="lost", outcome=None, reason="withdrawn: gone", progress=300))
    text = words(await page(gw, "/evidence"))
    found = [text.index(one) for one in ("withdrawn", "List of cameras with 203 cameras", "no recording", "reg-1")]
    assert found == sorted(found)
    assert "Video of Gate camera" in text
    assert "100 %" in text
    assert '<a href="/?device_id=d1">Gate camera</a>' in await page(gw, "/evidence")


@pytest.mark.parametrize(
    ("state", "ids"),
    [
        ("", {1, 2, 3, 4, 5, 6}),
        ("open", {4}),
        ("completed", {1}),
        ("partly", {2}),
        ("failed", {3}),
        ("released", {5}),
        ("lost", {6}),
        ("cancelled", set()),
    ],
)
async def test_jobs_are_found_by_state(gw: Served, state: str, ids: set[int]) -> None:
    await kept(gw, job(1))
    await kept(gw, job(2, outcome="PartiallyCompleted"))
    await kept(gw, job(3, outcome="Failed"))
    await kept(gw, job(4, state="fetching", outcome=None, progress=420))
    await kept(gw, job(5, state="released", outcome=None))
    await kept(gw, job(6, state="lost", outcome=None, agent="village"))
    text = await page(gw, f"/evidence?state={state}")
    assert {int(one) for one in re.findall(r"· reg-(\d+)", text)} == ids
    assert ("No job fits." in text) == (not ids)
    assert "reg-6" not in await page(gw, "/evidence?agent=city")
    await page(gw, "/evidence?state=nonsense", 422)


async def test_older_jobs_are_a_page_further(gw: Served) -> None:
    await many(gw, 60)
    text = await page(gw, "/evidence?state=completed")
    assert len(re.findall(r"· reg-\d+", text)) == 50
    [older] = re.findall(r'href="(/evidence\?[^"]+)">Older', text)
    rest = await page(gw, older)
    assert re.findall(r"· reg-(\d+)", rest) == [str(n) for n in range(10, 0, -1)]
    assert "Older" not in rest
    assert "Newest" in rest


async def test_a_job_shows_its_files_and_its_custody_lines(gw: Served) -> None:
    await many(gw, 30)
    first = job(40, attempt=1)
    await kept(gw, first, [clip(first, state="abandoned", upload=None)], ["locked", "lost"])
    one = job(40, attempt=2, failures=1)
    await kept(gw, one, [clip(one), clip(one, 2, state="uploading", sha256="ef" * 32)], ["locked", "file delivered"])
    await kept(gw, job(41), told=["locked", "ended"])
    raw = await page(gw, f"/evidence/jobs/{one.id}")
    text = words(raw)
    for shown in (
        "Video of Gate camera",
        "completed",
        "Officer Tamm",
        "Attempt 2",
        "Attempt 1",
        "2026-03-04 08:00:02 UTC to 2026-03-04 08:01:30 UTC, 88 s",
        "49,367 bytes, 49,376 encrypted",
        "ab" * 32,
        "cd" * 32,
        "given up",
        "Stored 3 blocks",
        "file delivered line 94",
    ):
        assert shown in text, shown
    assert re.findall(r"line (\d+) ·", text) == ["91", "92", "93", "94"]


async def test_nothing_secret_is_shown_and_nothing_foreign_is_run(gw: Served) -> None:
    one = job(7, state="fetching", outcome=None, lock_token="s3cr3t", locked_until=AT)
    await kept(gw, one, [clip(one, state="uploading")])
    async with gw.http.get(f"/evidence/jobs/{one.id}", headers=HTML) as answer:
        raw = await answer.text()
    assert "s3cr3t" not in raw
    assert "sig=" not in raw
    assert "https://store.example.net/evidence/clip?not shown" in raw
    assert "&lt;b&gt;urgent" in raw
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", raw)


async def test_the_lock_is_shown_as_it_was_last_renewed(gw: Served, agent: ScriptedAgent) -> None:
    one = await kept(gw, job(7, state="fetching", outcome=None, progress=420, locked_until=AT))
    agent.until[one.id] = datetime.now(UTC) + timedelta(seconds=50)
    until = agent.until[one.id].isoformat(timespec="milliseconds")
    for path in ("/evidence", f"/evidence/jobs/{one.id}"):
        assert f'<time datetime="{until}" data-in' in await page(gw, path)
    assert "42 %" in await page(gw, "/evidence")
    [shown] = (await gw.get("/jobs"))["items"]
    assert shown["locked_until"] > "2026-03-04T09"


async def posted(gw: Served, act: str, token: str) -> tuple[int, str]:
    async with gw.http.post(
        f"/evidence/city/{act}", data={"csrf": token}, headers=HTML, allow_redirects=False
    ) as answer:
        return answer.status, answer.headers.get("location", "") or await answer.text()


async def test_an_agent_is_paused_and_resumed(gw: Served, agent: ScriptedAgent) -> None:
    text = await page(gw, "/evidence")
    assert ">Resume<" not in words(text)
    token = re.findall(r'name="csrf" value="([0-9a-f]+)"', text)[0]
    assert await posted(gw, "pause", token) == (303, "/evidence")
    assert agent.now.state == "paused"
    assert "Resume" in words(await page(gw, "/evidence"))
    assert await posted(gw, "resume", token) == (303, "/evidence")
    assert (agent.now.state, (await posted(gw, "pause", "00"))[0]) == ("asking", 403)
    entries = await gw.gateway.store.audit_entries(2)
    assert [(one.who, one.action, one.subject) for one in entries] == [
        ("console", "resume", "city"), ("console", "pause", "city"),
    ]  # fmt: skip


async def test_who_may_look_but_not_operate_finds_no_button(tmp_path: Path, agent: ScriptedAgent) -> None:
    async with served(tmp_path, people=[LOOKS], agents=[agent]) as gw:
        async with gw.http.post("/login", data={"name": "eva", "password": "secret"}) as answer:
            assert answer.status == 200
        text = await page(gw, "/evidence")
        assert "Pause" not in words(text)
        token = re.findall(r'name="csrf" value="([0-9a-f]+)"', text)[0]
        assert (await posted(gw, "pause", token))[0] == 403
        assert agent.now.state == "asking"


async def test_who_is_narrowed_to_areas_does_not_see_evidence(tmp_path: Path, agent: ScriptedAgent) -> None:
    async with served(tmp_path, people=[NARROW], agents=[agent]) as gw:
        async with gw.http.post("/login", data={"name": "leo", "password": "secret"}) as answer:
            assert 'href="/evidence' not in await answer.text()
        one = await kept(gw, job(1))
        for path in ("/evidence", f"/evidence/jobs/{one.id}"):
            assert "narrowed" in await page(gw, path, 403)


async def test_what_is_not_there_is_said(gw: Served) -> None:
    assert "To the overview" in await page(gw, "/evidence/jobs/none", 404)
    token = re.findall(r'name="csrf" value="([0-9a-f]+)"', await page(gw, "/evidence"))[0]
    async with gw.http.post("/evidence/none/pause", data={"csrf": token}, headers=HTML) as answer:
        assert answer.status == 404


async def test_open_pages_hear_of_jobs_and_agents(gw: Served, agent: ScriptedAgent) -> None:
    async with watching(gw) as stream:
        await kept(gw, job(1, state="fetching", outcome=None))
        assert await piece(stream, "evidence")
    await gw.gateway.agents.statuses()
    async with watching(gw) as stream:
        agent.pause()
        assert await piece(stream, "evidence"), "nobody had to ask for the status"


async def test_the_state_of_an_agent_says_since_when(gw: Served, agent: ScriptedAgent) -> None:
    [first] = (await gw.get("/evidence"))["items"]
    [again] = (await gw.get("/evidence"))["items"]
    assert first["since"] == again["since"]
    agent.pause()
    [paused] = (await gw.get("/evidence"))["items"]
    assert paused["since"] > first["since"]


async def test_custody_lines_are_found_in_a_long_log(gw: Served) -> None:
    for number in range(1, 101):
        one = job(number, seen_at=AT + timedelta(hours=number))
        await kept(gw, one, told=["locked", "ended"])
    for number in (1, 50, 100):
        found = await custody_of(gw.gateway.store, job(number, seen_at=AT + timedelta(hours=number)))
        assert [line.number for line in found] == [2 * number - 1, 2 * number]
    assert await custody_of(gw.gateway.store, job(500)) == []
    assert await custody_of(gw.gateway.store, job(1, agent="nobody")) == []


@given(st.binary(max_size=200))
def test_any_bytes_from_the_registry_can_be_shown(received: bytes) -> None:
    assert isinstance(received_text(received), str)


json_values = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "accessToken", "ApiKey", "sasUri", "Password", "x"]), inner, max_size=3
    ), max_leaves=10,
)  # fmt: skip


@given(json_values)
def test_what_is_named_like_a_secret_is_never_shown(value: object) -> None:
    wrapped = {"token": "Zq9secret", "list": [{"clientSecret": ["Zq9secret"]}, value]}
    assert "Zq9secret" not in received_text(msgspec.json.encode(wrapped))


async def test_metrics_tell_the_lock_that_ends_first_while_there_is_one(gw: Served, agent: ScriptedAgent) -> None:
    metrics, now = Metrics(), gw.gateway.clock.now()
    agent.until = {"one": now + timedelta(seconds=500), "two": now + timedelta(seconds=100)}
    text = (await metrics_text(gw.gateway, metrics)).decode()
    [left] = [line for line in text.splitlines() if line.startswith('tocsin_lock_left_seconds{agent="city"}')]
    assert 0 < float(left.split()[1]) <= 100
    agent.until = {}
    assert b"tocsin_lock_left_seconds{" not in await metrics_text(gw.gateway, metrics)


async def test_a_pause_by_hand_outlives_a_reload_and_a_restart(gw: Served, agent: ScriptedAgent) -> None:
    agent.pause()
    standing = gw.gateway.standing()
    assert standing.agents == {"city"}
    agent.resume()
    gw.gateway.carry_on(standing)
    assert agent.paused
    gw.gateway.carry_on(Standing(agents=frozenset({"an agent that is gone"})))
