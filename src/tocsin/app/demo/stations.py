"""The stand-in stations of the demo, one for each destination of demo.toml."""

import random
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

from tocsin.app.demo.rollcall import RollCall
from tocsin.engine.clock import LoopClock
from tocsin.standins import dc09, ftpes, manitou, osap, smtp, stages, surgard, webhook
from tocsin.standins.mail_readers import Reads

Record = dict[str, Any]
STATION_KEY = b"tocsin demo key?"
LOGIN = "stand-in"
_MAILS: dict[str, Reads] = {
    "immix": "immix",
    "sentinel": "sentinel",
    "patriot": "patriot",
    "sureview": "sureview",
    "email": "",
}


class Stations:
    """`seen` counts what each has acknowledged, repeats and polls left out; `ports` are where they listen. `witness` is
    shown each of these messages.
    """

    def __init__(self, witness: Callable[[str, Record], None]) -> None:
        self._witness = witness
        self.seen: Counter[str] = Counter()
        self.ports: dict[str, str] = {}
        self.roll = RollCall()

    async def start(self, stack: AsyncExitStack) -> None:
        clock, chance = LoopClock(), random.SystemRandom()
        login = ftpes.FtpSwitches(user="ebus", password=LOGIN)
        key = osap.Demands(api_key=LOGIN)
        made: dict[str, Any] = {
            "arc": dc09.Station(clock, chance, self._counting("arc")),
            "arc-encrypted": dc09.Station(clock, chance, self._counting("arc-encrypted"), {"*": STATION_KEY}),
            "surgard": surgard.Host(clock, self._counting("surgard")),
            "microkey": surgard.Host(clock, self._counting("microkey"), name="microkey"),
            "manitou": manitou.ManitouStandin(clock, self._counting("manitou")),
            "stages": stages.StagesStandin("127.0.0.1:0", self._counting("stages"), clock).web,
            "osap": osap.OsapStandin("127.0.0.1:0", self._counting("osap"), clock, key).web,
            "webhook": webhook.WebhookStandin("127.0.0.1:0", self._counting("webhook"), clock),
            "ebus": ftpes.FtpStandin("127.0.0.1:0", self._counting("ebus"), clock, login),
        }
        for name, reads in _MAILS.items():
            switches = smtp.MailSwitches(reads=reads)
            made[name] = smtp.MailStandin("127.0.0.1:0", self._counting(name), clock, switches)
        for name, station in made.items():
            self.ports[name.replace("-", "_")] = str(await station.start())
            stack.push_async_callback(station.aclose)

    def _counting(self, name: str) -> Callable[[Record], None]:
        taken = _TAKEN.get(name, _mail)

        def count(record: Record) -> None:
            if taken(record):
                self.seen[name] += 1
                self.roll.note(name, record)
                self._witness(name, record)

        return count


def _dc09(record: Record) -> bool:
    return record["answer"] == "ACK" and record.get("token") != "NULL" and not record["repeat"]


def _surgard(record: Record) -> bool:
    """Two alarms of one zone are the same record (surgard.md 2): what the stand-in takes for a repeat counts too."""
    return bool(record["answer"] == "ACK" and record["kind"] != "heartbeat")


def _manitou(record: Record) -> bool:
    return record["answer"] == "ack" and not record["heartbeat"] and not record["repeat"]


def _stages(record: Record) -> bool:
    return bool(record["status"] == 200 and record["signal"].get("PollMessageFlag") == "false")


def _osap(record: Record) -> bool:
    return record["status"] == 202 and not record["repeat"]


def _webhook(record: Record) -> bool:
    return record["status"] == 200 and not record["duplicate"]


def _ebus(record: Record) -> bool:
    return bool(record["kind"] == "set")


def _mail(record: Record) -> bool:
    return str(record["answer"]).startswith("250") and not record["duplicate"]


_TAKEN: dict[str, Callable[[Record], bool]] = {
    "arc": _dc09,
    "arc-encrypted": _dc09,
    "surgard": _surgard,
    "microkey": _surgard,
    "manitou": _manitou,
    "stages": _stages,
    "osap": _osap,
    "webhook": _webhook,
    "ebus": _ebus,
}
"""Whether a record is a message that was taken for the first time, by station; the others take mail."""
