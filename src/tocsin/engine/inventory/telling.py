"""Inventories and health events as a service cloud is told of them, in its two profiles. Pure (connectors.md 1.2).

Same devices, same bytes: devices by id, keys in one order, nothing that depends on when it is rendered.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from msgspec import Struct

from tocsin.engine.inventory.normal import instant_text
from tocsin.model.canonical import DeviceRecord, Health, KeptDevice, Removal, Run
from tocsin.model.event import Event, HealthNotice, SourceNotice
from tocsin.model.inventory import HealthState

Profile = Literal["brief", "extended"]
SCHEMA = "1.0"
_ON_THE_WIRE: Mapping[HealthState, str] = {"online": "online", "degraded": "online", "offline": "offline"}
_encode = msgspec.json.Encoder().encode


class Inventory(Struct, frozen=True):
    """The complete set of one system for one customer. `run` is the reading it comes from."""

    system: str
    system_type: str
    customer_id: str
    devices: tuple[KeptDevice, ...]
    removed: tuple[Removal, ...] = ()
    run: Run | None = None


def inventory_of(
    system: str, system_type: str, customer_id: str, kept: Iterable[KeptDevice], run: Run | None = None
) -> Inventory:
    """A customer's part of all that is kept of a system, tombstones included."""
    everything = list(kept)
    devices = [one for one in everything if one.removal is None and one.record.customer_id == customer_id]
    gone = [each for one in everything for each in (*one.left, *([one.removal] if one.removal else []))]
    removed = sorted((one for one in gone if one.customer_id == customer_id), key=lambda one: one.id)
    by_id = sorted(devices, key=lambda one: one.record.id)
    return Inventory(system, system_type, customer_id, tuple(by_id), tuple(removed), run)


class Customers(Struct, frozen=True):
    """`owned`: how many devices each has; the empty name is nobody's. `told`: everyone to be told of an inventory,
    those who lost devices to others first (connectors.md 1.4, rule 4).
    """

    owned: Mapping[str, int] = {}
    told: tuple[str, ...] = ()


def customers_of(kept: Sequence[KeptDevice]) -> Customers:
    losers = {each.customer_id for one in kept for each in one.left}
    gone = {one.removal.customer_id for one in kept if one.removal}
    owned = Counter([one.record.customer_id for one in kept if one.removal is None])
    return Customers(owned, (*sorted(losers - {""}), *sorted((owned.keys() | gone) - losers - {""})))


def inventory_body(inventory: Inventory, profile: Profile) -> bytes:
    """The JSON document of one inventory, whole, in one part."""
    if profile == "brief":
        return _encode({"devices": [brief_device(one) for one in inventory.devices]})
    devices = [_extended_device(inventory, one) for one in inventory.devices]
    removed = [_removed(one) for one in inventory.removed]
    return _encode({"devices": devices, "removed": removed, **_sync(inventory)})


def health_body(event: Event, profile: Profile, customer_in_events: bool = True) -> bytes:
    """The JSON document of one health event. Raises ValueError for an event that brings no health."""
    notice = event.notice
    if not isinstance(notice, HealthNotice):
        raise ValueError(f"event {event.id} says nothing of a device's health")
    body: dict[str, Any] = {
        "device_id": event.device_id,
        "status": notice.status if profile == "extended" else _ON_THE_WIRE.get(notice.status, notice.status),
        "timestamp": instant_text(event.occurred_at),
    }
    if customer_in_events:
        body["customer_id"] = notice.customer_id
    if profile == "extended":
        body |= {
            "event_id": notice.event_id,
            "received_at": instant_text(event.accepted_at),
            **_given(reason=notice.reason, previous=notice.previous),
            "system_id": notice.system,
        }
        attributes = {"flap_count": notice.flaps, "clock_skew_s": notice.skew_s}
        given = {name: value for name, value in attributes.items() if value}
        body |= {"attributes": given} if given else {}
    return _encode(body)


def source_body(event: Event) -> bytes:
    """The JSON document of how a system itself is (connectors.md 1.10). Raises ValueError for any other event."""
    notice = event.notice
    if not isinstance(notice, SourceNotice):
        raise ValueError(f"event {event.id} says nothing of a system")
    return _encode(
        {
            "system_id": notice.system,
            "customer_id": notice.customer_id,
            "source_status": notice.status,
            "since": instant_text(notice.since),
            **_given(
                last_complete_sync=_text(notice.last_complete_sync),
                last_event_at=_text(notice.last_event),
                error=notice.error,
            ),
            "devices_affected": notice.devices,
        }
    )


def events_body(bodies: Sequence[bytes]) -> bytes:
    """Several health events in one document (connectors.md 1.7)."""
    return b'{"events":[' + b",".join(bodies) + b"]}"


def brief_device(one: KeptDevice) -> dict[str, Any]:
    """Key names of the brief; what is not known is left out."""
    record = one.record
    return {
        "id": record.id,
        "name": record.name,
        "type": record.type,
        "customer_id": record.customer_id,
        **_given(status=wire_status(one.health)),
        **_network(record),
        **_given(last_seen=_text(record.last_seen)),
    }


def wire_status(health: Health | None) -> str:
    """`online`, `offline`, or empty when nobody knows."""
    return _ON_THE_WIRE.get(health.state, "") if health else ""


def aged(one: KeptDevice, now: datetime, stale_s: float, confirmed: datetime | None) -> KeptDevice:
    """The device with a state nobody has confirmed for too long as unknown. `confirmed`: when its system last was."""
    health = None if one.health is None else aged_health(one.health, now, stale_s, confirmed)
    return one if health is one.health else msgspec.structs.replace(one, health=health)


def aged_health(health: Health, now: datetime, stale_s: float, confirmed: datetime | None) -> Health:
    if health.state in ("unknown", "disabled"):
        return health
    newest = max(health.as_of, confirmed) if confirmed else health.as_of
    if now - newest <= timedelta(seconds=stale_s):
        return health
    return Health("unknown", health.as_of, health.basis, health.since, "source_unreachable")


def _extended_device(inventory: Inventory, one: KeptDevice) -> dict[str, Any]:
    record = one.record
    source = {
        "system_id": record.system,
        "system_type": inventory.system_type,
        "native_id": record.native_key,
        **_given(parent_id=record.parent_id),
        **({} if record.channel is None else {"channel": record.channel}),
    }
    return {
        "id": record.id,
        "name": record.name,
        "type": record.type,
        **_given(subtype=record.subtype),
        "customer_id": record.customer_id,
        **_given(site_id=record.site_id, status=wire_status(one.health)),
        **_network(record),
        **_given(last_seen=_text(record.last_seen)),
        **({"health": _health(one.health)} if one.health else {}),
        "source": source,
        **({"attributes": dict(sorted(record.attributes.items()))} if record.attributes else {}),
    }


def _network(record: DeviceRecord) -> dict[str, str]:
    return _given(mac_address=record.mac_address, ip=record.ip, hostname=record.hostname, location=record.location)


def _health(health: Health) -> dict[str, str]:
    return {
        "state": health.state,
        **_given(since=_text(health.since)),
        "as_of": instant_text(health.as_of),
        **_given(reason=health.reason or ""),
        "basis": health.basis,
        **_given(detail=health.detail),
    }


def _removed(one: Removal) -> dict[str, str]:
    return {
        "id": one.id,
        "customer_id": one.customer_id,
        "removed_at": instant_text(one.removed_at),
        "reason": one.reason,
    }


def _sync(inventory: Inventory) -> dict[str, Any]:
    run = inventory.run
    if run is None:
        return {}
    told = {
        "id": run.id,
        "system_id": inventory.system,
        "mode": "full",
        "part": 1,
        "parts": 1,
        "complete": run.state == "succeeded",
        "total": len(inventory.devices),
        "started_at": instant_text(run.started_at),
        **_given(finished_at=_text(run.finished_at)),
        "trigger": run.trigger,
        "schema": SCHEMA,
    }
    return {"sync": told}


def _given(**texts: str) -> dict[str, str]:
    """Only what is known: no empty value reaches the wire."""
    return {name: text for name, text in texts.items() if text}


def _text(instant: datetime | None) -> str:
    return instant_text(instant) if instant else ""
