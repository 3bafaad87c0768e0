"""A real gateway over SQLite behind the real server, with stations that do what a test says."""

import asyncio
import io
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from PIL import Image, ImageDraw

from tocsin.api.access import Access
from tocsin.api.app import create_app
from tocsin.api.limits import Limits
from tocsin.api.proxies import Proxies
from tocsin.api.serve import serve
from tocsin.console.app import attach
from tocsin.console.people import People, Person
from tocsin.console.sessions import Sessions
from tocsin.console.visitor import ConsoleParts
from tocsin.engine.areas import AreaTree
from tocsin.engine.backoff import Retry
from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import Addressed, Attempt, CheckStep, LinkDown, PhotoIn, Rejected, Rendered
from tocsin.engine.evidence import Agent
from tocsin.engine.gateway import Gateway, GatewayParts, Member
from tocsin.engine.inventory.rules import SystemRules
from tocsin.engine.routing import Filter
from tocsin.engine.systems import System
from tocsin.model.delivery import Due, Receipt
from tocsin.model.device import Area, Device
from tocsin.model.event import Event, Photo
from tocsin.store.open import open_store
from tocsin.telemetry.record import Occurrence

FRAME = '<LF>6C2A0071"SIA-DCS"0042R1L0#{account}[#{account}|Nri1/BA{zone}^{what}^]_22:15:04,05-30-2024<CR>'
ANSWER = '<LF>A1B20026"ACK"0042R1L0#{account}[]_19:15:05,05-30-2024<CR>'


class Station:
    """Takes events, refuses them for good, or cannot be reached: `mood` is takes, refuses or down."""

    def __init__(self, name: str, mood: str = "takes", supervision_s: float | None = None) -> None:
        self.name = name
        self.mood = mood
        self.concurrency = 4
        self.supervision_s = supervision_s
        self.host = "192.0.2.5:4001"
        self.seen: list[Due] = []

    def address(self, event: Event, device: Device | None) -> Addressed:
        return Addressed("#9280|00-001", event.device_id or "gateway", "the destination's default")

    def render(self, due: Due, photos: Sequence[Photo]) -> Sequence[Rendered]:
        return [Rendered("frame", due.event.kind.encode())]

    async def deliver(self, due: Due, attempt: Attempt) -> Receipt:
        if self.mood == "down":
            attempt.exchanged(self.host, "unreachable")
            raise LinkDown(f"{self.host} refused the connection: nothing listens on this port")
        sent = FRAME.format(account="9280", zone="001", what=due.event.kind)
        if self.mood == "refuses":
            attempt.exchanged(self.host, "refused", sent, '<LF>0C13000D"NAK"0042R1L0#9280[]<CR>')
            raise Rejected("the station does not know account 9280")
        attempt.exchanged(self.host, "delivered", sent, ANSWER.format(account="9280"))
        self.seen.append(due)
        return Receipt(self.host, "ACK 0042")

    async def supervise(self, attempt: Attempt) -> Receipt:
        return Receipt(self.host, "ACK")

    async def check(self) -> Sequence[CheckStep]:
        return []

    def hosts_in_use(self) -> str:
        return self.host

    async def aclose(self) -> None:
        return


def member(
    station: Station, title: str = "SIA DC-09", filter_: Filter | None = None, insecure: bool = False, **more: Any
) -> Member:
    retry = Retry(first_s=0.05)
    return Member(station, "dc09", title, filter_ or Filter(), retry, wants_photos=True, insecure=insecure, **more)


class Served:
    """The server's address and what is behind it."""

    def __init__(self, url: str, gateway: Gateway, http: aiohttp.ClientSession, occurrences: list[Occurrence]) -> None:
        self.url = url
        self.gateway = gateway
        self.http = http
        self.occurrences = occurrences

    async def post(self, kind: str = "motion", device_id: str = "d1", **fields: Any) -> dict[str, Any]:
        event = {"kind": kind, "device_id": device_id, **fields}
        async with self.http.post("/api/v1/events", json=event) as answer:
            assert answer.status == 202, await answer.text()
            taken: dict[str, Any] = await answer.json()
            return taken

    async def get(self, path: str, **query: str) -> Any:
        async with self.http.get(f"/api/v1{path}", params=query) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def states(self, event_id: str) -> dict[str, str]:
        event = await self.get(f"/events/{event_id}")
        return {one["destination"]: one["state"] for one in event["deliveries"]}

    async def until(self, holds: Callable[[], Awaitable[bool]], seconds: float = 15.0) -> None:
        async with asyncio.timeout(seconds):
            while not await holds():
                await asyncio.sleep(0.01)

    async def settles(self, event_id: str, destination: str, state: str) -> None:
        async def settled() -> bool:
            return (await self.states(event_id)).get(destination) == state

        await self.until(settled)


DEVICES = (
    Device("d1", "Gate camera", "detector", "Depot"),
    Device("d2", "Yard camera", "detector", "Yard"),
)
AREAS = (Area("North"), Area("Depot", "North", time_zone="Europe/Tallinn"), Area("Yard"))


async def any_picture(picture: PhotoIn) -> bytes | str:
    return picture.data if picture.data.startswith(b"\xff\xd8") else "it does not begin like a JPEG"


async def no_metrics() -> bytes:
    return b"# no metrics\n"


@asynccontextmanager
async def served(
    folder: Path,
    members: Sequence[Member] = (),
    access: Access | None = None,
    people: Sequence[Person] = (),
    limits: Limits | None = None,
    headers: dict[str, str] | None = None,
    console: bool = True,
    devices: Sequence[Device] = DEVICES,
    port: int = 0,
    areas: AreaTree | None = None,
    public_url: str = "",
    systems: Sequence[tuple[System, SystemRules]] = (),
    agents: Sequence[Agent] = (),
    proxies: Proxies = (),
    session_key: bytes = b"k" * 32,
) -> AsyncIterator[Served]:
    """A running gateway at `served.url`; without members one station `arc` that takes everything."""
    occurrences: list[Occurrence] = []
    store = open_store(folder / "tocsin.db")
    await store.open()
    parts = GatewayParts(store, LoopClock(), random.Random(1), occurrences.append, any_picture)
    stations = members or [member(Station("arc"))]
    gateway = Gateway("north-depot", parts, stations, areas or AreaTree(AREAS), devices, public_url)
    for system, rules in systems:
        gateway.systems.add(system, rules)
    for agent in agents:
        gateway.agents.add(agent)
    await gateway.start()
    app = create_app(gateway, access or Access(), no_metrics, occurrences.append, limits, proxies)
    if console:
        clock = gateway.clock
        sessions = Sessions(session_key, 3600.0, clock.now, os.urandom)
        attach(app, ConsoleParts(People(people, clock.monotonic), sessions))
    work = asyncio.create_task(gateway.run(announce=False))
    try:
        async with serve(app, "127.0.0.1", port) as bound:
            url = f"http://127.0.0.1:{bound}"
            async with aiohttp.ClientSession(url, headers=headers, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
                yield Served(url, gateway, http, occurrences)
        await gateway.stop(announce=False)
    finally:
        work.cancel()
        await asyncio.wait([work])
        await store.aclose()


@contextmanager
def served_apart(folder: Path, first: Callable[[Served], Awaitable[Any]], **how: Any) -> Iterator[Served]:
    """`served` on a loop in a thread of its own, for a client that blocks. `first` is waited for before it is used."""
    up: Future[tuple[Served, Callable[[], Any]]] = Future()

    async def main() -> None:
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        async with served(folder, **how) as gw:
            await first(gw)
            up.set_result((gw, lambda: loop.call_soon_threadsafe(end.set)))
            await end.wait()

    with ThreadPoolExecutor(1) as apart:
        running = apart.submit(asyncio.run, main())
        gw, end = up.result(20)
        try:
            yield gw
        finally:
            end()
            running.result(20)


def picture(width: int = 640, height: int = 360, hue: int = 0) -> bytes:
    """A JPEG that looks a little like a yard at night with somebody in it."""
    image = Image.new("RGB", (width, height), (22, 30, 44))
    draw = ImageDraw.Draw(image)
    for line in range(height // 2, height):
        shade = 34 + (line - height // 2) // 4
        draw.line([(0, line), (width, line)], fill=(shade, shade + 6, shade + 4 + hue % 24))
    draw.rectangle([width * 0.55, height * 0.2, width * 0.95, height * 0.62], fill=(58, 64, 78))
    draw.rectangle([width * 0.62, height * 0.3, width * 0.7, height * 0.42], fill=(214, 186, 112))
    draw.ellipse([width * 0.265, height * 0.3, width * 0.325, height * 0.4], fill=(196, 170, 150))
    draw.rounded_rectangle([width * 0.24, height * 0.4, width * 0.35, height * 0.68], 14, fill=(96, 44, 52))
    draw.rectangle([width * 0.25, height * 0.66, width * 0.285, height * 0.88], fill=(40, 44, 60))
    draw.rectangle([width * 0.305, height * 0.66, width * 0.34, height * 0.88], fill=(40, 44, 60))
    held = io.BytesIO()
    image.save(held, "JPEG", quality=80)
    return held.getvalue()
