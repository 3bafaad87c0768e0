"""Every page by the keyboard alone: all of it can be reached, where one is can be seen, and nothing holds one back."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from serving import Station, member, served
from tests.console.evidence_scene import ScriptedAgent, clip, job, kept
from tests.console.eyes import IN_A_BROWSER, SIZES, looking
from tests.console.test_browser import a_busy_day, a_person_at_the_gate
from tests.console.test_door import EVA, PASSWORD
from tests.console.test_systems_browser import known, site
from tests.inventory.conftest import RULES

pytestmark = IN_A_BROWSER

WAYS = """(root) => {
  const all = "a[href], button, input:not([type=hidden]), select, summary, [tabindex='0']";
  const seen = (one) => one.getClientRects().length && getComputedStyle(one).visibility === "visible";
  return [...document.querySelectorAll(all)].filter((one) => seen(one) && !one.disabled && !one.closest("[inert]"))
    .map((one) => (one.id || one.getAttribute("href") || "") + "|" + (one.textContent || one.name || "").trim());
}"""
HERE = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
  const one = document.activeElement;
  if (!one || one === document.body || one === document.documentElement) return done(null);
  const [box, style] = [one.getClientRects()[0], getComputedStyle(one)];
  const [x, y] = [box.x + box.width / 2, box.y + Math.min(box.height / 2, 20)];
  const top = document.elementFromPoint(x, y);
  done({
    key: (one.id || one.getAttribute("href") || "") + "|" + (one.textContent || one.name || "").trim(),
    ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    bare: Boolean(top) && (one.contains(top) || top.contains(one) && !top.matches("header, .panel")),
    where: [x, y, innerWidth, innerHeight, top && top.outerHTML.slice(0, 80)].join(" "),
  });
})))"""


async def walk(page: Page, key: str = "Tab") -> Sequence[str]:
    """What is reached until the page is left. Each has a ring and is not covered."""
    reached: list[str] = []
    for _ in range(400):
        await page.keyboard.press(key)
        here = await page.evaluate(HERE)
        if here is None:
            return reached
        assert here["ring"], f"no ring: {here['key']}"
        assert here["bare"], f"covered: {here['key']} at {here['where']}"
        reached.append(here["key"])
    raise AssertionError(f"never left: {reached[-5:]}")


async def all_can_be_reached(page: Page, address: str) -> None:
    await page.goto(address)
    await expect(page.locator("#live")).to_have_attribute("data-state", "on")
    missing = set(await page.evaluate(WAYS)) - set(await walk(page))
    assert not missing, missing


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_events(tmp_path: Path, browser: Browser, size: str) -> None:
    stations = [member(Station("arc", "refuses")), member(Station("second"))]
    async with served(tmp_path, stations) as gw, looking(browser, gw, size) as page:
        await a_busy_day(gw)
        taken = await a_person_at_the_gate(gw)
        await gw.settles(taken["id"], "arc", "rejected")
        for path in ("/", f"/events/{taken['id']}", "/aside", "/devices", "/commands"):
            await all_can_be_reached(page, gw.url + path)


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_systems(tmp_path: Path, browser: Browser, size: str) -> None:
    async with served(tmp_path, systems=[(site(5), RULES)]) as gw, looking(browser, gw, size) as page:
        await known(gw)
        async with gw.http.post("/api/v1/systems/xp/sync", json={"dry_run": True}) as answer:
            run = (await answer.json())["id"]
        for path in ("/systems", "/systems/xp", f"/systems/xp/runs/{run}", "/systems/xp/removals"):
            await all_can_be_reached(page, gw.url + path)


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_evidence(tmp_path: Path, browser: Browser, size: str) -> None:
    async with served(tmp_path, agents=[ScriptedAgent()]) as gw, looking(browser, gw, size) as page:
        one = await kept(gw, job(1), [clip(job(1))], ["locked", "file delivered"])
        for path in ("/evidence", f"/evidence/jobs/{one.id}"):
            await all_can_be_reached(page, gw.url + path)


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_the_panel_opens_closes_and_gives_the_focus_back(tmp_path: Path, browser: Browser, size: str) -> None:
    station = Station("arc", "refuses")
    async with served(tmp_path, [member(station)]) as gw, looking(browser, gw, size) as page:
        for _ in range(3):
            taken = await gw.post(text="x")
        await gw.settles(taken["id"], "arc", "rejected")
        await expect(page.locator("#d-3-arc")).to_contain_text("set aside")
        await page.locator("#e-3 a.open").focus()
        await page.keyboard.press("ArrowDown")
        await expect(page.locator("#e-2 a.open")).to_be_focused()
        await page.keyboard.press("ArrowUp")
        await page.keyboard.press("ArrowUp")
        await expect(page.locator("#e-3 a.open")).to_be_focused()
        await page.keyboard.press("Enter")
        panel = page.locator("#panel")
        await expect(panel.get_by_role("button", name="Close")).to_be_focused()
        for _ in range(20):
            if await page.evaluate("document.activeElement.textContent.includes('Try again')"):
                break
            await page.keyboard.press("Tab")
        station.mood = "takes"
        await page.keyboard.press("Enter")
        await expect(panel.locator("#fd-3-arc")).to_contain_text("ACK 0042")
        assert await page.evaluate("Boolean(document.activeElement.closest('#panel'))"), "the button went away"
        await walk(page)
        await page.keyboard.press("Escape")
        await expect(panel).to_be_empty()
        await expect(page.locator("#e-3 a.open")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(panel.get_by_role("button", name="Close")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(panel).to_be_empty()
        await expect(page.locator("#e-3 a.open")).to_be_focused()


async def test_the_focus_stays_where_it_is_while_the_page_lives(tmp_path: Path, browser: Browser) -> None:
    async with served(tmp_path) as gw, looking(browser, gw) as page:
        taken = await gw.post(text="north", classification="pending")
        await page.locator("#e-1 a.open").focus()
        await gw.gateway.amend(taken["id"], None, "done", "detectors")
        await gw.post(text="south")
        await expect(page.locator("#e-2")).to_be_visible()
        await expect(page.locator("#e-1 a.open")).to_be_focused()
        await page.locator("#c-arc").get_by_role("button", name="Test").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#d-3-arc")).to_contain_text("delivered")
        await expect(page.locator("#c-arc").get_by_role("button", name="Test")).to_be_focused()
        await gw.gateway.pause("arc", "eva")
        await page.locator("#c-arc").get_by_role("button", name="Resume").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#overall")).to_contain_text("All destinations up")
        await expect(page.locator("#c-arc").get_by_role("button", name="Pause")).to_be_focused()


async def test_a_link_in_a_list_keeps_the_focus_when_the_list_is_made_anew(tmp_path: Path, browser: Browser) -> None:
    async with served(tmp_path, agents=[ScriptedAgent()]) as gw, looking(browser, gw) as page:
        await kept(gw, job(1, type="thumbnail", start=None, end=None))
        await page.goto(f"{gw.url}/evidence")
        await expect(page.locator("#live")).to_have_attribute("data-state", "on")
        first = page.locator('.job-lines a[href$="01J00000000000000000000001"]')
        await first.focus()
        await kept(gw, job(2))
        await expect(page.locator(".job-lines li")).to_have_count(2)
        await expect(first).to_be_focused()


async def test_logging_in(tmp_path: Path, browser: Browser) -> None:
    async with served(tmp_path, people=[EVA]) as gw:
        context = await browser.new_context(viewport=SIZES["desk"])
        page = await context.new_page()
        await page.goto(gw.url)
        await page.keyboard.type("eva")
        await page.keyboard.press("Tab")
        await page.keyboard.type("wrong")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
        await page.keyboard.type(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.locator("#live")).to_have_attribute("data-state", "on")
        await expect(page.locator(".user")).to_have_text("eva")
        await page.get_by_role("button", name="Log out").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Password")).to_be_visible()
        await context.close()
