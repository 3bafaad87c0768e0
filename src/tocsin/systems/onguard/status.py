"""Hardware status words (connectors.md 5.7), and what hangs on a device that is off. Pure."""

import tomllib
from importlib.resources import files

import msgspec
from msgspec import Struct

from tocsin.model.inventory import Basis, FoundState, HealthState, Reason

ONLINE = 0x1


class Bit(Struct, frozen=True):
    """One row of status.toml."""

    bit: int
    text: str
    reason: Reason | None = None


class Health(Struct, frozen=True):
    """What is known of one device."""

    state: HealthState
    reason: Reason | None = None
    detail: str = ""


UNTOLD = Health("unknown", "never_reported")
FROZEN = Health("unknown", "source_unreachable", "its communication server does not answer")


def _table(name: str) -> tuple[Bit, ...]:
    text = files(__package__).joinpath("status.toml").read_text(encoding="utf-8")
    return msgspec.convert(tuple(tomllib.loads(text)[name]), tuple[Bit, ...])


_PANEL, _READER = _table("panel"), _table("reader")
_TABLES = {"panel": _PANEL, "alarm_panel": _PANEL, "reader": _READER}
ASKED = frozenset(_TABLES)
"""The kinds that have a status word with an online bit."""


def health(kind: str, word: int) -> Health:
    """Of a panel, alarm panel or reader."""
    if not word & ONLINE:
        return Health("offline", "bit_offline")
    bits = [row for row in _TABLES[kind] if word & row.bit]
    reason = next((row.reason for row in bits if row.reason), None)
    return Health("degraded" if reason else "online", reason or "bit_online", ", ".join(row.text for row in bits))


def by_flag(online: object) -> Health:
    """By `IsOnline` of a panel or `is_online` of a recorder."""
    if not isinstance(online, bool | int):
        return UNTOLD
    return Health("online", "bit_online") if online else Health("offline", "bit_offline")


def inherited(parent: Health, cascade: bool) -> Health:
    """What is to be said of a device that cannot be asked itself, or is not to be asked because its parent is off."""
    if parent.state in ("online", "degraded"):
        return Health("online", "bit_online")
    if parent.state == "offline" and cascade:
        return Health("offline", "panel_offline")
    return Health("unknown", "parent_unknown")


def is_frozen(believed_online: bool, updates_of_its_server: list[bool]) -> bool:
    """Whether a panel's bits are only what they last were (connectors.md 5.9): its communication server takes no
    request for any of its panels.
    """
    return believed_online and bool(updates_of_its_server) and not any(updates_of_its_server)


def found(kind: str, key: str, what: Health, own: bool = True, hinted: bool = False) -> FoundState:
    """`own`: from its own status word, which OnGuard declares, not derived from its parent's."""
    basis: Basis = "inherited" if not own else "event" if hinted else "state_snapshot"
    return FoundState(kind, key, what.state, what.reason, basis, detail=what.detail)
