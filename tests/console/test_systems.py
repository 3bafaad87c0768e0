"""The pages of systems, as a browser without script gets them, and the pieces that keep them up to date."""

import html
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from serving import Served, served
from tests.console.test_live import piece, watching
from tests.inventory.conftest import RULES, ScriptedSystem, camera, state

from tocsin.api.access import Rights
from tocsin.console.people import Person
from tocsin.console.system_views import natural
from tocsin.engine.inventory.rules import CustomerRule
from tocsin.engine.systems import LoginRefused

HTML = {"accept": "text/html"}
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("secret")
LOOKS = Person(Rights("eva", frozenset({"read"})), HASH)
NARROW = Person(Rights("leo", frozenset({"read", "operate"}), frozenset({"North"})), HASH)
MINE = replace(RULES, customers=(CustomerRule("acct-4410", name_glob="Camera *"),), customer_id="")


@pytest.fixture
def system() -> ScriptedSystem:
    made = ScriptedSystem(*[camera(n, address=f"http://192.0.2.{n}/", location="HQ/Dock") for n in range(1, 61)])
    made.listed.append(camera("spare", name="<b>Spare</b>"))
    made.now = [state(n, "online") for n in range(1, 60)] + [state(60, "offline", reason="communication_lost")]
    made.stream.put_nowait("new_session")
    return made


@pytest.fixture
async def gw(tmp_path: Path, system: ScriptedSystem) -> AsyncIterator[Served]:
    async with served(tmp_path, systems=[(system, MINE)]) as it:
        await ended(it)
        await it.until(lambda: online(it, 59))
        yield it


async def ended(gw: Served) -> bool:
    async def over() -> bool:
        found = await gw.get("/systems")
        run = found["items"][0]["run"]
        return bool(run and run["finished_at"])

    await gw.until(over)
    return True


async def online(gw: Served, count: int) -> bool:
    return bool((await gw.get("/systems"))["items"][0]["devices"].get("online") == count)


async def page(gw: Served, path: str, status: int = 200) -> str:
    async with gw.http.get(path, headers=HTML) as answer:
        assert answer.status == status, await answer.text()
        return html.unescape(re.sub(r"\s+", " ", await answer.text()))


async def posted(gw: Served, path: str, shown_at: str) -> tuple[int, str]:
    """A form of a page, sent; status and where it leads."""
    token = re.findall(r'name="csrf" value="([0-9a-f]+)"', await page(gw, shown_at))[0]
    async with gw.http.post(path, data={"csrf": token}, headers=HTML, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("location", "") or await answer.text()


async def test_the_list_says_how_each_system_is_and_how_its_reading_went(gw: Served) -> None:
    text = await page(gw, "/systems")
    assert 'aria-label="59 online, 1 unknown, 1 offline"' in text
    for shown in (
        '<a href="/systems/xp">xp</a>',
        "connected for",
        "<b>61</b> devices",
        "<b>61</b> seen",
        "Next sync",
        "1 device without customer",
    ):
        assert shown in text, shown


async def test_a_system_that_cannot_be_read_says_so_on_every_page(tmp_path: Path, system: ScriptedSystem) -> None:
    system.down = LoginRefused("the server refuses the user svc: wrong password")
    async with served(tmp_path, systems=[(system, MINE)]) as gw:
        await ended(gw)
        text = await page(gw, "/systems")
        assert "login refused for" in text
        assert text.count("the server refuses the user svc: wrong password") == 1
        assert "none read yet" in text
        assert "xp cannot be read" in await page(gw, "/aside")
        assert 'title="the server refuses the user svc: wrong password"' in await page(gw, "/")


async def test_devices_are_paged_and_those_that_need_somebody_come_first(gw: Served) -> None:
    text = await page(gw, "/systems/xp")
    names = re.findall(r"device_id=[^\"]+\">([^<]+|<b>[^<]+</b>)</a>", text)
    assert names[:4] == ["Camera 60", "<b>Spare</b>", "Camera 1", "Camera 2"]
    assert len(names) == 50
    assert "1 to 50 of 61" in text
    assert "communication lost" in text
    second = await page(gw, "/systems/xp?page=2")
    assert "51 to 61 of 61" in second
    assert "Camera 59" in second
    assert "51 to 61 of 61" in await page(gw, "/systems/xp?page=99")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("status=offline", 1),
        ("status=unknown", 1),
        ("status=degraded", 0),
        ("type=camera", 61),
        ("type=door", 0),
        ("device=192.0.2.7", 1),
        ("device=cAmErA+1", 11),
        ("device=dock&status=online", 59),
    ],
)
async def test_devices_are_found_by_status_type_and_name(gw: Served, query: str, count: int) -> None:
    text = await page(gw, f"/systems/xp?{query}")
    assert f"of {count}</span>" in text if count else "No device fits." in text


async def test_what_systems_say_is_shown_and_never_run(gw: Served) -> None:
    for path in ("/systems/xp", "/devices"):
        async with gw.http.get(path, headers=HTML) as answer:
            raw = await answer.text()
        assert "&lt;b&gt;Spare" in raw
        assert "<b>Spare" not in raw
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", raw)


async def test_a_dry_run_shows_what_would_change_and_changes_nothing(gw: Served, system: ScriptedSystem) -> None:
    system.listed = [*system.listed[1:60], camera(1, name="Dock"), camera(99)]
    status, where = await posted(gw, "/systems/xp/dry-run", "/systems/xp")
    assert status == 303
    await gw.until(lambda: over(gw, where))
    text = re.sub(r"<[^>]+>", "", await page(gw, where))
    for shown in ("Dry run of xp", "Nothing was changed.", "Camera 1 → Dock", "Camera 99", "missing for the 1. time"):
        assert shown in text, shown
    assert await online(gw, 59)
    assert "Camera 99" not in await page(gw, "/systems/xp?device=99")
    status, where = await posted(gw, "/systems/xp/sync", where)
    assert (status, where) == (303, "/systems/xp")
    await gw.until(lambda: found(gw, "99"))


async def over(gw: Served, where: str) -> bool:
    run = await gw.get("/runs/" + where.rpartition("/")[2])
    return bool(run["finished_at"])


async def found(gw: Served, device: str) -> bool:
    return "No device fits." not in await page(gw, f"/systems/xp?device={device}")


async def test_held_removals_are_shown_and_agreed_to(gw: Served, system: ScriptedSystem) -> None:
    assert "Nothing is missing" in await page(gw, "/systems/xp/removals")
    system.listed = [one for one in system.listed if one.native_key in ("1", "2")]  # type: ignore[union-attr]
    for _ in range(2):
        async with gw.http.post("/api/v1/systems/xp/sync", json={"fresh": True}) as answer:
            run = (await answer.json())["id"]
        await gw.until(lambda run=run: over(gw, run))  # type: ignore[misc]
    assert "59 removals held" in await page(gw, "/systems/xp")
    text = await page(gw, "/systems/xp/removals")
    assert "Are these 59 devices really gone?" in text
    assert "missing in 2 readings" in text
    status, said = await posted(gw, "/systems/xp/removals?count=3", "/systems/xp")
    assert (status, "59 devices are missing by now" in said) == (409, True)
    assert await online(gw, 59)
    status, where = await posted(gw, "/systems/xp/removals?count=59", "/systems/xp/removals")
    assert status == 303
    await gw.until(lambda: over(gw, where))
    text = re.sub(r"<[^>]+>", "", await page(gw, where))
    assert "with removals accepted" in text
    assert "no longer in the system" in text
    assert "removals held" not in (await page(gw, "/systems")).replace("removals held</a>", "")
    entries = await gw.gateway.store.audit_entries(1)
    assert [(one.who, one.action, one.subject) for one in entries] == [("console", "accept removals", "xp")]


async def test_the_device_page_knows_what_the_system_says(gw: Served) -> None:
    text = await page(gw, "/devices")
    assert 'camera of <a href="/systems/xp">xp</a>' in text
    assert text.index("Camera 60") < text.index("Camera 7<"), "what is offline comes first"
    assert "communication lost" in text
    assert "Gate camera" in text, "devices of no system are there too"


@pytest.mark.parametrize("path", ["/systems/none", "/systems/xp/runs/none", "/systems/none/removals"])
async def test_what_is_not_there_is_said(gw: Served, path: str) -> None:
    assert "To the overview" in await page(gw, path, 404)
    await page(gw, "/systems/xp?page=0", 422)


async def logged_in(gw: Served, name: str) -> None:
    async with gw.http.post("/login", data={"name": name, "password": "secret"}) as answer:
        assert answer.status == 200


async def test_who_may_look_but_not_operate_finds_no_button(tmp_path: Path, system: ScriptedSystem) -> None:
    async with served(tmp_path, people=[LOOKS], systems=[(system, MINE)]) as gw:
        await logged_in(gw, "eva")
        text = await page(gw, "/systems")
        assert "xp" in text
        assert "Sync now" not in text
        token = re.findall(r'name="csrf" value="([0-9a-f]+)"', text)[0]
        for act in ("sync", "dry-run", "removals?count=0"):
            async with gw.http.post(f"/systems/xp/{act}", data={"csrf": token}, headers=HTML) as answer:
                assert (answer.status, "operate is missing" in await answer.text()) == (403, True)


async def test_who_is_narrowed_to_areas_does_not_see_systems(tmp_path: Path, system: ScriptedSystem) -> None:
    async with served(tmp_path, people=[NARROW], systems=[(system, MINE)]) as gw:
        await logged_in(gw, "leo")
        assert 'href="/systems' not in await page(gw, "/")
        assert "narrowed" in await page(gw, "/systems", 403)


async def test_a_post_without_the_pages_token_is_refused(gw: Served) -> None:
    async with gw.http.post("/systems/xp/sync", data={}, headers=HTML) as answer:
        assert answer.status == 403
    async with gw.http.post("/systems/xp/removals?count=0", data={"csrf": "00"}, headers=HTML) as answer:
        assert answer.status == 403


async def test_open_pages_hear_of_runs_states_and_the_source(gw: Served, system: ScriptedSystem) -> None:
    async with watching(gw) as stream:
        system.stream.put_nowait(state(7, "offline"))
        assert await piece(stream, "systems")
        await gw.until(lambda: online(gw, 58))
        system.stream.put_nowait(LoginRefused("no more"))
        assert "login refused" in await piece(stream, "update", "login refused")


def test_names_are_ordered_as_people_count() -> None:
    assert sorted(["Camera 10", "camera 9", "Camera 1"], key=natural) == ["Camera 1", "camera 9", "Camera 10"]


@given(st.lists(st.text(max_size=12), max_size=6))
def test_any_names_can_be_ordered(names: list[str]) -> None:
    assert sorted(sorted(names, key=natural)) == sorted(names)
