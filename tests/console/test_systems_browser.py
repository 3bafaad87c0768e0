"""The pages of systems in a real browser: live, filtered while typing, on a desk and on a phone, dark and light."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, Page, expect
from serving import Served, served
from tests.console.eyes import IN_A_BROWSER, faint_words, held_up, looking, take_picture
from tests.inventory.conftest import RULES, ScriptedSystem, camera, state

from tocsin.engine.inventory.rules import SystemRules
from tocsin.engine.systems import LoginRefused, Unreachable

pytestmark = IN_A_BROWSER
LONG = "A camera above the loading dock of the northern warehouse, second floor, beside the lift to the car park"


def site(count: int = 60) -> ScriptedSystem:
    made = ScriptedSystem(
        *[camera(n, address=f"192.0.2.{n}", macs=(f"00005e0053{n:02x}",), location="HQ/Dock") for n in range(1, count)]
    )
    made.listed.append(camera(count, name=LONG, hostname="a-long-host-name.cameras.north-depot.example.net"))
    made.now = [state(n, "online") for n in range(1, count)] + [state(count, "degraded", detail="tamper")]
    made.stream.put_nowait("new_session")
    return made


async def known(gw: Served) -> None:
    """Once the first system's inventory and states were read: what comes between a page and its stream is seen late."""

    async def told() -> bool:
        system = (await gw.get("/systems"))["items"][0]
        return bool(system["last_sync"]) and system["devices"].get("degraded") == 1

    await gw.until(told)


@asynccontextmanager
async def at_site(
    folder: Path, browser: Browser, system: ScriptedSystem, rules: SystemRules = RULES
) -> AsyncIterator[tuple[Served, Page]]:
    """A page that is open once the system is known."""
    async with served(folder, systems=[(system, rules)]) as gw:
        await known(gw)
        async with looking(browser, gw) as page:
            yield gw, page


async def test_a_camera_that_goes_is_seen_while_the_page_is_open(tmp_path: Path, browser: Browser) -> None:
    system = site()
    async with at_site(tmp_path, browser, system) as (_, page):
        await page.get_by_role("link", name="Systems", exact=True).first.click()
        card = page.locator("#s-xp")
        await expect(card.locator(".states")).to_have_text("1 degraded59 online")
        system.stream.put_nowait(state(7, "offline", reason="communication_lost"))
        await expect(card.locator(".states")).to_contain_text("1 offline")
        await card.get_by_text("1 offline").click()
        await expect(page.locator(".device-lines li")).to_have_count(1)
        await expect(page.locator(".device-lines li")).to_contain_text("communication lost")
        await expect(page.locator("#live")).to_have_attribute("data-state", "on")
        system.stream.put_nowait(state(7, "online"))
        await expect(page.locator("#found")).to_contain_text("No device fits.")


async def test_devices_are_found_while_typing_and_stay_found(tmp_path: Path, browser: Browser) -> None:
    system = site()
    async with at_site(tmp_path, browser, system) as (gw, page):
        await page.goto(f"{gw.url}/systems/xp?page=2")
        await expect(page.locator("#live")).to_have_attribute("data-state", "on")
        await expect(page.locator("#found")).to_contain_text("51 to 60 of 60")
        await page.locator("#f-device").press_sequentially("camera 1")
        await expect(page.locator("#found")).to_contain_text("1 to 11 of 11")
        await page.locator("#f-status").select_option("online")
        system.stream.put_nowait(state(12, "offline"))
        await expect(page.locator("#s-xp .states")).to_contain_text("1 offline")
        await expect(page.locator("#found")).to_contain_text("1 to 10 of 10")
        await expect(page.locator("#f-device")).to_have_value("camera 1")


async def test_a_system_is_read_and_tried_by_hand(tmp_path: Path, browser: Browser) -> None:
    system = site()
    async with at_site(tmp_path, browser, system) as (gw, page):
        await page.goto(f"{gw.url}/systems")
        card = page.locator("#s-xp")
        await expect(card).to_contain_text("complete")
        system.reading_takes_s = 1.0
        await card.get_by_role("button", name="Sync now").click()
        await expect(page.locator("#toasts")).to_contain_text("xp is being read")
        await expect(card.locator(".progress")).to_contain_text("Reading")
        await expect(card.locator(".progress")).to_have_count(0)
        system.listed[0] = camera(1, name="Dock")
        await card.get_by_role("button", name="Dry run").click()
        await expect(page.locator(".progress")).to_contain_text("Reading")
        await expect(page.locator(".differences")).to_contain_text("Camera 1 → Dock")
        await page.get_by_role("button", name="Sync now").click()
        await expect(page.locator("#runs li").first).to_contain_text("reading")
        await expect(page.locator("#runs li").first).to_contain_text("1 changed")
        await expect(page.locator("#found")).to_contain_text("Dock")


async def test_what_was_done_is_said_even_if_the_card_changed_meanwhile(tmp_path: Path, browser: Browser) -> None:
    system = site()
    async with at_site(tmp_path, browser, system) as (gw, page):
        await page.goto(f"{gw.url}/systems")
        await expect(page.locator("#live")).to_have_attribute("data-state", "on")
        async with held_up(page, "**/systems/xp/sync") as held:
            await page.locator("#s-xp").get_by_role("button", name="Sync now").click()
            await held.asked.wait()
            system.stream.put_nowait(state(7, "offline"))
            await expect(page.locator("#s-xp .states")).to_contain_text("1 offline")
            held.go_on()
            await expect(page.locator("#toasts")).to_contain_text("xp is being read")


async def test_held_removals_are_agreed_to_with_open_eyes(tmp_path: Path, browser: Browser) -> None:
    system = site()
    rules = replace(RULES, remove_after=1)
    async with at_site(tmp_path, browser, system, rules) as (gw, page):
        await page.goto(f"{gw.url}/systems/xp")
        await expect(page.locator("#found")).to_contain_text("of 60")
        system.listed = system.listed[:20]
        await page.get_by_role("button", name="Sync now").click()
        await page.get_by_role("link", name="Review").click()
        await expect(page.locator("h1")).to_have_text("Are these 40 devices really gone?")
        await page.get_by_role("button", name="Remove 40 devices").click()
        await expect(page.locator(".run-figures")).to_contain_text("40removed")
        await page.goto(f"{gw.url}/systems/xp")
        await expect(page.locator("#found")).to_contain_text("of 20")


async def test_a_system_that_goes_is_seen_on_the_overview(tmp_path: Path, browser: Browser) -> None:
    system = site()
    async with at_site(tmp_path, browser, system) as (_, page):
        await expect(page.locator("#systems")).to_contain_text("connected")
        system.stream.put_nowait(Unreachable("no answer within 30 s"))
        await expect(page.locator("#systems")).to_contain_text("unreachable")
        await expect(page.locator("#overall")).to_contain_text("xp cannot be read")


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("size", ["desk", "phone"])
async def test_systems_fit_and_can_be_read(tmp_path: Path, browser: Browser, size: str, scheme: str) -> None:
    system, other = site(), ScriptedSystem(camera(1))
    other.name, other.down = "og", LoginRefused("the server refuses the user svc: check user, password and directory")
    rules = [(system, replace(RULES, remove_after=1)), (other, replace(RULES, name="og"))]
    async with served(tmp_path, systems=rules) as gw, looking(browser, gw, size, scheme) as page:
        await known(gw)
        await page.goto(f"{gw.url}/systems/xp")
        await expect(page.locator("#found")).to_contain_text("degraded")
        system.listed = system.listed[30:]
        async with gw.http.post("/api/v1/systems/xp/sync", json={"dry_run": True}) as answer:
            run = (await answer.json())["id"]
        await page.get_by_role("button", name="Sync now").click()
        await expect(page.locator("#s-xp .held")).to_contain_text("30 removals held")
        names = {"systems": "", "system": "/xp", "run": f"/xp/runs/{run}", "removals": "/xp/removals"}
        for name, path in [*((name, f"/systems{path}") for name, path in names.items()), ("devices", "/devices")]:
            await page.goto(gw.url + path)
            await expect(page.locator("#live")).to_have_attribute("data-state", "on")
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
            assert await faint_words(page) == []
            await take_picture(page, f"{name}-{size}-{scheme}", tmp_path)
