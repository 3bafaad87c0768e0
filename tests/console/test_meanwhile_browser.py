"""What changes after a page was made and before its stream stands is seen as soon as the stream stands."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace
from playwright.async_api import Browser, Page, Route, expect
from serving import Station, member, served
from tests.console.evidence_scene import ScriptedAgent, job, kept
from tests.console.eyes import IN_A_BROWSER, looking
from tests.inventory.conftest import RULES, ScriptedSystem, camera, state

from tocsin.model.device import Device

pytestmark = IN_A_BROWSER


@asynccontextmanager
async def before_its_stream(page: Page, address: str) -> AsyncIterator[None]:
    """The page is open; its stream is held back until the end."""
    held = asyncio.Event()

    async def hold(route: Route) -> None:
        await held.wait()
        await route.continue_()

    await page.route("**/live*", hold)
    await page.goto(address)
    await expect(page.locator("#live")).to_have_attribute("data-state", "waiting")
    yield
    await expect(page.locator("#live")).to_have_attribute("data-state", "waiting")
    held.set()
    await expect(page.locator("#live")).to_have_attribute("data-state", "on")
    await page.unroute_all(behavior="wait")


async def test_events_and_figures_of_the_overview(tmp_path: Path, browser: Browser) -> None:
    station = Station("arc")
    async with served(tmp_path, [member(station)]) as gw, looking(browser, gw) as page:
        first = await gw.post(text="before", classification="pending")
        await gw.settles(first["id"], "arc", "delivered")
        async with before_its_stream(page, gw.url):
            await gw.gateway.amend(first["id"], None, "done", "detectors")
            taken = await gw.post(text="in between")
            await gw.settles(taken["id"], "arc", "delivered")
            await gw.gateway.pause("arc", "eva")
        await expect(page.locator(".row").first).to_contain_text("in between")
        await expect(page.locator("#d-2-arc")).to_contain_text("delivered")
        await expect(page.locator("#c-arc")).to_contain_text("paused")
        await expect(page.locator("#overall")).to_contain_text("arc is paused")
        await expect(page.locator(".row")).to_have_count(2)


async def test_deliveries_of_an_event_and_those_set_aside(tmp_path: Path, browser: Browser) -> None:
    station = Station("arc", "refuses")
    async with served(tmp_path, [member(station)]) as gw, looking(browser, gw) as page:
        for number, shown in enumerate(("ACK 0042", "Nothing is set aside"), start=1):
            station.mood = "refuses"
            taken = await gw.post()
            await gw.settles(taken["id"], "arc", "rejected")
            async with before_its_stream(page, gw.url + (f"/events/{taken['id']}" if number == 1 else "/aside")):
                await expect(page.locator(f"#fd-{number}-arc")).to_contain_text("set aside")
                station.mood = "takes"
                async with gw.http.post(f"/api/v1/deliveries/{number}.arc/retry") as answer:
                    assert answer.status == 202, await answer.text()
                await gw.settles(taken["id"], "arc", "delivered")
            await expect(page.locator("#main")).to_contain_text(shown)


async def test_a_system_and_its_devices(tmp_path: Path, browser: Browser) -> None:
    system = ScriptedSystem(camera(1), camera(2))
    system.now = [state(1, "online"), state(2, "online")]
    system.stream.put_nowait("new_session")
    async with served(tmp_path, systems=[(system, RULES)]) as gw, looking(browser, gw) as page:

        async def told(word: str, count: int) -> None:
            async def counted() -> bool:
                return bool((await gw.get("/systems"))["items"][0]["devices"].get(word) == count)

            await gw.until(counted)

        await told("online", 2)
        for path, shown in (("/systems", "#s-xp"), ("/systems/xp", "#found"), ("/devices", "#main")):
            async with before_its_stream(page, gw.url + path):
                system.stream.put_nowait(state(1, "offline"))
                await told("offline", 1)
            await expect(page.locator(shown)).to_contain_text("offline")
            system.stream.put_nowait(state(1, "online"))
            await told("online", 2)


async def test_jobs(tmp_path: Path, browser: Browser) -> None:
    async with served(tmp_path, agents=[ScriptedAgent()]) as gw, looking(browser, gw) as page:
        one = await kept(gw, job(1, state="fetching", outcome=None, progress=420))
        for path, shown in (("/evidence", "#found"), (f"/evidence/jobs/{one.id}", "#job")):
            await kept(gw, one)
            async with before_its_stream(page, gw.url + path):
                await kept(gw, replace(one, state="ended", outcome="Completed", progress=1000))
            await expect(page.locator(shown)).to_contain_text("completed")


async def test_commands(tmp_path: Path, browser: Browser) -> None:
    siren = Device("s1", "Yard siren", "siren", "Yard")
    async with served(tmp_path, devices=[siren]) as gw, looking(browser, gw) as page:
        async with before_its_stream(page, f"{gw.url}/commands"):
            answer = await gw.http.post("/api/v1/devices/s1/commands", json={"order": "siren"})
            assert answer.status == 202, await answer.text()
        await expect(page.locator("#main")).to_contain_text("Yard siren")
