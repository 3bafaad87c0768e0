"""The demo's roll call: one event of every kind, and a table of what each station understood.

Each kind comes from a device of its own, so that a station's record of it can be told from all others.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

from tocsin.model.kinds import Kind

KINDS: tuple[str, ...] = get_args(Kind)
ACCOUNT = "9281"
WIDTH = 16
_PRESENT = "-"

Told = tuple[str, str]
"""The roll number, two digits, and the code or word; both "" where a record is of something else."""


def device_id(kind: str) -> str:
    return f"roll-{_number(kind)}"


def _number(kind: str) -> str:
    return f"{KINDS.index(kind) + 1:02d}"


def devices() -> Iterator[str]:
    """The devices as TOML: each with an address at every type of station."""
    for kind in KINDS:
        n = _number(kind)
        tokens = (
            f"SIA:#{ACCOUNT}|00-0{n}", f"Surgard:#{ACCOUNT}|00-0{n}", f"MicroKey:#{ACCOUNT}|00-0{n}",
            f"Manitou:#{ACCOUNT}-{n}", f"Stages:L1#{ACCOUNT}-{n}", f"Json:#{ACCOUNT}-0{n}", f"EBUS:roll-{n}",
            f"Immix:S{ACCOUNT}{n}", f"Sentinel:{ACCOUNT}{n}", f"Patriot:{ACCOUNT}-{n}",
            f"SureView:roll{n}@us.sureviewops.example.net", f"Email:roll{n}@example.net",
        )  # fmt: skip
        description = ", ".join(tokens)
        yield f'[[devices]]\nid = "roll-{n}"\nname = "Roll {n}"\narea = "North depot"\ndescription = "{description}"\n'


class RollCall:
    """What each station said it received, by station and kind."""

    def __init__(self) -> None:
        self._heard: dict[str, dict[str, str]] = {}

    def note(self, station: str, record: dict[str, Any]) -> None:
        number, word = _READERS[station](record)
        if number.isdigit() and 0 < int(number) <= len(KINDS):
            self._heard.setdefault(station, {})[KINDS[int(number) - 1]] = word or _PRESENT

    def missing(self, owed: dict[str, set[str]]) -> list[str]:
        """`owed`: kinds by station. What was owed and did not come, in words."""
        return [
            f"{kind} did not reach {station}"
            for station, kinds in owed.items()
            for kind in sorted(kinds - set(self._heard.get(station, {})), key=KINDS.index)
        ]

    def table(self, stations: Sequence[str], refused: dict[str, dict[str, str]]) -> Iterator[str]:
        """Kind by station with the code or word received. `refused`: why a kind was not sent, by station and kind."""
        for start in range(0, len(stations), 7):
            some = stations[start : start + 7]
            yield ""
            yield f"{'kind':27}" + "".join(f"{name:{WIDTH}}" for name in some)
            for kind in KINDS:
                words = [self._heard.get(name, {}).get(kind, "") for name in some]
                shown = [
                    word or ("(off)" if kind in refused.get(name, {}) else "MISSING")
                    for name, word in zip(some, words, strict=True)
                ]
                yield f"{kind:27}" + "".join(f"{word[: WIDTH - 1]:{WIDTH}}" for word in shown)
        yield ""
        reasons = {f"{kind}: {why}" for each in refused.values() for kind, why in each.items()}
        yield from (f"(off) {reason}" for reason in sorted(reasons))


def _dc09(record: dict[str, Any]) -> Told:
    found = re.fullmatch(
        rf"#{ACCOUNT}\|(?:N(?:ri0?0?/?)?([A-Z]{{2}})0(\d\d)|(\d{{4}}) 00 0(\d\d))", str(record["data"])
    )
    return (found[2] or found[4], found[1] or found[3]) if found else ("", "")


def _surgard(record: dict[str, Any]) -> Told:
    own = record["account"] == ACCOUNT
    code = {"1": "E", "3": "R", "6": "P"}.get(record["code"][:1], "") + record["code"][1:]
    return (record["zone"][-2:], code) if own else ("", "")


def _manitou(record: dict[str, Any]) -> Told:
    signal = record["signal"]
    return (signal.get("Zone", ""), signal.get("Event", "")) if signal.get("TXID") == ACCOUNT else ("", "")


def _stages(record: dict[str, Any]) -> Told:
    signal = record["signal"]
    code = signal.get("SignalCode", "")
    return (code[-2:], code[:4]) if signal.get("Account") == ACCOUNT else ("", "")


def _osap(record: dict[str, Any]) -> Told:
    return _of_device(record["correlation"]["device_id"]), record["event"]["code"]


def _webhook(record: dict[str, Any]) -> Told:
    return _of_device(record["device"]), record["event_type"] or record["event_name"]


def _of_device(device: str) -> str:
    return device.removeprefix("roll-") if device.startswith("roll-") else ""


def _ebus(record: dict[str, Any]) -> Told:
    found = re.search(r"^Alarm: (.*)$", record["text"].replace("\r", ""), re.MULTILINE)
    return _of_device(record["path"].partition("/")[0]), found[1] if found else ""


def _immix(record: dict[str, Any]) -> Told:
    return _behind(record["to"][0], f"S{ACCOUNT}"), record["understood"].get("EventType", "")


def _sentinel(record: dict[str, Any]) -> Told:
    return _behind(record["understood"].get("SiteID", ""), ACCOUNT), record["understood"].get("Event", "")


def _patriot(record: dict[str, Any]) -> Told:
    return _behind(record["understood"].get("client", ""), f"{ACCOUNT}-"), record["understood"].get("type", "")


def _sureview(record: dict[str, Any]) -> Told:
    return _behind(record["to"][0], "roll"), record["understood"].get("shown", "").partition(",")[0]


def _email(record: dict[str, Any]) -> Told:
    return _behind(record["to"][0], "roll"), record["subject"].partition("] ")[2].partition(" - ")[0]


def _behind(text: str, prefix: str) -> str:
    return text.removeprefix(prefix).partition("@")[0][:2] if text.startswith(prefix) else ""


_READERS: dict[str, Callable[[dict[str, Any]], Told]] = {
    "arc": _dc09, "arc-encrypted": _dc09, "surgard": _surgard, "microkey": _surgard, "manitou": _manitou,
    "stages": _stages, "osap": _osap, "webhook": _webhook, "ebus": _ebus, "immix": _immix, "sentinel": _sentinel,
    "patriot": _patriot, "sureview": _sureview, "email": _email,
}  # fmt: skip
