"""Stand-in stations, several in one process, each answering after a delay; strict readers, as everywhere.

`python -m benchmarks.stations NAME… [--delay 0.005] [--slow NAME] [--refusing NAME]`; prints `{name: port}`, and on
SIGTERM how many messages each took and how many it found wrong.
"""

import argparse
import asyncio
import json
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, cast

import uvloop

from tocsin.engine.clock import LoopClock
from tocsin.standins import dc09, surgard
from tocsin.standins.ftpes import FtpStandin, FtpSwitches
from tocsin.standins.mail_readers import Reads
from tocsin.standins.manitou import ManitouStandin
from tocsin.standins.smtp import MailStandin, MailSwitches
from tocsin.standins.stages import StagesStandin
from tocsin.standins.web_service import Misbehaviour
from tocsin.standins.webhook import Answer, WebhookStandin

SLOW_S = 2.0
NOWHERE = "127.0.0.1:0"
Out = Callable[[dict[str, Any]], None]
Start = Callable[[str, Out, float], Awaitable[int]]
"""From name, listener and delay to the port."""


async def _dc09(name: str, out: Out, delay_s: float) -> int:
    station = dc09.Station(LoopClock(), random.Random(1), out)
    station.switches.delay_s = delay_s
    return await station.start()


async def _refusing(name: str, out: Out, delay_s: float) -> int:
    """A DC-09 station that knows none of the accounts."""
    station = dc09.Station(LoopClock(), random.Random(1), out)
    station.switches.delay_s, station.switches.duh = delay_s, {"*"}
    return await station.start()


async def _surgard(name: str, out: Out, delay_s: float) -> int:
    station = surgard.Host(LoopClock(), out, name=name)
    station.switches.delay_s = delay_s
    return await station.start()


async def _manitou(name: str, out: Out, delay_s: float) -> int:
    station = ManitouStandin(LoopClock(), out)
    station.switches.delay_s = delay_s
    return await station.start()


async def _webhook(name: str, out: Out, delay_s: float) -> int:
    return await WebhookStandin(NOWHERE, out, LoopClock(), always=Answer(0, delay_s=delay_s)).start()


async def _stages(name: str, out: Out, delay_s: float) -> int:
    station = StagesStandin(NOWHERE, out, LoopClock())
    station.web.always = Misbehaviour(delay_s=delay_s)
    return await station.web.start()


async def _mail(name: str, out: Out, delay_s: float) -> int:
    reads = cast("Reads", "" if name == "email" else name)
    return await MailStandin(NOWHERE, out, LoopClock(), MailSwitches(reads=reads, delay_s=delay_s)).start()


async def _ebus(name: str, out: Out, delay_s: float) -> int:
    return await FtpStandin(NOWHERE, out, LoopClock(), FtpSwitches(delay_s=delay_s)).start()


STATIONS: dict[str, Start] = {
    "dc09": _dc09, "surgard": _surgard, "manitou": _manitou, "microkey": _surgard, "webhook": _webhook,
    "stages": _stages, "immix": _mail, "sentinel": _mail, "patriot": _mail, "sureview": _mail, "email": _mail,
    "ebus": _ebus,
}  # fmt: skip


def _counting(name: str, taken: Counter[str], wrong: Counter[str]) -> Out:
    def count(told: dict[str, Any]) -> None:
        taken[name] += 1
        wrong[name] += bool(told.get("problems") or told.get("faults") or told.get("problem"))

    return count


async def serve(names: list[str], delay_s: float, slow: str, refusing: str) -> dict[str, dict[str, int]]:
    taken, wrong, ports = Counter[str](), Counter[str](), {}
    for name in names:
        start = _refusing if name == refusing else STATIONS[name]
        ports[name] = await start(name, _counting(name, taken, wrong), SLOW_S if name == slow else delay_s)
    print(json.dumps(ports), flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    return {"taken": dict(taken), "wrong": dict(+wrong)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="+", choices=list(STATIONS))
    parser.add_argument("--delay", type=float, default=0.005)
    parser.add_argument("--slow", default="")
    parser.add_argument("--refusing", default="")
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        seen = runner.run(serve(given.names, given.delay, given.slow, given.refusing))
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main()
