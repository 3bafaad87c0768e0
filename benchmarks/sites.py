"""Stand-in sites and a service cloud in one process, each answering after a delay; strict, as everywhere.

`python -m benchmarks.sites [--cameras N --boxes N] [--onvif N] [--delay 0.02] [--padding BYTES] [--changes N --over S]`
prints the ports as `{"site": …, "cloud": …, "onvif": […]}`. With `--changes`, so many cameras go and come back evenly
over so many seconds once the cloud knows them all; a second line then says how late the cloud was told. On SIGUSR1 it
prints how many requests each took, on SIGTERM also what was wrong.
"""

import argparse
import asyncio
import contextlib
import json
import signal
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import uvloop

from tocsin.engine.clock import LoopClock
from tocsin.standins.cloud import CloudStandin
from tocsin.standins.milestone.site import Plan, identity
from tocsin.standins.milestone.standin import MilestoneStandin
from tocsin.standins.onvif import OnvifCamera, OnvifCameras
from tocsin.standins.onvif_answers import Nature
from tocsin.standins.web_service import Misbehaviour

NOWHERE = "127.0.0.1:0"


class Sites:
    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.taken, self.wrong = Counter[str](), Counter[str]()
        self.told: list[tuple[float, str, str]] = []
        """What the cloud was told of devices: when it came, of which, and when it had happened."""
        self.site = MilestoneStandin(NOWHERE, self._site_asked, LoopClock(), Plan(given.cameras, given.boxes, False))
        self.site.gateway.delay_s = given.delay
        self.site.events.padding = given.padding
        self.cloud = CloudStandin(NOWHERE, self._cloud_told, LoopClock())
        self.cloud.web.always = Misbehaviour(delay_s=given.cloud_delay)

    def _site_asked(self, told: dict[str, Any]) -> None:
        self.taken["site"] += "request" in told
        self.wrong["site"] += told.get("status", 200) >= 400

    def _cloud_told(self, told: dict[str, Any]) -> None:
        self.taken["cloud"] += 1
        self.wrong["cloud"] += bool(told["problems"])
        if told["key"].startswith("evt:"):
            said = told["said"]
            self.told += [
                (datetime.now(UTC).timestamp(), one["device_id"], one["timestamp"])
                for one in said.get("events", [said])
            ]

    async def serve(self) -> dict[str, Any]:
        ports = {"site": await self.site.start(), "cloud": await self.cloud.web.start(), "onvif": await self._cameras()}
        print(json.dumps(ports), flush=True)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        asyncio.get_running_loop().add_signal_handler(
            signal.SIGUSR1, lambda: print(json.dumps(dict(self.taken)), flush=True)
        )
        changing = asyncio.create_task(self._change()) if self.given.changes else None
        await stop.wait()
        if changing is not None:
            changing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await changing
        return {"taken": dict(self.taken), "wrong": dict(+self.wrong)}

    async def _cameras(self) -> list[int]:
        if not self.given.onvif:
            return []
        natures = [
            Nature(f"Gate {n}", serial=f"AC22-{n:07d}", mac=f"9c-8e-cd-12-{n >> 8:02x}-{n & 255:02x}")
            for n in range(self.given.onvif)
        ]
        cameras = [OnvifCamera(nature, LoopClock(), "viewer", "sesame") for nature in natures]
        standin = OnvifCameras(NOWHERE, lambda _: self.taken.update(["onvif"]), cameras)
        return await standin.start()

    async def _change(self) -> None:
        known = self.cloud.records.devices
        while sum(one.status == "online" for one in known.values()) <= self.given.cameras:  # and the recorder
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)  # the socket stands
        loop = asyncio.get_running_loop()
        began = loop.time()
        for n in range(self.given.changes):
            await asyncio.sleep(max(0.0, began + n * self.given.over / self.given.changes - loop.time()))
            turn, camera = divmod(n, self.given.cameras)
            await self.site.happens("plug" if turn % 2 else "unplug", 1 + camera)
        while len(self.told) < self.given.changes:
            await asyncio.sleep(0.05)
        print(json.dumps(self._lateness()), flush=True)

    def _lateness(self) -> dict[str, Any]:
        late = sorted(came - datetime.fromisoformat(at).timestamp() for came, _, at in self.told)
        disorder, newest = 0, dict[str, str]()
        for _, device, at in self.told:
            disorder += at < newest.get(device, "")
            newest[device] = at
        words = {f"xp:camera:{identity('camera', n)}" for n in range(1, 1 + self.given.cameras)}
        middle, p99 = late[len(late) // 2], late[len(late) * 99 // 100]
        return {
            "p50": middle,
            "p99": p99,
            "most": late[-1],
            "disorder": disorder,
            "strange": len(newest.keys() - words),
        }


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, kind, usual in (
        ("cameras", int, 12), ("boxes", int, 8), ("onvif", int, 0), ("delay", float, 0.0),
        ("cloud-delay", float, 0.005), ("padding", int, 0), ("changes", int, 0), ("over", float, 10.0),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=kind, default=usual)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(Sites(parser.parse_args()).serve())), flush=True)


if __name__ == "__main__":
    main()
