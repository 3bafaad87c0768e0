"""Inventories and states of on-prem systems: read, read again, told to a cloud, polled."""

import asyncio
import hashlib
import json
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import aiohttp
import msgspec
import uvloop

from benchmarks.figure import Figure, new_folder
from benchmarks.process import Child, Gateway, cpu_seconds, serving
from tocsin.engine.clock import LoopClock
from tocsin.standins.milestone.site import Plan, Site
from tocsin.standins.milestone.switches import Login
from tocsin.systems.milestone.driver_settings import AT_ONCE
from tocsin.systems.milestone.paging import PAGE_SIZE
from tocsin.systems.milestone.settings import MilestoneSettings
from tocsin.systems.milestone.system import build
from tocsin.systems.surroundings import SystemSurroundings

LOGIN = Login()
SYSTEM = """
[[systems]]
name = "{name}"
type = "milestone"
url = "http://127.0.0.1:{port}"
username = "{username}"
password = "{password}"
customer_id = "acct-4410"
inventory = {{ every = "30d" }}
"""
CLOUD = """
[[destinations]]
name = "cloud"
type = "cloud"
inventory_url = "http://127.0.0.1:{port}/inventory"
events_url = "http://127.0.0.1:{port}/health"
"""
ONVIF = """
[[systems]]
name = "cams"
type = "onvif"
customer_id = "acct-4410"
username = "viewer"
password = "sesame"
devices = [{devices}]
inventory = {{ every = "30d" }}
health = {{ mode = "poll", every = "60s" }}
"""
MANY, PER_SYSTEM, RUNS = 40, 2500, 10
STATES = 85_000
"""About 20 MB."""


def _system(port: int, name: str = "xp", more: str = "") -> str:
    return SYSTEM.format(name=name, port=port, username=LOGIN.username, password=LOGIN.password) + more


def _wait(gateway: Gateway, holds: Callable[[dict[str, Any]], bool], seconds: float = 300.0) -> list[dict[str, Any]]:
    """Until it holds for every system; what is said of them then."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found: list[dict[str, Any]] = (gateway.get("/api/v1/systems") or {"items": []})["items"]
        if found and all(holds(one) for one in found):
            return found
        time.sleep(0.5)
    raise RuntimeError(f"not within {seconds:g} s")


def _read(one: dict[str, Any]) -> bool:
    run = one["run"]
    if run and run["state"] in ("failed", "partial", "held"):
        raise RuntimeError(f"the run of {one['name']} is {run['state']}: {run['error']} {run['notes']}")
    return bool(run and run["state"] == "succeeded")


def _read_again(gateway: Gateway, names: Sequence[str]) -> list[dict[str, Any]]:
    """One more run of each, all at once. Only runs are asked about: to count devices costs more than to read them."""
    asked = [gateway.post(f"/api/v1/systems/{name}/sync", b"{}", "application/json")["id"] for name in names]
    ended = []
    for run_id in asked:
        while (run := gateway.get(f"/api/v1/runs/{run_id}"))["state"] in ("queued", "running"):
            time.sleep(0.05)
        if run["state"] != "succeeded":
            raise RuntimeError(f"the run of {run['system']} is {run['state']}: {run['error']} {run['notes']}")
        ended.append(run)
    return ended


def reading() -> Iterator[Figure]:
    """2 500 cameras on 1 250 boxes, each answer 20 ms late, against the same questions asked by a bare client."""
    with serving("benchmarks.sites", "--cameras", 2500, "--boxes", 1250, "--delay", 0.02) as site:
        port = site.line()["site"]
        least_s, asked = asyncio.run(_bare(port))
        with Gateway(new_folder(), _system(port)) as gateway:
            (found,) = _wait(gateway, _read)
            peak = gateway.peak_mb()
        run = found["run"]
        ours_s = _instant(run["finished_at"]) - _instant(run["started_at"])
    assert run["counts"]["seen"] == 2501, run
    assert site.result["wrong"] == {}, site.result
    said = f"{ours_s:.2f} s, {site.result['taken']['site'] - asked} requests"
    yield Figure("Inventory of 2 500 cameras, 20 ms an answer", ours_s / least_s, "x", 1.3, said,
                 f"bare client, {asked} requests, {AT_ONCE} at once {least_s:.2f} s", most=True)  # fmt: skip
    yield Figure("the same: memory of the whole gateway", peak, "MB", 200, "", "", most=True)


async def _bare(port: int) -> tuple[float, int]:
    """The least: each page of each listing after the other, the listings and then the boxes side by side."""
    pages = {"recordingServers": 1, "hardware": 1250 // PAGE_SIZE + 1, "cameras": 2500 // PAGE_SIZE + 1}
    asked = 0

    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as http:
        form = {"grant_type": "password", "username": LOGIN.username, "password": LOGIN.password}
        began = time.perf_counter()

        async def get(path: str) -> Any:
            nonlocal asked
            asked += 1
            async with http.get(f"/api/rest/v1/{path}", headers={"Authorization": f"Bearer {token}"}) as answer:
                return json.loads(await answer.read())

        async def listing(name: str, count: int) -> list[Any]:
            return [one for n in range(count) for one in (await get(f"{name}?disabled&page={n}&size=200"))["array"]]

        await http.get("/api/.well-known/uris")
        async with http.post("/api/idp/connect/token", data=form | {"client_id": "GrantValidatorClient"}) as answer:
            token = (await answer.json())["access_token"]
        await get("sites")
        names = [*pages, "cameraGroups"]
        found = dict(zip(names, await asyncio.gather(*(listing(name, pages.get(name, 1)) for name in names)),
                         strict=True))  # fmt: skip
        groups = [f"cameraGroups/{one['id']}/cameras" for one in found["cameraGroups"]]
        await asyncio.gather(*(listing(path, 2500 // 3 // PAGE_SIZE + 1) for path in groups))
        boxes = [one["id"] for one in found["hardware"]]

        async def some() -> None:
            while boxes:
                await get(f"hardwareDriverSettings/{boxes.pop()}")

        await asyncio.gather(*(some() for _ in range(AT_ONCE)), get("sites"))
        return time.perf_counter() - began, asked + 2


def unchanged() -> Iterator[Figure]:
    """100 000 devices of 40 systems read again with nothing changed, against parsing and hashing the same bytes."""
    with serving("benchmarks.sites", "--cameras", PER_SYSTEM, "--boxes", 1250) as site:
        port = site.line()["site"]
        plain = 'macs = false\nlocation = "site"\nhealth = { mode = "off" }\n'
        with Gateway(new_folder(), "".join(_system(port, f"s{n:02}", plain) for n in range(MANY))) as gateway:
            found = _wait(gateway, _read)
            seconds, resident = [], []
            names = [one["name"] for one in found]
            for _ in range(RUNS):
                spent = _spent(gateway)
                again = _read_again(gateway, names)
                seconds.append(_spent(gateway) - spent)
                resident.append(gateway.rss_mb())
            peak = gateway.peak_mb()
        assert all(run["counts"]["changed"] == 0 for run in again)
    alone = _parsed_and_hashed()
    ours = seconds[0]
    yield Figure("100 000 devices of 40 systems read again: CPU", ours / alone, "x", 8, f"{ours:.1f} s",
                 f"json.loads and SHA-256 of the same bytes {alone:.2f} s", most=True)  # fmt: skip
    yield Figure("the same: memory at its highest", peak, "MB", 300, "", "", most=True)
    yield Figure("the same: memory after ten runs to that after two", resident[-1] / resident[1], "x", 1.1,
                 f"{resident[-1]:.0f} MB", f"{resident[1]:.0f} MB", most=True)  # fmt: skip


def _spent(gateway: Gateway) -> float:
    assert gateway.process is not None
    return cpu_seconds(gateway.process.pid)


def _parsed_and_hashed() -> float:
    site = Site(Plan(PER_SYSTEM, 1250, False))
    listings = [site.cameras, site.hardware]
    bodies = [
        msgspec.json.encode({"array": listing[at : at + PAGE_SIZE]})
        for listing in listings
        for at in range(0, len(listing), PAGE_SIZE)
    ]
    began = time.process_time()
    for _ in range(MANY):
        for body in bodies:
            json.loads(body)
            hashlib.sha256(body).digest()
    return time.process_time() - began


def transitions() -> Iterator[Figure]:
    """1 000 changes in 10 s through the whole gateway, from the site's own time to the cloud's reception."""
    given = ("--cameras", 250, "--boxes", 125, "--changes", 1000, "--over", 10)
    with serving("benchmarks.sites", *given) as site:
        ports = site.line()
        with Gateway(new_folder(), _system(ports["site"]) + CLOUD.format(port=ports["cloud"])):
            seen = site.line()
    assert seen["disorder"] == 0, seen
    assert site.result["wrong"] == {}, site.result
    yield Figure("1 000 changes in 10 s, source to cloud, p99", seen["p99"], "s", 1.0,
                 f"p50 {seen['p50'] * 1000:.0f} ms, most {seen['most'] * 1000:.0f} ms", "in order per device",
                 most=True)  # fmt: skip


def state_frame() -> Iterator[Figure]:
    """All states of a very large site in one frame of 20 MB, from the socket to states of devices."""
    with (
        serving("benchmarks.sites", "--cameras", STATES, "--boxes", 1000) as site,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        ours = runner.run(_states(site.line()["site"]))
    frame = msgspec.json.encode({"commandId": 1, "status": 200, "states": Site(Plan(STATES, 1000)).current()})
    alone = min(_timed(lambda: json.loads(frame)) for _ in range(3))
    yield Figure("States of a site in one frame: CPU", ours / alone, "x", 3, f"{ours:.2f} s",
                 f"json.loads of the same {len(frame) / 1e6:.0f} MB {alone:.2f} s", most=True)  # fmt: skip


async def _states(port: int) -> float:
    settings = {"name": "xp", "url": f"http://127.0.0.1:{port}", "username": LOGIN.username, "macs": False}
    settings |= {"password": LOGIN.password, "location": "site"}
    around = SystemSurroundings(LoopClock(), random.Random(1), lambda _: None)
    system = build(MilestoneSettings.model_validate(settings), around)
    count = sum([1 async for _ in system.devices()])
    spent = []
    for _ in range(3):
        began = time.process_time()
        found = [state async for state in system.baseline()]
        spent.append(time.process_time() - began)
        assert len(found) >= STATES, (len(found), count)
    await system.aclose()
    return min(spent)


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def polled() -> Iterator[Figure]:
    """500 ONVIF cameras, each asked every minute."""
    with serving("benchmarks.sites", "--onvif", 500) as site:
        ports: Sequence[int] = site.line()["onvif"]
        devices = ", ".join(f'{{ address = "127.0.0.1:{port}" }}' for port in ports)
        with Gateway(new_folder(), ONVIF.format(devices=devices)) as gateway:
            _wait(gateway, lambda one: _read(one) and one["devices"].get("online") == 500)
            before, spent = _asked(site), _spent(gateway)
            while (asked := _asked(site) - before) < 500:
                time.sleep(1)
            share = (_spent(gateway) - spent) / asked * 500 / 60 * 100
    yield Figure(
        "500 ONVIF cameras asked each minute: CPU", share, "%", 15, "of one core", f"{asked} requests", most=True
    )


def _asked(site: Child) -> int:
    site.process.send_signal(signal.SIGUSR1)
    return int(site.line()["onvif"])


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
