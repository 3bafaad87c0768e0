"""What an open page does when its stream breaks: it finds back by itself, or says that somebody must log in."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from serving import served
from tests.console.eyes import IN_A_BROWSER
from tests.console.test_door import EVA, PASSWORD
from tests.ports import free_port

pytestmark = IN_A_BROWSER

AGAIN_MS = 20_000


async def log_in(page: Page) -> None:
    await page.get_by_label("Name").fill("eva")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()


async def test_however_often_it_finds_back_everything_is_done_once(tmp_path: Path, browser: Browser) -> None:
    port, context = free_port(), await browser.new_context()
    page = await context.new_page()
    async with served(tmp_path, port=port) as gw:
        await page.goto(gw.url)
        await expect(page.locator("#live")).to_contain_text("Live")
        await page.evaluate("window.refreshed = 0; document.body.addEventListener('refresh', () => refreshed++)")
    for times in (1, 2):
        await expect(page.locator("#live")).to_contain_text("Connection lost")
        async with served(tmp_path, port=port):
            await expect(page.locator("#live")).to_contain_text("Live", timeout=AGAIN_MS)
            assert await page.evaluate("refreshed") == times
    await context.close()


async def test_a_proxy_that_answers_meanwhile_ends_nothing(tmp_path: Path, browser: Browser) -> None:
    """A browser gives up a stream that is answered, the page does not; and its parts hear the new one."""
    port, context = free_port(), await browser.new_context()
    page = await context.new_page()
    refused = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET /live"):
            refused.set()
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with served(tmp_path, port=port) as gw:
        await page.goto(gw.url + "/commands")
        await expect(page.locator("#live")).to_contain_text("Live")
    async with await asyncio.start_server(answer, "127.0.0.1", port), asyncio.timeout(AGAIN_MS / 1000):
        await refused.wait()
        await expect(page.locator("#live")).to_contain_text("Connection lost")
    async with served(tmp_path, port=port) as gw:
        await expect(page.locator("#live")).to_contain_text("Live", timeout=AGAIN_MS)
        async with gw.http.post("/api/v1/devices/d1/commands", json={"order": "arm"}) as answered:
            assert answered.status == 202, await answered.text()
        await expect(page.locator("#main")).to_contain_text("Gate camera")
        await context.close()


@pytest.mark.parametrize("path", ["/", "/commands", "/aside"])
async def test_whose_login_has_ended_is_asked_to_log_in(tmp_path: Path, browser: Browser, path: str) -> None:
    """A gateway that was started anew knows no login of before."""
    port, context = free_port(), await browser.new_context()
    page = await context.new_page()
    async with served(tmp_path, people=[EVA], port=port) as gw:
        await page.goto(gw.url + path)
        await log_in(page)
        await expect(page.locator("#live")).to_contain_text("Live")
    await expect(page.locator("#live")).to_contain_text("Connection lost")
    async with served(tmp_path, people=[EVA], port=port, session_key=b"another" * 5) as gw:
        await expect(page.get_by_label("Password")).to_be_visible(timeout=AGAIN_MS)
        await log_in(page)
        await expect(page.locator("#live")).to_contain_text("Live")
        assert page.url == gw.url + path
        await context.close()
