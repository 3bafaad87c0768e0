"""Long names, many events, empty and refusing pages: nothing runs out of the page, nothing is too faint."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, expect
from serving import Station, member, served
from tests.console.eyes import IN_A_BROWSER, SIZES, faint_words, looking, take_picture
from tests.console.test_door import EVA

from tocsin.engine.areas import AreaTree
from tocsin.model.device import Area, Device

pytestmark = IN_A_BROWSER
AREA = "Northern warehouse and loading docks, second floor"
NAME = "A camera above the loading dock of the northern warehouse, beside the lift to the car park"
ID = "xp:camera:8d7cb7b2-0e5c-4a57-9d3e-" + "5a" * 16
STATION = "monitoring-station-of-the-northern-district-second-line"


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_long_names_fit(tmp_path: Path, browser: Browser, size: str, scheme: str) -> None:
    stations = [member(Station(STATION, "refuses")), member(Station("arc", "down")), member(Station("second"))]
    devices, areas = [Device(ID, NAME, "detector", AREA), Device("s1", "Siren", "siren", AREA)], AreaTree([Area(AREA)])
    async with (
        served(tmp_path, stations, devices=devices, areas=areas) as gw,
        looking(browser, gw, size, scheme) as page,
    ):
        for number in range(60):
            taken = await gw.post("motion", ID, text=f"{number}: " + "zone, hallway, stairs " * 8)
        await gw.post("burglary", "UNKNOWN-" + "9" * 80, text="x" * 300)
        await gw.settles(taken["id"], STATION, "rejected")
        async with gw.http.post("/api/v1/devices/s1/commands", json={"order": "siren"}) as answer:
            assert answer.status == 202
        for name, path in (
            ("long-overview", "/"),
            ("long-event", f"/events/{taken['id']}"),
            ("long-aside", "/aside"),
            ("long-devices", "/devices"),
            ("long-commands", "/commands"),
            ("filtered", "/?device_id=" + "n" * 100),
        ):
            await page.goto(gw.url + path)
            await expect(page.locator("#live")).to_have_attribute("data-state", "on")
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
            assert await faint_words(page) == []
            await take_picture(page, f"{name}-{size}-{scheme}", tmp_path)


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_the_door_and_what_is_not_there(tmp_path: Path, browser: Browser, size: str, scheme: str) -> None:
    async with served(tmp_path, people=[EVA]) as gw:
        context = await browser.new_context(viewport=SIZES[size], color_scheme=scheme)  # type: ignore[arg-type]
        page = await context.new_page()
        await page.goto(gw.url)
        await page.get_by_label("Name").fill("eva")
        for number in range(4):
            await page.get_by_label("Password").fill(f"guess {number}")
            await page.keyboard.press("Enter")
            words = "Too many wrong tries" if number == 3 else "Name or password is wrong."
            await expect(page.get_by_role("alert")).to_contain_text(words)
            await expect(page.get_by_label("Password")).to_have_value("")
        assert await faint_words(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await take_picture(page, f"door-{size}-{scheme}", tmp_path)
        await page.goto(f"{gw.url}/nothing")
        await expect(page.locator("h1")).to_have_text("Not here")
        assert await faint_words(page) == []
        await take_picture(page, f"not-here-{size}-{scheme}", tmp_path)
        await context.close()
