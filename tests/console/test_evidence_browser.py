"""The pages of evidence in a real browser: live, on a desk and on a phone, dark and light."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, expect
from serving import Served, served
from tests.console.evidence_scene import ScriptedAgent, clip, job, kept
from tests.console.eyes import IN_A_BROWSER, faint_words, held_up, looking, take_picture

pytestmark = IN_A_BROWSER
LONG = "no recording between 08:00:10 and 08:01:20: the recorder of the northern warehouse was switched off"


async def some(gw: Served) -> str:
    """A job of every kind and state; the id of the one with most to show."""
    now = datetime.now(UTC)
    for number, (state, outcome) in enumerate(
        [("released", None), ("cancelled", None), ("lost", None), ("ended", "Completed"), ("ended", "Failed")], start=1
    ):
        reason = "" if outcome == "Completed" else LONG
        until = now + timedelta(minutes=2) if state == "lost" else None
        one = job(number, state=state, outcome=outcome, reason=reason, progress=400, hold_off_until=until)
        await kept(gw, replace(one, updated_at=now), told=["locked"])
    await kept(gw, job(6, type="discovery", device="", start=None, end=None, devices=203))
    await kept(gw, job(7, type="thumbnail", device="xp:camera:" + "8d7c" * 9, start=None, end=None))
    one = job(8, attempt=2, state="fetching", outcome=None, progress=420, locked_until=now + timedelta(seconds=50))
    one = replace(one, device="d1", registry_id="3b1f0a52-8f1e-4c1f-9d0e-" + "5a" * 6)
    await kept(gw, replace(one, attempt=1), [clip(replace(one, attempt=1), state="abandoned", upload=None)])
    await kept(gw, one, [clip(one), clip(one, 2, state="uploading")], ["locked", "recording fetched", "file delivered"])
    return one.id


async def test_a_job_goes_on_while_the_page_is_open(tmp_path: Path, browser: Browser) -> None:
    async with served(tmp_path, agents=[ScriptedAgent()]) as gw, looking(browser, gw) as page:
        await page.get_by_role("link", name="Evidence", exact=True).click()
        await expect(page.locator("#live")).to_have_attribute("data-state", "on")
        await expect(page.locator("#found")).to_contain_text("No job was taken yet.")
        one = await kept(gw, job(1, state="fetching", outcome=None, progress=420))
        await expect(page.locator(".job-lines li")).to_contain_text("42 %")
        await expect(page.locator(".job-lines li")).to_contain_text("fetching and uploading")
        await page.get_by_role("link", name="Video").click()
        await expect(page.locator("#live")).to_have_attribute("data-state", "on")
        await kept(gw, replace(one, state="ended", outcome="Completed", progress=1000), [clip(one)], ["file delivered"])
        await expect(page.locator("#job")).to_contain_text("completed")
        await expect(page.locator("#files")).to_contain_text("49,367 bytes")
        await expect(page.locator("#custody")).to_contain_text("file delivered")


async def test_what_was_chosen_stays_chosen(tmp_path: Path, browser: Browser) -> None:
    async with served(tmp_path, agents=[ScriptedAgent()]) as gw, looking(browser, gw) as page:
        await kept(gw, job(1))
        await page.goto(f"{gw.url}/evidence")
        await expect(page.locator("#live")).to_have_attribute("data-state", "on")
        await page.locator("#f-state").select_option("failed")
        await expect(page.locator("#found")).to_contain_text("No job fits.")
        await kept(gw, job(2))
        await kept(gw, job(3, outcome="Failed", reason="no recording"))
        await expect(page.locator(".job-lines li")).to_have_count(1)
        await expect(page.locator(".job-lines li")).to_contain_text("no recording")
        await expect(page.locator("#f-state")).to_have_value("failed")


async def test_an_answer_that_comes_late_does_not_undo_a_choice(tmp_path: Path, browser: Browser) -> None:
    async with served(tmp_path, agents=[ScriptedAgent()]) as gw, looking(browser, gw) as page:
        await kept(gw, job(1))
        await page.goto(f"{gw.url}/evidence")
        await expect(page.locator("#live")).to_have_attribute("data-state", "on")
        async with held_up(page, "**/evidence?*state=&*") as held:
            await kept(gw, job(2))
            await held.asked.wait()
            await page.locator("#f-state").select_option("failed")
            held.go_on()
            await expect(page.locator("#found")).to_contain_text("No job fits.")
            await kept(gw, job(3, outcome="Failed", reason="no recording"))
            await expect(page.locator(".job-lines li")).to_have_count(1)


async def test_a_style_somebody_wrote_into_the_page_is_not_written_again(tmp_path: Path, browser: Browser) -> None:
    """As extensions of a browser do; htmx would carry it over, which the policy forbids and the browser reports."""
    async with served(tmp_path, agents=[ScriptedAgent()]) as gw, looking(browser, gw) as page:
        await page.goto(f"{gw.url}/evidence")
        await expect(page.locator("#live")).to_have_attribute("data-state", "on")
        await page.evaluate("document.querySelector('#cursor').style.caretColor = 'transparent'")
        await kept(gw, job(1))
        await expect(page.locator(".job-lines li")).to_contain_text("completed")
        await expect(page.locator("#agents")).not_to_have_class("htmx-settling")


async def test_an_agent_is_paused_by_hand(tmp_path: Path, browser: Browser) -> None:
    agent = ScriptedAgent()
    async with served(tmp_path, agents=[agent]) as gw, looking(browser, gw) as page:
        await page.goto(f"{gw.url}/evidence")
        await expect(page.locator("#live")).to_have_attribute("data-state", "on")
        await page.get_by_role("button", name="Pause").click()
        await expect(page.locator("#toasts")).to_contain_text("city takes no more jobs; those under way go on.")
        await expect(page.locator("#a-city")).to_contain_text("paused")
        agent.resume()
        await expect(page.locator("#a-city")).to_contain_text("connected")


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_evidence_fits_and_can_be_read(tmp_path: Path, browser: Browser, size: str, scheme: str) -> None:
    refused = ScriptedAgent("harbour", state="refused", reason="the token service refuses the login: invalid_grant")
    busy = ScriptedAgent(offered=3, running=("one",), spool_bytes=3_400_000, dry_run=True, blocked=["discovery: no id"])
    async with served(tmp_path, agents=[busy, refused]) as gw, looking(browser, gw, size, scheme) as page:
        one = await some(gw)
        for name, path in (
            ("evidence", "/evidence"),
            ("job", f"/evidence/jobs/{one}"),
            ("nothing", "/evidence?state=partly"),
        ):
            await page.goto(gw.url + path)
            await expect(page.locator("#live")).to_have_attribute("data-state", "on")
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
            assert await faint_words(page) == []
            await take_picture(page, f"{name}-{size}-{scheme}", tmp_path)
