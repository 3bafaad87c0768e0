"""Logged events (connectors.md 5.8): what a row says, what it points to, and which become alarms. Pure."""

import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from hashlib import blake2b
from importlib.resources import files
from typing import Any

import msgspec
from msgspec import Struct

from tocsin.engine.contracts import Submission
from tocsin.engine.event_times import system_time
from tocsin.model.event import NOWHERE, Event, Place
from tocsin.model.kinds import Kind, State
from tocsin.protocols.text import one_line

NUMBERS = ("serial_number", "controller_id", "device_id", "subdevice_id")
TEXTS = ("description", "event_text", "controller_name", "device_name", "subdevice_name")
_LONGEST = 200


class LoggedEvent(Struct, frozen=True):
    """One row. Numbers that are missing are 0, texts empty; `at` is aware UTC. People's names are not taken over."""

    serial_number: int = 0
    controller_id: int = 0
    device_id: int = 0
    subdevice_id: int = 0
    description: str = ""
    event_text: str = ""
    controller_name: str = ""
    device_name: str = ""
    subdevice_name: str = ""
    at: datetime | None = None

    def says(self, part: str) -> bool:
        """In any case; the event's text and its description."""
        return part.lower() in f"{self.description}\n{self.event_text}".lower()


class Meaning(Struct, frozen=True):
    """One row of events.toml."""

    part: str
    kind: Kind
    state: State = "new"


_MEANINGS = msgspec.convert(
    tuple(tomllib.loads(files(__package__).joinpath("events.toml").read_text(encoding="utf-8"))["texts"]),
    tuple[Meaning, ...],
)


def meanings(own: Mapping[str, Kind]) -> tuple[Meaning, ...]:
    """The site's own first."""
    return (*(Meaning(part, kind) for part, kind in own.items()), *_MEANINGS)


def read_event(row: Mapping[str, Any], zone: tzinfo, names: Mapping[str, str] | None = None) -> LoggedEvent | None:
    """`names`: what fields are called where it is not as in logged events; `zone` is for times without one. None for
    a row that names nothing at all.
    """
    called = names or {}
    told = {name: row.get(called.get(name, name)) for name in (*NUMBERS, *TEXTS, "timestamp")}
    values: dict[str, Any] = {name: _number(told[name]) for name in NUMBERS}
    values |= {name: _text(told[name]) for name in TEXTS}
    if not any(values.values()):
        return None
    return LoggedEvent(**values, at=_instant(told["timestamp"], zone))


def points_at(event: LoggedEvent, hints: Sequence[str]) -> bool:
    """Whether the state of its device may have changed; the status word decides."""
    return bool(event.controller_id) and any(event.says(part) for part in hints)


def meaning_of(event: LoggedEvent, rows: Sequence[Meaning], kinds: Collection[str]) -> Meaning | None:
    """None for what is not to become an alarm."""
    found = next((row for row in rows if event.says(row.part)), None)
    return found if found is not None and found.kind in kinds else None


Knows = Callable[[str, str], bool]
"""Whether the inventory has a device of this kind and native key."""


def device_of(event: LoggedEvent, knows: Knows) -> tuple[str, str]:
    """Kind and native key of what an event is about: the nearest device that is known, else its panel."""
    panel, device, below = event.controller_id, event.device_id, event.subdevice_id
    candidates = [
        *[(kind, f"{panel}-{device}-{below}") for kind in ("input", "output") if below],
        *[(kind, f"{panel}-{device}") for kind in ("reader", "alarm_panel", "camera") if device],
    ]
    return next((one for one in candidates if knows(*one)), ("panel", str(panel)))


def submission(
    system: str, area: str, event: LoggedEvent, means: Meaning, device: tuple[str, str], now: datetime
) -> Submission:
    """Under an id made of the event itself, so that one that comes twice is kept once."""
    occurred, flags = system_time(event.at, now)
    told = blake2b(msgspec.msgpack.encode(event), digest_size=16)
    made = Event(
        id=f"onguard-{event.controller_id}-{event.serial_number}-{told.hexdigest()}",
        kind=means.kind,
        state=means.state,
        occurred_at=occurred,
        accepted_at=now,
        source=system,
        device_id=f"{system}:{device[0]}:{device[1]}" if event.controller_id else "",
        place=Place(area=area) if area else NOWHERE,
        text=_said(event),
        flags=flags,
    )
    return Submission(made, digest=told.digest())


def _said(event: LoggedEvent) -> str:
    where = event.subdevice_name or event.device_name or event.controller_name
    return ": ".join(part for part in (where, event.description or event.event_text) if part)


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63 else 0


def _text(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    return one_line(value, _LONGEST)


def _instant(value: Any, zone: tzinfo) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        return at and (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
