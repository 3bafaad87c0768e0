"""The real process between real panels, HTTP senders and stations, to be killed at any moment.

async with Scene(folder) as scene:          # stations and senders run in this process, the gateway in its own
    await scene.start()
    scene.send()
    await asyncio.sleep(...); await scene.kill(); await scene.start()
    await scene.settle(60)
    assert scene.lost() == [] and scene.disorder() == []
"""

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from harness.program import START_LIMIT_S, Program, free_port
from tocsin.engine.clock import LoopClock
from tocsin.standins.dc09 import Station
from tocsin.standins.panel import PanelOptions, StandInPanel
from tocsin.transports.contract import Endpoint
from tocsin.transports.sockets import SocketNetwork

ACCOUNTS = ("0011", "0012", "0013")
DEVICES = ("dev-1", "dev-2")
TOKEN = "a-token-for-the-proof"

CONFIGURATION = """
[gateway]
name = "proof"
data_dir = {data_dir}
{database}

[api]
listen = "127.0.0.1:{api}"
tokens = [{{ name = "senders", token = "{token}", scopes = ["events:write", "read", "operate"] }}]

[[sources]]
name = "panels"
type = "dc09"
listen = "127.0.0.1:{panels}"
accounts = [{accounts}]

[[destinations]]
name = "arc"
type = "dc09"
hosts = ["127.0.0.1:{station}"]
supervision = "off"
filter = {{ sources = ["panels"] }}

[[destinations]]
name = "web"
type = "webhook"
url = "http://127.0.0.1:{web}/"
filter = {{ sources = ["senders"] }}
"""


class WebStation:
    """Takes JSON by HTTP; `taken` lists what came, repeats too. Closed, it answers 503."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.open = True
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        application = web.Application()
        application.router.add_post("/", self._take)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return int(self._runner.addresses[0][1])

    async def _take(self, request: web.Request) -> web.Response:
        if not self.open:
            return web.Response(status=503)
        body = json.loads(await request.read())
        self.taken.append((body["device_info"]["guid"], body["text"]))
        return web.Response()

    async def aclose(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()


class Scene:
    """`acknowledged` and `taken` hold (line, mark) in the order they happened; a line is an account or a device."""

    def __init__(self, folder: Path, data_dir: Path | None = None, database: str = "", **environment: str) -> None:
        self._folder = folder
        self._data_dir = data_dir or folder / "data"
        self._database = database
        self._environment = environment
        self._program: Program
        self._senders: list[asyncio.Task[None]] = []
        self._sending = False
        self._network = SocketNetwork()
        self._random = random.Random(1)
        self._web = WebStation()
        self._api, self._panels = free_port(), free_port()
        self.acknowledged: list[tuple[str, str]] = []
        self.refused: list[tuple[str, str]] = []

    async def __aenter__(self) -> Self:
        self._station = Station(LoopClock(), self._random)
        self._http = aiohttp.ClientSession(
            f"http://127.0.0.1:{self._api}", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        text = CONFIGURATION.format(
            data_dir=json.dumps(str(self._data_dir)),
            database=f"database = {json.dumps(self._database)}" if self._database else "",
            api=self._api,
            token=TOKEN,
            panels=self._panels,
            accounts=", ".join(f'{{ account = "{account}" }}' for account in ACCOUNTS),
            station=await self._station.start(),
            web=await self._web.start(),
        )
        self._program = Program(self._folder, self._http, text, **self._environment)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        await self.kill()
        await self._http.close()
        await self._web.aclose()
        await self._station.aclose()

    # The gateway

    async def start(self) -> None:
        """Start the process and wait until it is ready. Raises with its output when it ends instead."""
        await self._program.start()

    async def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        await self._program.kill()

    def log(self) -> str:
        return self._program.log()

    # The stations

    @property
    def taken(self) -> list[tuple[str, str]]:
        """What stations acknowledged, with repeats, in order."""
        panels = [
            (message["account"], message["data"].partition("|")[2])
            for message in self._station.messages
            if message.get("answer") == "ACK" and message["token"] != "NULL"
        ]
        return panels + self._web.taken

    def close_stations(self) -> None:
        """Nobody answers until `open_stations`: what is acknowledged meanwhile is only on the disk."""
        self._station.switches.silent = True
        self._web.open = False

    def open_stations(self) -> None:
        self._station.switches.silent = False
        self._web.open = True
        self._station.drop_connections()

    # The senders

    def send(self, patient: bool = True) -> None:
        """Everybody sends until `settle`. Impatient HTTP senders give up what was not taken.

        `refused` holds what the gateway refused in words; what was never answered may be on disk or not.
        """
        self._sending = True
        self._senders = [asyncio.create_task(self._panel(account)) for account in ACCOUNTS if patient]
        self._senders += [asyncio.create_task(self._poster(device, patient)) for device in DEVICES]

    async def _panel(self, account: str) -> None:
        options = PanelOptions(
            Endpoint("127.0.0.1", self._panels), account, receiver=None, reply_timeout_s=3.0, pause_s=0.1
        )
        panel = StandInPanel(options, self._network, LoopClock(), self._random)
        count = sum(1 for line, _ in self.acknowledged if line == account)
        try:
            while self._sending:
                count += 1
                mark = f"Nri{count // 900 + 1}/BA{count % 900 + 1:03d}"
                await panel.event(f"#{account}|{mark}")
                self.acknowledged.append((account, mark))
        finally:
            await panel.aclose()

    async def _poster(self, device: str, patient: bool) -> None:
        count = 0
        while self._sending:
            count += 1
            mark = f"{count:06}"
            while (status := await self._post(device, mark)) != 202:
                if not patient and status is not None:
                    self.refused.append((device, mark))
                await asyncio.sleep(0.1)
                if not patient:
                    break
            else:
                self.acknowledged.append((device, mark))

    async def _post(self, device: str, mark: str) -> int | None:
        """202 or 503; None without an answer."""
        body = {"id": f"{device}-{mark}", "kind": "burglary", "device_id": device, "text": mark}
        try:
            async with self._http.post("/api/v1/events", json=body, timeout=aiohttp.ClientTimeout(5)) as answer:
                if answer.status not in (202, 503):
                    raise RuntimeError(f"POST answered {answer.status}: {await answer.text()}")
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def kept(self) -> set[tuple[str, str]]:
        """What the gateway's API shows of the HTTP senders' events, as (device, mark)."""
        found: set[tuple[str, str]] = set()
        parameters: dict[str, str] = {"limit": "200"}
        while True:
            async with self._http.get("/api/v1/events", params=parameters) as answer:
                assert answer.status == 200, await answer.text()
                page = await answer.json()
            found |= {
                (one["device_id"], one.get("text", "")) for one in page["items"] if one.get("device_id") in DEVICES
            }
            cursor = page.get("next") or page.get("cursor") or page.get("next_cursor")
            if not cursor:
                return found
            parameters["cursor"] = str(cursor)

    # The end

    async def settle(self, timeout_s: float) -> None:
        """Senders finish what they have in hand; then stations get everything, or the time is over."""
        self._sending = False
        await asyncio.wait_for(asyncio.gather(*self._senders), START_LIMIT_S)
        self.open_stations()
        try:
            await self.wait_until(self._all_taken, timeout_s, "")
        except TimeoutError:
            return  # `lost` says what is missing

    async def _all_taken(self) -> bool:
        return not self.lost()

    def lost(self) -> list[tuple[str, str]]:
        """Acknowledged to its sender and never seen by a station."""
        return sorted(set(self.acknowledged) - set(self.taken))

    def repeats(self) -> int:
        return len(self.taken) - len(set(self.taken))

    def disorder(self) -> list[str]:
        """Where first appearances at the station are not in the order of acknowledgement."""
        wrong = []
        for line in (*ACCOUNTS, *DEVICES):
            sent = [mark for name, mark in dict.fromkeys(self.acknowledged) if name == line]
            came = [mark for name, mark in dict.fromkeys(self.taken) if name == line]
            place = {mark: n for n, mark in enumerate(sent)}
            places = [place[mark] for mark in came if mark in place]
            wrong += [f"{line}: {sent[b]} before {sent[a]}" for b, a in itertools.pairwise(places) if a < b]
        return wrong

    def summary(self) -> str:
        lines = Counter(line for line, _ in self.acknowledged)
        return f"{sum(lines.values())} acknowledged, {len(self.lost())} lost, {self.repeats()} repeats"

    async def wait_until(self, there: "Callable[[], Any]", timeout_s: float, what: str) -> None:
        """Ask again and again. Raises TimeoutError naming what did not come."""
        await self._program.wait_until(there, timeout_s, what)
