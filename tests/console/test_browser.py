"""The console in a real browser: live, by keyboard, on a desk and on a phone, in the dark and in the light."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, expect
from serving import Served, Station, member, picture, served
from tests.console.eyes import IN_A_BROWSER, SIZES, faint_words, looking, take_picture

from tocsin.engine.routing import Filter

pytestmark = IN_A_BROWSER


async def a_person_at_the_gate(gw: Served, **more: Any) -> dict[str, Any]:
    photo = {"content_type": "image/jpeg", "data": base64.b64encode(picture()).decode()}
    return await gw.post(
        text="north gate",
        actors=[
            {"class": "person", "confidence": 0.93, "box": [0.235, 0.29, 0.12, 0.6]},
            {"class": "car", "confidence": 0.61, "box": [0.55, 0.2, 0.4, 0.42]},
        ],
        photos=[photo, photo],
        battery=87,
        **more,
    )


async def a_busy_day(gw: Served) -> dict[str, Any]:
    await gw.post("routine_check", "d2")
    await gw.post("battery_low", "d1", battery=14)
    await gw.post("access_granted", "DOOR-3", text="badge 4711")
    await gw.post("burglary", "PANEL-9", text="zone 3, hallway", code={"sia": "BA"})
    await gw.post("tamper", "d1", state="restore")
    return await a_person_at_the_gate(gw)


async def test_events_and_deliveries_appear_live(tmp_path: Path, browser: Browser) -> None:
    station = Station("arc", "down")
    async with served(tmp_path, [member(station)]) as gw, looking(browser, gw) as page:
        await expect(page.get_by_text("Quiet so far")).to_be_visible()
        await a_person_at_the_gate(gw)
        row = page.locator("#e-1")
        await expect(row).to_contain_text("Person detected")
        await expect(page.get_by_text("Quiet so far")).to_be_hidden()
        await expect(page.locator("#overall")).to_contain_text("arc is down")
        await expect(page.locator("#c-arc")).to_contain_text("nothing listens on this port")
        await expect(page.locator("#c-arc .lane-alarm b")).to_have_text("1")
        await expect(page.locator("#d-1-arc")).to_contain_text("on its way")
        station.mood = "takes"
        await expect(page.locator("#d-1-arc")).to_contain_text("delivered")
        await expect(page.locator("#overall")).to_contain_text("All destinations up")
        await expect(page.locator("#c-arc .lane-alarm b")).to_have_text("0")
        await expect(row.locator("img")).to_have_js_property("complete", True)


async def test_the_trace_opens_in_the_panel_and_retry_works(tmp_path: Path, browser: Browser) -> None:
    station = Station("arc", "refuses")
    async with served(tmp_path, [member(station)]) as gw, looking(browser, gw) as page:
        taken = await a_person_at_the_gate(gw)
        await gw.settles(taken["id"], "arc", "rejected")
        await page.locator("#e-1 a.open").click()
        panel = page.locator("#panel")
        await expect(panel.locator("h2")).to_have_text("Person detected")
        await expect(panel.locator(".box")).to_have_count(2)
        assert await page.evaluate(WHERE) == pytest.approx([0.235, 0.29, 0.12, 0.6], abs=0.01)
        await panel.get_by_text("Bytes sent and answers received").click()
        await expect(panel.locator(".exchange .wire").first).to_contain_text('"SIA-DCS"')
        await expect(panel.locator(".exchange .ctl").first).to_have_text("LF")
        station.mood = "takes"
        await panel.get_by_role("button", name="Try again").click()
        await expect(panel.locator("#fd-1-arc")).to_contain_text("ACK 0042")
        await expect(panel.locator(".exchange").last).to_contain_text("delivered")
        await expect(page.locator("#toasts")).to_contain_text("tried again")
        await expect(page.locator("#d-1-arc")).to_contain_text("delivered")
        await page.keyboard.press("Escape")
        await expect(panel).to_be_empty()
        assert await page.evaluate("document.activeElement.closest('.row').id") == "e-1"


async def test_a_destination_is_tested_paused_and_resumed(tmp_path: Path, browser: Browser) -> None:
    async with served(tmp_path) as gw, looking(browser, gw) as page:
        card = page.locator("#c-arc")
        await card.get_by_role("button", name="Test").click()
        await expect(page.locator("#toasts")).to_contain_text("is on its way to arc")
        await expect(page.locator("#d-1-arc")).to_contain_text("delivered")
        page.once("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
        await card.get_by_role("button", name="Pause").click()
        await expect(page.locator("#overall")).to_contain_text("arc is paused")
        await card.get_by_role("button", name="Resume").click()
        await expect(page.locator("#overall")).to_contain_text("All destinations up")


async def test_lanes_are_chosen_and_the_theme_is_kept(tmp_path: Path, browser: Browser) -> None:
    async with served(tmp_path) as gw, looking(browser, gw) as page:
        await a_busy_day(gw)
        await expect(page.locator(".row")).to_have_count(6)
        await page.get_by_role("button", name="Status").click()
        await expect(page.locator(".row:visible")).to_have_count(1)
        await page.get_by_role("button", name="All", exact=True).click()
        await expect(page.locator(".row:visible")).to_have_count(6)
        before = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await page.get_by_role("button", name="Switch between dark and light").click()
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") != before
        await page.reload()
        assert await page.evaluate("document.documentElement.dataset.theme") == "light"


async def test_a_page_finds_back_after_the_gateway_was_away(tmp_path: Path, browser: Browser) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    async with served(tmp_path) as gw:
        port = int(gw.url.rpartition(":")[2])
        await page.goto(gw.url)
        await expect(page.locator("#live")).to_contain_text("Live")
    await expect(page.locator("#live")).to_contain_text("Connection lost")
    async with served(tmp_path, port=port) as gw:
        await gw.post(text="while nobody looked")
        await expect(page.locator("#live")).to_contain_text("Live", timeout=20_000)
        await expect(page.locator("#e-1")).to_contain_text("while nobody looked")
        await gw.post(text="and again live")
        await expect(page.locator("#e-2")).to_contain_text("and again live")
        await context.close()


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_it_fits_and_can_be_read(tmp_path: Path, browser: Browser, size: str, scheme: str) -> None:
    stations = [
        member(Station("arc", supervision_s=60.0)),
        member(Station("second", "refuses"), "Sur-Gard", Filter(kinds=frozenset({"motion", "burglary"}))),
        member(Station("patrol", "down"), "JSON webhook", insecure=True),
    ]
    async with served(tmp_path, stations) as gw:
        taken = await a_busy_day(gw)
        await gw.settles(taken["id"], "arc", "delivered")
        async with looking(browser, gw, size, scheme) as page:
            for name, path in (("overview", "/"), ("event", f"/events/{taken['id']}"), ("aside", "/aside")):
                await page.goto(gw.url + path)
                await expect(page.locator("#live")).to_have_attribute("data-state", "on")
                assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
                assert await faint_words(page) == []
                await take_picture(page, f"{name}-{size}-{scheme}", tmp_path)
            await page.goto(gw.url)
            await page.locator(f'a.open[href="/events/{taken["id"]}"]').click()
            await expect(page.locator("#panel h2")).to_be_visible()
            await page.locator("#panel .trace summary").first.click()
            await expect(page.locator(".exchange").first).to_be_visible()
            assert await faint_words(page) == []
            await take_picture(page, f"panel-{size}-{scheme}", tmp_path)


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_an_events_link_shows_it_to_an_operator(tmp_path: Path, browser: Browser, size: str, scheme: str) -> None:
    station = member(Station("arc"), links=True)
    async with served(tmp_path, [station], public_url="https://gw.example.net") as gw:
        taken = await a_person_at_the_gate(gw, motion_area=[[0.2, 0.25, 0.2, 0.7]])
        await gw.settles(taken["id"], "arc", "delivered")
        path = (await gw.get(f"/events/{taken['id']}/link"))["url"].removeprefix("https://gw.example.net")
        context = await browser.new_context(
            viewport=SIZES[size], color_scheme=scheme, java_script_enabled=size == "desk"
        )
        page = await context.new_page()
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text))
        page.on("request", lambda request: None if request.url.startswith(gw.url + path) else wrong.append(request.url))
        await page.goto(gw.url + path)
        await expect(page.locator("h1")).to_have_text("Person detected")
        await expect(page.locator("img")).to_have_count(2)
        await expect(page.locator(".overlay rect")).to_have_count(3)
        await expect(page.locator(".facts")).to_contain_text("93%")
        if size == "desk":
            assert await page.evaluate(WHERE_OF_LINK) == pytest.approx([0.235, 0.29, 0.12, 0.6], abs=0.01)
            assert await faint_words(page) == []
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await context.cookies() == []
        await take_picture(page, f"link-{size}-{scheme}", tmp_path)
        assert wrong == []
        await context.close()


async def test_a_link_is_revoked_at_the_console(tmp_path: Path, browser: Browser) -> None:
    station = member(Station("arc"), links=True)
    async with (
        served(tmp_path, [station], public_url="https://gw.example.net") as gw,
        looking(browser, gw) as page,
    ):
        taken = await a_person_at_the_gate(gw)
        await gw.settles(taken["id"], "arc", "delivered")
        await page.locator("#e-1 a.open").click()
        await expect(page.locator("#l-1")).to_contain_text("Login-free page")
        page.once("dialog", lambda dialog: asyncio.ensure_future(dialog.accept()))
        await page.locator("#l-1").get_by_role("button", name="Revoke").click()
        await expect(page.locator("#l-1")).to_have_text("revoked")
        await expect(page.locator("#toasts")).to_contain_text("no longer opens the event")
        assert (await gw.get(f"/events/{taken['id']}/link"))["state"] == "revoked"


@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_what_is_on_test_stands_on_every_page_and_ends_there(tmp_path: Path, browser: Browser, size: str) -> None:
    async with served(tmp_path) as gw, looking(browser, gw, size) as page:
        body = {"reason": "battery change", "for": "2h", "include": ["fire"]}
        async with gw.http.post("/api/v1/areas/Depot/test", json=body) as answer:
            assert answer.status == 201
        await expect(page.locator("#tests")).to_contain_text("Depot is on test")
        await expect(page.locator("#tests")).to_contain_text("battery change · api · also fire")
        await gw.post("tamper")
        await expect(page.locator(".row").first).to_contain_text("on test")
        await page.goto(f"{gw.url}/aside")
        await expect(page.locator("#live")).to_have_attribute("data-state", "on")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await faint_words(page) == []
        await take_picture(page, f"on-test-{size}", tmp_path)
        await page.get_by_role("button", name="End test").click()
        await expect(page.locator("#toasts")).to_contain_text("alarms are real")
        await expect(page.locator("#tests article")).to_have_count(0)
        assert (await gw.get("/tests"))["items"] == []


WHERE_OF_LINK = """() => {
  const photo = document.querySelector("figure img").getBoundingClientRect();
  const box = document.querySelector(".found.person rect").getBoundingClientRect();
  return [(box.x - photo.x) / photo.width, (box.y - photo.y) / photo.height,
    box.width / photo.width, box.height / photo.height];
}"""
WHERE = """() => {
  const photo = document.querySelector("#panel figure img").getBoundingClientRect();
  const box = document.querySelector("#panel .box.person rect").getBoundingClientRect();
  return [(box.x - photo.x) / photo.width, (box.y - photo.y) / photo.height,
    box.width / photo.width, box.height / photo.height];
}"""
