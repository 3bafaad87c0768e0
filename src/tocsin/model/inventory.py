"""What is known of the devices of on-prem systems: facts as a connector reads them (connectors.md 1)."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from tocsin.model.command import Order

DeviceType = Literal[
    "camera", "access_control", "door", "intrusion", "intercom", "audio", "io", "recorder", "hardware", "other"
]
"""connectors.md 1.5."""
HealthState = Literal["online", "offline", "degraded", "disabled", "unknown"]
Basis = Literal["event", "state_snapshot", "poll", "inherited"]
Reason = Literal[
    "communication_started", "communication_lost", "communication_stopped", "hardware_error", "panel_offline",
    "bit_online", "bit_offline", "probe_ok", "probe_timeout", "probe_refused", "auth_failed", "parent_unknown",
    "source_unreachable", "never_reported", "disabled", "tamper", "power_fail", "low_battery", "firmware_download",
    "options_mismatch", "readhead_offline",
]  # fmt: skip
"""connectors.md 1.6: a closed list."""
SourceStatus = Literal["ok", "degraded", "unreachable", "auth_failed", "licence_refused", "misconfigured", "starting"]
"""connectors.md 1.10."""


class FoundDevice(Struct, frozen=True, gc=False):
    """One device as its system describes it, not yet normalised nor given to a customer.

    `kind` and `native_key` make the identity (connectors.md 1.4): `kind` is the system's own, such as `camera`,
    `reader`, `panel`. `address` is whatever the source writes, an IP, a name or a URL; `macs` are raw texts. Texts are
    raw. `parent` is the (kind, native key) of the box, panel or recorder it hangs on. `attributes` are picked by
    allow-list: never secrets or user names. `orders`: what the system can be told to do with it.
    """

    kind: str
    native_key: str
    name: str
    type: DeviceType
    subtype: str = ""
    macs: tuple[str, ...] = ()
    address: str = ""
    hostname: str = ""
    location: str = ""
    site_id: str = ""
    parent: tuple[str, str] | None = None
    channel: int | None = None
    enabled: bool = True
    last_seen: datetime | None = None
    attributes: dict[str, str | int | float | bool] = {}
    orders: tuple[Order, ...] = ()


class Note(Struct, frozen=True):
    """Something a reading met that makes its snapshot incomplete (`partial`) or is worth a line to a technician."""

    text: str
    partial: bool = False


class FoundState(Struct, frozen=True, gc=False):
    """The state of one device as its system tells it. `since` is the source's own time where it gives one."""

    kind: str
    native_key: str
    state: HealthState
    reason: Reason | None = None
    basis: Basis = "event"
    since: datetime | None = None
    detail: str = ""


Marker = Literal["new_session", "resumed", "blind", "live"]
"""What happened to a stream of states: after `new_session` a baseline is to be read; while `blind` nothing is known."""
