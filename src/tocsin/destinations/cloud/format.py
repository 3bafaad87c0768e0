"""Health events and inventories as a service cloud reads them (connectors.md 1.2, 1.7, 2.4). Pure.

Same facts, same bytes: keys stand in one order, what is not known is left out.
"""

import gzip
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tocsin.destinations.cloud.settings import CloudSettings
from tocsin.destinations.webhook.format import event_guid
from tocsin.engine.contracts import Rejected
from tocsin.model.delivery import Due
from tocsin.model.event import Event

GZIP_ABOVE = 16 * 1024
LONGEST_CUSTOMER = 128
_DEVICE_ID = re.compile(r"[A-Za-z0-9._:@-]{1,200}\Z")
_STATUS = {
    ("connection_lost", "new"): "offline",
    ("connection_lost", "restore"): "online",
    ("connection_restored", "new"): "online",
}
_BEFORE = {"offline": "online", "online": "offline"}
_REASON = {"offline": "communication_lost", "online": "communication_started"}
"""connectors.md 1.6."""


class HealthEvent(Struct, frozen=True):
    """From `event_id` on in the profile extended only."""

    device_id: str
    status: str
    timestamp: str
    customer_id: str | UnsetType = UNSET
    event_id: str | UnsetType = UNSET
    received_at: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    previous: str | UnsetType = UNSET
    system_id: str | UnsetType = UNSET
    seq: int | UnsetType = UNSET


def unsupported(event: Event) -> str:
    """Why a cloud is not told of this event; empty when it is."""
    if event.kind not in ("connection_lost", "connection_restored"):
        return f"a service cloud is told of devices going offline and online, not of {event.kind}"
    if not event.device_id:
        return f"{event.kind} without a device: a service cloud is told of devices only"
    if (event.kind, event.state) not in _STATUS:
        return f"{event.kind} with state {event.state} is no change: a service cloud is told of changes only"
    return ""


def problem(settings: CloudSettings, event: Event) -> str:
    """What keeps the event from being told, with the remedy; empty when nothing does."""
    if not _DEVICE_ID.match(event.device_id):
        return f"the device id {event.device_id!r} cannot be told: 1 to 200 of A-Z a-z 0-9 . _ : @ - are allowed"
    if settings.customer_in_events and not 1 <= len(event.place.customer_id) <= LONGEST_CUSTOMER:
        return (
            f"{event.device_id} has no customer_id of 1 to {LONGEST_CUSTOMER} characters: give the device one, "
            f"or set customer_in_events = false in [[destinations]] {settings.name}"
        )
    return ""


def health_body(settings: CloudSettings, due: Due, gateway: str) -> bytes:
    """The JSON document of one health event. Raises Rejected."""
    event = due.event
    why = unsupported(event) or problem(settings, event)
    if event.is_test:
        why = "a test: the format cannot say so, and a cloud would take it for the device's real state"
    if why:
        raise Rejected(why)
    status = _STATUS[event.kind, event.state]
    told = HealthEvent(
        event.device_id,
        status,
        instant_text(event.occurred_at),
        event.place.customer_id if settings.customer_in_events else UNSET,
    )
    if settings.profile == "extended":
        told = msgspec.structs.replace(
            told,
            event_id=event_guid(gateway, event),
            received_at=instant_text(event.accepted_at),
            reason=_REASON[status],
            previous=_BEFORE[status],
            system_id=event.source,
            seq=due.key.event_seq,
        )
    return msgspec.json.encode(told)


def inventory_parts(body: bytes, most: int) -> Sequence[bytes]:
    """An extended inventory in parts of at most `most` devices; removals go with the last, when all else is there.

    Without `sync` nothing says that there are parts, so a brief inventory stays whole (connectors.md 2.3).
    """
    document: dict[str, Any] = msgspec.json.decode(body)
    devices, sync = document["devices"], document.get("sync")
    if sync is None or len(devices) <= most:
        return [body]
    chunks = [devices[at : at + most] for at in range(0, len(devices), most)]
    made = []
    for part, chunk in enumerate(chunks, start=1):
        removed = document.get("removed", []) if part == len(chunks) else []
        numbered = {**sync, "part": part, "parts": len(chunks)}
        made.append(msgspec.json.encode({**document, "devices": chunk, "removed": removed, "sync": numbered}))
    return made


def event_key(event: Event) -> str:
    """The Idempotency-Key of a health event; the same on every attempt."""
    return f"evt:{event.id}"


def inventory_key(run_id: str, part: int) -> str:
    """The Idempotency-Key of one part of an inventory, counted from 1."""
    return f"inv:{run_id}:{part}"


def packed(body: bytes) -> bytes:
    """The same bytes on every attempt: no time stands in it."""
    return gzip.compress(body, mtime=0)


def instant_text(instant: datetime) -> str:
    """RFC 3339 UTC with milliseconds: `2025-03-08T06:14:02.037Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
