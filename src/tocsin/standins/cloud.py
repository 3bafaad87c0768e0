"""A stand-in of a service cloud: strict by the schemas of connectors.md 1.11, and remembers what a receiver would.

It takes inventories at /inventory, health events at /health, how systems themselves are at /sources (extended), and
shows what it knows at GET /state.
"""

import hashlib
import hmac
import ssl
from collections.abc import Mapping
from datetime import datetime
from ipaddress import ip_address
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, Struct, UnsetType

from tocsin.engine.contracts import Clock
from tocsin.standins.web_service import Examined, Out, Reply, WebService

REMEMBERED = 100_000
Profile = Literal["brief", "extended"]
_Form = TypeVar("_Form")
_Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:@-]+\Z", min_length=1, max_length=200)]
_Customer = Annotated[str, Meta(min_length=1, max_length=128)]
_Short = Annotated[str, Meta(min_length=1, max_length=200)]
_Instant = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z\Z")]
_Mac = Annotated[str, Meta(pattern=r"^([0-9A-F]{2}:){5}[0-9A-F]{2}\Z")]
_Type = Literal[
    "camera", "access_control", "door", "intrusion", "intercom", "audio", "io", "recorder", "hardware", "other"
]


class BriefDevice(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    id: _Id
    name: _Short
    type: _Type
    customer_id: _Customer
    status: Literal["online", "offline"] | UnsetType = UNSET
    mac_address: _Mac | UnsetType = UNSET
    ip: str | UnsetType = UNSET
    hostname: Annotated[str, Meta(min_length=1, max_length=253)] | UnsetType = UNSET
    location: _Short | UnsetType = UNSET
    last_seen: _Instant | UnsetType = UNSET


class ExtendedDevice(BriefDevice, frozen=True, forbid_unknown_fields=True, kw_only=True):
    subtype: str | UnsetType = UNSET
    site_id: str | UnsetType = UNSET
    health: dict[str, str] | UnsetType = UNSET
    source: dict[str, str | int] | UnsetType = UNSET
    attributes: dict[str, str | int | float | bool] | UnsetType = UNSET


class Removed(Struct, frozen=True, forbid_unknown_fields=True):
    id: _Id
    customer_id: _Customer
    removed_at: _Instant
    reason: Literal["absent_from_source", "excluded_by_rule", "customer_changed", "system_removed"] | UnsetType = UNSET


class Sync(Struct, frozen=True):
    id: str
    system_id: str
    part: Annotated[int, Meta(ge=1)]
    parts: Annotated[int, Meta(ge=1)]
    total: Annotated[int, Meta(ge=0)]


class BriefInventory(Struct, frozen=True, forbid_unknown_fields=True):
    devices: list[BriefDevice]


class ExtendedInventory(Struct, frozen=True, forbid_unknown_fields=True):
    devices: list[ExtendedDevice]
    removed: list[Removed] = []
    sync: Sync | UnsetType = UNSET


class BriefHealth(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    device_id: _Id
    status: Literal["online", "offline"]
    timestamp: _Instant
    customer_id: _Customer | UnsetType = UNSET


class ExtendedHealth(Struct, frozen=True, kw_only=True):
    device_id: _Id
    status: Literal["online", "offline", "degraded", "unknown", "disabled"]
    timestamp: _Instant
    customer_id: _Customer | UnsetType = UNSET
    event_id: Annotated[str, Meta(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]


class SourceState(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a system itself is (connectors.md 1.10)."""

    system_id: _Short
    customer_id: _Customer
    source_status: Literal[
        "ok", "degraded", "unreachable", "auth_failed", "licence_refused", "misconfigured", "starting"
    ]
    since: _Instant
    devices_affected: Annotated[int, Meta(ge=0)]
    last_complete_sync: _Instant | UnsetType = UNSET
    last_event_at: _Instant | UnsetType = UNSET
    error: str | UnsetType = UNSET


INVENTORIES: Mapping[Profile, type[BriefInventory] | type[ExtendedInventory]] = {
    "brief": BriefInventory,
    "extended": ExtendedInventory,
}
HEALTHS: Mapping[Profile, type[BriefHealth] | type[ExtendedHealth]] = {
    "brief": BriefHealth,
    "extended": ExtendedHealth,
}
Inventory = BriefInventory | ExtendedInventory
Health = BriefHealth | ExtendedHealth


class Invalid(ValueError):
    """A body the schemas do not allow; the text says what."""


def read_inventory(body: bytes, profile: Profile) -> Inventory:
    """Raises Invalid."""
    found = _read(body, INVENTORIES[profile])
    ids = [device.id for device in found.devices]
    if len(set(ids)) < len(ids):
        raise Invalid("two devices have the same id")
    for device in found.devices:
        if device.last_seen is not UNSET:
            _is_instant(device.last_seen)
        try:
            ip_address("192.0.2.1" if device.ip is UNSET else device.ip)
        except ValueError:
            raise Invalid(f"ip of {device.id} is {device.ip!r}") from None
    return found


def read_health(body: bytes, profile: Profile) -> Health:
    """Raises Invalid."""
    found = _read(body, HEALTHS[profile])
    _is_instant(found.timestamp)
    return found


def read_healths(body: bytes, profile: Profile) -> list[Health]:
    """One event, or several as `{"events": […]}`. Raises Invalid."""
    if not body.startswith(b'{"events":'):
        return [read_health(body, profile)]
    return [read_health(one, profile) for one in _read(body, _Several).events]


class _Several(Struct, frozen=True, forbid_unknown_fields=True):
    events: Annotated[list[msgspec.Raw], Meta(min_length=1)]


def read_source(body: bytes) -> SourceState:
    """Raises Invalid."""
    found = _read(body, SourceState)
    _is_instant(found.since)
    return found


def _read(body: bytes, form: type[_Form]) -> _Form:
    """What is not known is left out: null is no value of any key."""
    try:
        return msgspec.json.decode(body, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(str(error)) from None


def _is_instant(text: str) -> None:
    """Raises Invalid: the schema's form also fits a thirteenth month."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{text!r} is no instant") from None


class Known(Struct):
    """What the cloud knows of one device."""

    name: str
    type: str
    customer_id: str
    status: str = ""
    changed_at: str = ""


class Records:
    """What a receiver keeps: devices, their newest status, and what it has taken already."""

    def __init__(self) -> None:
        self.devices: dict[str, Known] = {}
        self.sources: dict[str, str] = {}
        """How each system is, by system and customer."""
        self.early: dict[str, str] = {}
        """Statuses of devices that no inventory has named yet."""
        self._taken: dict[str, bytes] = {}

    def repeated(self, key: str, body: bytes) -> bool | None:
        """Whether it was taken before; None when the same key came with something else."""
        digest = hashlib.sha256(body).digest()
        if key not in self._taken:
            return False
        return True if self._taken[key] == digest else None

    def took(self, key: str, body: bytes) -> None:
        if len(self._taken) >= REMEMBERED:
            self._taken.pop(next(iter(self._taken)))
        self._taken[key] = hashlib.sha256(body).digest()

    def take_inventory(self, inventory: Inventory) -> dict[str, int]:
        """How many devices were added, changed and removed."""
        before, counts = dict(self.devices), {"added": 0, "changed": 0, "removed": 0}
        for device in inventory.devices:
            known = before.get(device.id)
            status, changed_at = (known.status, known.changed_at) if known else (self.early.pop(device.id, ""), "")
            now = Known(device.name, device.type, device.customer_id, device.status or status, changed_at)
            counts["added" if known is None else "changed"] += known != now
            self.devices[device.id] = now
        for id_ in self._gone(inventory):
            counts["removed"] += self.devices.pop(id_, None) is not None
        return counts

    def _gone(self, inventory: Inventory) -> list[str]:
        """Brief: whoever is absent from a customer's and system's complete set (connectors.md 2.3)."""
        if isinstance(inventory, ExtendedInventory):
            return [
                one.id
                for one in inventory.removed
                if one.id in self.devices and self.devices[one.id].customer_id == one.customer_id
            ]
        named = {device.id for device in inventory.devices}
        whole = {(device.customer_id, _system(device.id)) for device in inventory.devices}
        return [
            id_
            for id_, known in self.devices.items()
            if id_ not in named and (known.customer_id, _system(id_)) in whole
        ]

    def take_health(self, event: Health) -> str:
        """What is odd about it; empty for nothing."""
        known = self.devices.get(event.device_id)
        if known is None:
            self.early[event.device_id] = event.status
            return "no inventory has named this device yet"
        if known.changed_at and datetime.fromisoformat(event.timestamp) < datetime.fromisoformat(known.changed_at):
            return f"older than what is known, {known.status} since {known.changed_at}"
        known.status, known.changed_at = event.status, event.timestamp
        if event.customer_id not in (UNSET, known.customer_id):
            return f"customer {event.customer_id}, but the inventory says {known.customer_id}"
        return ""


class Demands(Struct, frozen=True):
    """`token` empty: not asked for. `refused`: devices that are answered 400. `several`: `{"events": […]}` is taken."""

    profile: Profile = "brief"
    token: str = ""
    refused: tuple[str, ...] = ()
    several: bool = False


ANYBODY = Demands()


class CloudStandin:
    """`records` is what it knows; `web` holds its listening and its misbehaviour."""

    def __init__(
        self, listen: str, out: Out, clock: Clock, demands: Demands = ANYBODY, tls: ssl.SSLContext | None = None
    ) -> None:
        self._clock = clock
        self._demands = demands
        self.records = Records()
        self.web = WebService(listen, out, self._examined, tls)

    def demand(self, demands: Demands) -> None:
        """From now on."""
        self._demands = demands

    def _examined(self, request: web.Request, body: bytes) -> Examined:
        key = request.headers.get("Idempotency-Key", "")
        told: dict[str, Any] = {
            "station": "cloud",
            "at": self._clock.now().isoformat(timespec="milliseconds"),
            "peer": request.remote or "",
            "request": f"{request.method} {request.path}",
            "key": key,
        }
        if not self._logged_in(request):
            return Examined(told | {"problems": ["the token is wrong or missing"]}, Reply(401))
        if request.method == "GET" and request.path == "/state":
            return Examined(told, Reply(200, self._state(), (("Content-Type", "application/json"),)))
        if request.method != "POST" or request.path not in self._paths():
            known = ", ".join(f"POST {path}" for path in self._paths())
            return Examined(told | {"problems": [f"known are {known}, GET /state"]}, Reply(404))
        try:
            return Examined(*self._taken(told, request, body, key))
        except Invalid as error:
            return Examined(told | {"problems": [str(error)]}, Reply(400, str(error).encode("utf-8", "replace")))

    def _paths(self) -> Mapping[str, str]:
        """With what their Idempotency-Keys begin."""
        extended = {"/sources": "src:"} if self._demands.profile == "extended" else {}
        return {"/inventory": "inv:", "/health": "evt:", **extended}

    def _taken(self, told: dict[str, Any], request: web.Request, body: bytes, key: str) -> tuple[dict[str, Any], Reply]:
        prefix = self._paths()[request.path]
        if not request.headers.get("Content-Type", "").startswith("application/json"):
            raise Invalid("Content-Type is not application/json")
        if not key.startswith(prefix):
            raise Invalid(f"Idempotency-Key is {key!r}, expected {prefix}…")
        found = self._read(request.path, body)
        told |= {
            "said": msgspec.json.decode(body),
            "packing": request.headers.get("Content-Encoding", ""),
            "problems": [],
        }
        repeated = self.records.repeated(key, body)
        note = "the same Idempotency-Key with another body" if repeated is None else ""
        if repeated:
            return told | {"repeat": True}, Reply(200, b'{"repeat":true}')
        return told | self._applied(found, key, body, note), Reply(200, b"{}")

    def _read(self, path: str, body: bytes) -> Inventory | SourceState | list[Health]:
        profile, refused = self._demands.profile, self._demands.refused
        if path == "/sources":
            return read_source(body)
        if path == "/health":
            events = read_healths(body, profile) if self._demands.several else [read_health(body, profile)]
            for event in events:
                if event.device_id in refused:
                    raise Invalid(f"{event.device_id} is refused, as told")
            return events
        inventory = read_inventory(body, profile)
        if any(device.id in refused for device in inventory.devices):
            raise Invalid("an inventory with a device that is refused, as told")
        return inventory

    def _applied(
        self, found: Inventory | SourceState | list[Health], key: str, body: bytes, note: str
    ) -> dict[str, Any]:
        """What is refused on command is not taken; what is taken may still miss its answer."""
        planned = self.web.scripted[0] if self.web.scripted else self.web.always
        if planned is not None and planned.reply is not None:
            return {"taken": False}
        self.records.took(key, body)
        if isinstance(found, SourceState):
            self.records.sources[f"{found.system_id} {found.customer_id}"] = found.source_status
            return {"taken": True, "note": note}
        if isinstance(found, list):
            odd = [said for event in found if (said := self.records.take_health(event))]
            return {"taken": True, "note": "; ".join(odd) or note}
        return {"taken": True, "devices": self.records.take_inventory(found), "note": note}

    def _logged_in(self, request: web.Request) -> bool:
        given, wanted = request.headers.get("Authorization", ""), f"Bearer {self._demands.token}"
        return not self._demands.token or hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())

    def _state(self) -> bytes:
        return msgspec.json.encode(
            {
                "devices": dict(sorted(self.records.devices.items())),
                "early": self.records.early,
                "sources": self.records.sources,
            }
        )


def _system(device_id: str) -> str:
    """connectors.md 1.4: `{system_id}:{kind}:{native key}`."""
    return device_id.partition(":")[0]
