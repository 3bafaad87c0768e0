"""A browser that looks at the console: what goes wrong in it, what is too wide, what is too faint.

Pictures go to the folder TOCSIN_SCREENSHOTS, if set.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect
from serving import Served

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
IN_A_BROWSER = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's package chromium is not installed"),
]
"""For `pytestmark`."""


@asynccontextmanager
async def looking(browser: Browser, gw: Served, size: str = "desk", scheme: Any = "dark") -> AsyncIterator[Page]:
    """The overview, live. On leaving: nothing went wrong in the browser, nothing was asked from elsewhere."""
    context = await browser.new_context(viewport=SIZES[size], color_scheme=scheme)
    page = await context.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(gw.url) else wrong.append(request.url))
    await page.goto(gw.url)
    await expect(page.locator("#live")).to_have_attribute("data-state", "on")
    yield page
    assert wrong == [], wrong
    await context.close()


class HeldUp:
    """Requests to these addresses wait for `go_on`; `asked` is set by the first."""

    def __init__(self) -> None:
        self.asked, self._go_on = asyncio.Event(), asyncio.Event()

    def go_on(self) -> None:
        self._go_on.set()

    async def hold(self, route: Route) -> None:
        self.asked.set()
        await self._go_on.wait()
        await route.continue_()


@asynccontextmanager
async def held_up(page: Page, addresses: str) -> AsyncIterator[HeldUp]:
    held = HeldUp()
    await page.route(addresses, held.hold)
    yield held
    await page.unroute_all(behavior="wait")


async def take_picture(page: Page, name: str, folder: Path) -> None:
    target = Path(os.environ.get("TOCSIN_SCREENSHOTS") or folder)
    target.mkdir(parents=True, exist_ok=True)
    file = target / f"{name}.png"
    await page.screenshot(path=file, caret="initial")  # hiding it writes a style into every input
    assert file.stat().st_size > 5000, name


FAINT = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (element) => {
    for (; element; element = element.parentElement) {
      const colour = parse(getComputedStyle(element).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.7) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("main *, header *, #panel *")) {
    const own = Array.from(element.childNodes).some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || element.closest("svg, .sep, .unseen, .fresh, :disabled") || !element.getClientRects().length) continue;
    const [high, low] = [light(parse(getComputedStyle(element).color)), light(ground(element))].sort((a, b) => b - a);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < 4.5) found.push(`${element.textContent.trim().slice(0, 30)}: ${contrast.toFixed(2)}`);
  }
  return [...new Set(found)];
}"""


async def faint_words(page: Page) -> list[str]:
    """Words whose contrast to their ground is below WCAG's 4.5."""
    found: list[str] = await page.evaluate(FAINT)
    return found
