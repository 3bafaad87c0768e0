"""The real process between a site whose cameras change and a service cloud, to be killed at any moment.

async with Fleet(folder) as fleet:          # site and cloud run in this process, the gateway in its own
    await fleet.start()
    fleet.live()
    await asyncio.sleep(...); await fleet.kill(); await fleet.start()
    await fleet.settle(60)
    assert fleet.differences() == [] and fleet.disorder() == []
"""

import asyncio
import contextlib
import json
import random
from collections import Counter
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from harness.program import Program, free_port
from tocsin.engine.clock import LoopClock
from tocsin.standins.cloud import CloudStandin, Demands
from tocsin.standins.milestone import site as made_up
from tocsin.standins.milestone.site import Plan, identity
from tocsin.standins.milestone.standin import MilestoneStandin
from tocsin.standins.web_service import Misbehaviour, Reply

TOKEN = "a-token-for-the-proof"
CAMERAS = 200
"""So many that none changes so often that it counts as flapping."""
CONFIGURATION = """
[gateway]
name = "proof"
data_dir = {data_dir}

[api]
listen = "127.0.0.1:{api}"
tokens = [{{ name = "proof", token = "{token}", scopes = ["read", "operate"] }}]

[[systems]]
name = "xp"
type = "milestone"
url = "http://127.0.0.1:{site}"
username = "{username}"
password = "{password}"
customer_id = "acct-4410"
inventory = {{ remove_after = 1, include_types = ["camera", "recorder"] }}

[[destinations]]
name = "cloud"
type = "cloud"
inventory_url = "http://127.0.0.1:{cloud}/inventory"
events_url = "http://127.0.0.1:{cloud}/health"
token = "{token}"
max_events = 20
timeout = "2s"
retry = {{ longest = "1s" }}
"""


class Fleet:
    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._random = random.Random(seed)
        self.received: list[dict[str, Any]] = []
        self.site = MilestoneStandin("127.0.0.1:0", lambda _: None, LoopClock(), Plan(CAMERAS, CAMERAS // 2))
        demands = Demands(token=TOKEN, several=True)
        self.cloud = CloudStandin("127.0.0.1:0", self.received.append, LoopClock(), demands)
        self._work: list[asyncio.Task[None]] = []
        self._added = CAMERAS
        self.changes = Counter[str]()
        self._program: Program

    async def __aenter__(self) -> Self:
        api = free_port()
        self._http = aiohttp.ClientSession(f"http://127.0.0.1:{api}", headers={"Authorization": f"Bearer {TOKEN}"})
        text = CONFIGURATION.format(
            data_dir=json.dumps(str(self._folder / "data")),
            api=api,
            token=TOKEN,
            username=self.site.gateway.login.username,
            password=self.site.gateway.login.password,
            site=await self.site.start(),
            cloud=await self.cloud.web.start(),
        )
        self._program = Program(self._folder, self._http, text)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._rest()
        await self.kill()
        await self._http.close()
        await self.site.aclose()
        await self.cloud.web.aclose()

    async def start(self) -> None:
        await self._program.start()

    async def launch(self) -> None:
        """Start it and do not wait until it is ready."""
        await self._program.launch()

    async def kill(self) -> None:
        await self._program.kill()

    def live(self) -> None:
        """Cameras fail and come back, are taken away and put up, inventories are read, the cloud is in trouble."""
        self._work = [asyncio.create_task(one()) for one in (self._change, self._sync, self._trouble)]

    async def _change(self) -> None:
        while True:
            await asyncio.sleep(self._random.expovariate(8))
            cameras = self.site.site.cameras
            number = int(self._random.choice(cameras)["name"].split()[1])
            order = self._random.choices(("unplug", "plug", "remove", "add"), (20, 20, 1, 1))[0]
            self.changes[order] += 1
            if order == "add":
                self._put_up()
            elif order != "remove" or len(cameras) > CAMERAS - 5:
                await self.site.happens(order, number)

    def _put_up(self) -> None:
        self._added += 1
        camera = made_up._camera(self._added, 1)
        self.site.site.cameras.append(camera)
        self.site.site.happened(f"cameras/{camera['id']}", made_up.STARTED, datetime.now().astimezone())

    async def _sync(self) -> None:
        while True:
            await asyncio.sleep(self._random.expovariate(4))
            await self.sync()

    async def sync(self) -> None:
        """Asks for a run; nobody may be there to hear it."""
        limit = aiohttp.ClientTimeout(2)
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with self._http.post("/api/v1/systems/xp/sync", json={"fresh": True}, timeout=limit) as answer:
                self.changes[f"sync {answer.status}"] += 1

    async def _trouble(self) -> None:
        """Answers late, and now and then not, not whole, or that it has no time."""
        fates = [Misbehaviour(delay_s=0.02)] * 12
        fates += [Misbehaviour(Reply(503)), Misbehaviour(fault="cut"), Misbehaviour(fault="close")]
        while True:
            self.cloud.web.scripted = [self._random.choice(fates)]
            await asyncio.sleep(0.01)

    async def _rest(self) -> None:
        for one in self._work:
            one.cancel()
        if self._work:
            await asyncio.wait(self._work)

    # The end

    async def settle(self, timeout_s: float) -> None:
        """Nothing changes any more; then the cloud knows all of it, or the time is over and `differences` says what."""
        await self._rest()
        self.cloud.web.scripted = []
        await self.sync()
        with contextlib.suppress(TimeoutError):
            await self._program.wait_until(self._same, timeout_s, "")

    async def _same(self) -> bool:
        return not self.differences()

    def differences(self) -> list[str]:
        """Where what the cloud knows is not how the site is."""
        known = {id_: one.status for id_, one in self.cloud.records.devices.items()}
        there = self._there()
        return [f"{id_}: {there.get(id_)}, told {known.get(id_)}" for id_ in sorted(known.keys() | there.keys())
                if known.get(id_) != there.get(id_)]  # fmt: skip

    def _there(self) -> dict[str, str]:
        site, words = self.site.site, {made_up.STARTED: "online", made_up.ERROR: "offline"}
        cameras = {f"xp:camera:{one['id']}": words[site.states[f"cameras/{one['id']}"][0]] for one in site.cameras}
        return cameras | {f"xp:recorder:{identity('recorder')}": "online"}

    def events(self) -> list[dict[str, Any]]:
        """Health events as they were taken for the first time, in order."""
        taken = [one for one in self.received if one.get("taken") and one["key"].startswith("evt:")]
        return [event for one in taken for event in one["said"].get("events", [one["said"]])]

    def disorder(self) -> list[str]:
        """Devices of which something older was told for the first time after something newer."""
        newest: dict[str, str] = {}
        seen: set[tuple[str, str, str]] = set()
        wrong = []
        for event in self.events():
            device, at, said = event["device_id"], event["timestamp"], tuple(event.values())[:3]
            if said not in seen and at < newest.get(device, ""):
                wrong.append(f"{device}: {event['status']} of {at} after {newest[device]}")
            seen.add(said)  # type: ignore[arg-type]
            newest[device] = max(at, newest.get(device, ""))
        return wrong

    def problems(self) -> list[Any]:
        return [one["problems"] for one in self.received if one.get("problems")]

    def summary(self) -> str:
        told = len(self.events())
        inventories = sum(one["key"].startswith("inv:") for one in self.received)
        return f"{dict(self.changes)}; {inventories} inventories and {told} health events taken or told again"
