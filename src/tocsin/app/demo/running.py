"""Running the demo: everything over real sockets, first the roll call, then panels and detectors until time is up."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import timedelta
from functools import partial
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import aiohttp
from msgspec import Struct

from tocsin.app.demo import rollcall
from tocsin.app.demo.evidence import Evidence
from tocsin.app.demo.stations import Stations
from tocsin.app.demo.systems import CLOUD, Systems
from tocsin.app.loading import load
from tocsin.app.run import running, store_of
from tocsin.app.settings import Configuration
from tocsin.engine.clock import LoopClock
from tocsin.engine.gateway import Gateway
from tocsin.model.delivery import OPEN_STATES, Delivery, DeliveryKey
from tocsin.standins import detector
from tocsin.standins.armed import ArmedDevices
from tocsin.standins.commanded import obey
from tocsin.standins.panel import PanelOptions, StandInPanel
from tocsin.store.contract import DeliveryFilter
from tocsin.telemetry.metrics import Metrics
from tocsin.telemetry.recorder import LoggedMetrics, configure_log
from tocsin.transports.contract import Endpoint
from tocsin.transports.sockets import SocketNetwork

Out = Callable[[str], None]
DRAIN_S = 30.0
_PANEL_EVERY_S = 1.5
_DETECTOR_EVERY_S = 1.0
_PANEL_KEY = b"tocsin demo key!"
_ROLL_EVERY_S = 0.1
_LONGEST_SHOWN = 400
_SIREN_LINE = "curl -u arc:demo-station -X POST http://127.0.0.1:{}/control/v1/trigger_siren/siren-1"
_PANEL_TOLD = ("Nri1/BA017", "Nri1/BR017", "Nri1/TA003", "Nri1/FA021", "Nri1/RP")


MILLISECOND = timedelta(milliseconds=1)


class Tally(Struct, frozen=True):
    """One destination at the end. `seen`: different messages its stand-in acknowledged."""

    destination: str
    owed: int
    acknowledged: int
    seen: int
    waits_ms: tuple[float, ...] = ()
    """From accepted to acknowledged, in rising order."""


def demo(seconds: float | None, port: int, out: Out) -> int:
    """Run until `seconds` are over, Ctrl-C or SIGTERM; 0 only if every event was acknowledged by all who owed it."""
    configure_log(json=False, level="warning")
    with tempfile.TemporaryDirectory(prefix="tocsin-demo-") as folder:
        return asyncio.run(_demo(Path(folder), seconds, port, out))


async def _demo(folder: Path, seconds: float | None, port: int, out: Out) -> int:
    async with AsyncExitStack() as stack:
        systems = Systems()
        await systems.start(stack)
        stations = Stations(systems.witness)
        await stations.start(stack)
        evidence = Evidence(_made(folder / "blobs"))
        await evidence.start(stack, folder / "clearance.json")
        panels, control = _free_port(), _free_port()
        ports = {"panels": str(panels), "control": str(control), "console": _console(port)}
        settings = _settings(folder, {**stations.ports, **systems.ports, **ports})
        metrics = Metrics()
        record = LoggedMetrics(metrics)
        store = await stack.enter_async_context(store_of(settings, record))
        context = running(settings, store, metrics, record, os.urandom(32))
        gateway, address = await stack.enter_async_context(context)
        out(f"The console is at {address}")
        out(f"The systems and their devices: {address}systems")
        out(f"The evidence agent and its jobs: {address}evidence")
        out(f"A station sounds the siren: {_SIREN_LINE.format(control)}")
        out("Panels and detectors report; each line below is an alarm that a station has acknowledged.\n")
        watching = asyncio.create_task(_show(gateway, out))
        called = asyncio.create_task(_call_the_roll(address))
        happening = asyncio.create_task(systems.go_on(out))
        fetched = asyncio.create_task(_evidence(evidence, systems, out))
        await _report(address, panels, seconds, out)
        roll = await called
        systems.stopping.set()
        await happening
        await fetched
        tally = await _drained(gateway, stations)
        watching.cancel()
        await asyncio.wait([watching])
        complete = await _show_roll(gateway, stations, roll, out)
        proof = await evidence.proved(gateway.store)
        await gateway.stop(announce=False)
    out("")
    for line in (*systems.lines(), *proof.lines()):
        out(line)
    return summary(_accepted(metrics), tally, complete and systems.complete() and proof.complete(), out)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def _evidence(evidence: Evidence, systems: Systems, out: Out) -> None:
    """Once the systems are known, the registry asks for something of each type."""
    if await systems.known():
        evidence.post(*systems.filmed(), out)
        await evidence.done()


def _settings(folder: Path, ports: dict[str, str]) -> Configuration:
    file = folder / "tocsin.toml"
    text = files("tocsin.app.demo").joinpath("demo.toml").read_text(encoding="utf-8")
    file.write_text(Template(text).substitute(ports) + "\n".join(rollcall.devices()), encoding="utf-8")
    loaded = load(file)
    assert loaded.settings is not None, loaded.problems
    return loaded.settings


def _console(port: int) -> str:
    """The wanted port if it is free, else any other."""
    with socket.socket() as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
        except OSError:
            return "127.0.0.1:0"
    return f"127.0.0.1:{port}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _call_the_roll(address: str) -> dict[str, str]:
    """One event of every kind, each from its own device. The events' ids by kind."""
    taken = {}
    async with aiohttp.ClientSession() as session:
        for kind in rollcall.KINDS:
            event = {"kind": kind, "device_id": rollcall.device_id(kind), "text": "roll call"}
            async with session.post(f"{address}api/v1/events", json=event) as answer:
                answer.raise_for_status()
                taken[kind] = str((await answer.json())["id"])
            await asyncio.sleep(_ROLL_EVERY_S)
    return taken


async def _show_roll(gateway: Gateway, stations: Stations, roll: dict[str, str], out: Out) -> bool:
    """Print what each station understood of each kind; whether everything owed was understood."""
    names = [name for name in gateway.names() if name != CLOUD]
    owed: dict[str, set[str]] = {name: set() for name in names}
    refused: dict[str, dict[str, str]] = {name: {} for name in names}
    for kind, event_id in roll.items():
        stored = await gateway.store.event(event_id)
        assert stored is not None
        for one in (await gateway.store.deliveries_of([stored.seq]))[stored.seq]:
            if one.key.destination == CLOUD:
                continue
            if one.state == "filtered":
                refused[one.key.destination][kind] = one.reason
            else:
                owed[one.key.destination].add(kind)
    out("\nRoll call: what each station received of each kind of event")
    for line in stations.roll.table(names, refused):
        out(line)
    missing = stations.roll.missing(owed)
    for line in missing:
        out(line)
    return not missing


async def _report(address: str, panels: int, seconds: float | None, out: Out) -> None:
    """Let the panels and the detectors report until time is up or somebody stops the program."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # On Windows event loops have no signal handlers: there Ctrl-C interrupts as in any program.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stopped.set)
    plan = detector.Plan(("gate-cam", "yard-pir"), every_s=_DETECTOR_EVERY_S)
    clock = LoopClock()
    armed = ArmedDevices(clock.now)
    sending = detector.send(address, lambda _: None, clock, random.SystemRandom(), plan, armed=armed)
    endpoint = Endpoint("127.0.0.1", panels)
    works = [
        asyncio.create_task(sending),
        asyncio.create_task(obey(address, partial(_obeyed, out), (*plan.devices, "siren-1"), armed)),
        asyncio.create_task(_panel(PanelOptions(endpoint, "6F01"))),
        asyncio.create_task(_panel(PanelOptions(endpoint, "6F02", key=_PANEL_KEY))),
    ]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopped.wait()
    for work in works:
        work.cancel()
    await asyncio.wait(works)


def _obeyed(out: Out, line: dict[str, Any]) -> None:
    if "order" in line:
        out(f"          {line['device']} was ordered: {line['order']}; it says: {line['text']}")


async def _panel(options: PanelOptions) -> None:
    """One panel that goes through its repertoire again and again."""
    panel = StandInPanel(options, SocketNetwork(), LoopClock(), random.SystemRandom())
    try:
        while True:
            for told in _PANEL_TOLD:
                await panel.event(f"#{options.account}|{told}")
                await asyncio.sleep(_PANEL_EVERY_S)
    finally:
        await panel.aclose()


async def _show(gateway: Gateway, out: Out) -> None:
    async with aclosing(gateway.hub.subscribe()) as changes:
        async for change in changes:
            if change.topic == "delivery" and change.data["state"] == "delivered":
                for line in await _lines(gateway, DeliveryKey.parse(change.id)):
                    out(line)


async def _lines(gateway: Gateway, key: DeliveryKey) -> list[str]:
    delivery = await gateway.store.delivery(key)
    stored = await gateway.store.event(delivery.event_id) if delivery else None
    if delivery is None or stored is None:
        return []
    event = stored.event
    who = event.device_id or (str(event.address) if event.address else event.source)
    to = f" as {delivery.address}" if delivery.address else ""
    lines = [f"{event.accepted_at:%H:%M:%S}  {event.kind} from {who} -> {key.destination}{to}"]
    for one in (await gateway.store.trace(key))[-1:]:
        told = (("sent", one.sent), ("clear", one.note), ("answer", one.answer))
        lines += [f"          {name:8}{_short(text)}" for name, text in told if text]
    return lines


def _short(text: str) -> str:
    flat = "".join(char if char.isprintable() else " " for char in text)
    return flat if len(flat) <= _LONGEST_SHOWN else f"{flat[:_LONGEST_SHOWN]}… ({len(flat)} characters)"


async def _drained(gateway: Gateway, stations: Stations) -> list[Tally]:
    """The count at the end, when nothing is owed any more or half a minute is over."""
    loop = asyncio.get_running_loop()
    until = loop.time() + DRAIN_S
    while True:
        owed = {name: await _deliveries(gateway, name) for name in gateway.names()}
        waiting = any(one.state in OPEN_STATES for each in owed.values() for one in each)
        if not waiting or loop.time() > until:
            return [_tally(name, each, stations.seen[name]) for name, each in owed.items() if name != CLOUD]
        await asyncio.sleep(0.1)


async def _deliveries(gateway: Gateway, name: str) -> list[Delivery]:
    found: list[Delivery] = []
    before = None
    while True:
        page = await gateway.store.deliveries(DeliveryFilter(limit=500, before=before, destination=name))
        found += page
        if len(page) < 500:
            return [one for one in found if one.state != "filtered"]
        before = page[-1].key.event_seq


def _tally(name: str, owed: list[Delivery], seen: int) -> Tally:
    waits = sorted((one.delivered_at - one.accepted_at) / MILLISECOND for one in owed if one.delivered_at)
    return Tally(name, len(owed), sum(one.state == "delivered" for one in owed), seen, tuple(waits))


def _accepted(metrics: Metrics) -> int:
    return round(sum(sample.value for family in metrics.accepted.collect() for sample in family.samples))


def summary(accepted: int, tally: list[Tally], complete: bool, out: Out) -> int:
    """Print the table; 0 only if every station acknowledged, and itself saw, all that it was owed, and understood the
    whole roll call.
    """
    out(f"\n{accepted} events accepted; times are from accepted to acknowledged")
    for line in _summary_lines(tally):
        out(line)
    good = complete and all(one.owed == one.acknowledged == one.seen and one.owed for one in tally)
    out("Every event was acknowledged by every station that was owed it." if good else "NOT everything arrived.")
    return 0 if good else 1


def _summary_lines(tally: list[Tally]) -> Iterator[str]:
    yield f"{'station':15}{'owed':>8}{'acknowledged':>15}{'seen by it':>13}{'p50':>11}{'p99':>11}"
    for one in tally:
        waits = "".join(f"{_quantile(one.waits_ms, share):>8.1f} ms" for share in (0.5, 0.99))
        yield f"{one.destination:15}{one.owed:>8}{one.acknowledged:>15}{one.seen:>13}{waits}"


def _quantile(rising: Sequence[float], share: float) -> float:
    return rising[min(int(len(rising) * share), len(rising) - 1)] if rising else 0.0
