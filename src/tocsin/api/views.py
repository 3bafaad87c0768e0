"""What the API answers with: the JSON of interface.md 4. Every field is always there; null means: not known."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from tocsin.engine.contracts import PhotoRefused
from tocsin.engine.gateway import DestinationStatus
from tocsin.engine.status import PathState
from tocsin.model.delivery import Delivery, Exchange
from tocsin.model.event import Actor, Box, Code, Event, Location, Place
from tocsin.model.kinds import lane_of
from tocsin.model.wording import local_time

API = "/api/v1"


class PhotoView(Struct, frozen=True):
    n: int
    href: str


class DeliveryView(Struct, frozen=True):
    """One event owed to one destination. `id` is what retry and discard take."""

    id: str
    event_id: str
    destination: str
    lane: str
    state: str
    address: str
    attempts: int
    accepted_at: datetime
    due_at: datetime | None
    delivered_at: datetime | None
    host: str
    receipt: str
    reason: str


class EventView(Struct, frozen=True):
    """One event. `occurred_at` is in the event's own zone, `zone` names it."""

    id: str
    kind: str
    state: str
    lane: str
    source: str
    device_id: str
    place: Place
    occurred_at: datetime
    accepted_at: datetime
    zone: str
    address: str
    code: Code | None
    actors: Sequence[Actor]
    text: str
    url: str
    battery: int | None
    signal_asu: int | None
    location: Location | None
    user: str
    photos: Sequence[PhotoView]
    photos_expected: int
    classification: str
    flags: Sequence[str]
    raw: str
    motion_area: Sequence[Box]
    deliveries: Sequence[DeliveryView]


class EventPage(Struct, frozen=True):
    """`next_cursor` asks for the page after this one; null at the end."""

    items: Sequence[EventView]
    next_cursor: str | None


class DeliveryPage(Struct, frozen=True):
    items: Sequence[DeliveryView]
    next_cursor: str | None


class TraceView(Struct, frozen=True):
    """Every try of one delivery, oldest first; control bytes are written as `<LF>`, secrets masked."""

    delivery: DeliveryView
    exchanges: Sequence[Exchange]


class TakenView(Struct, frozen=True, omit_defaults=True):
    """The event is on disk. `destinations` are those it is owed to."""

    id: str
    duplicate: bool
    destinations: Sequence[str]
    photos_refused: Sequence[PhotoRefused] = ()
    warnings: Sequence[str] = ()


class LineRefused(Struct, frozen=True):
    line: int
    reason: str


class BulkView(Struct, frozen=True):
    """Of NDJSON: the good lines are on disk, the others are named."""

    accepted: int
    duplicates: int
    refused: Sequence[LineRefused]


class PhotosView(Struct, frozen=True):
    photos: int
    photos_refused: Sequence[PhotoRefused]


def delivery_view(delivery: Delivery) -> DeliveryView:
    return DeliveryView(
        id=str(delivery.key),
        event_id=delivery.event_id,
        destination=delivery.key.destination,
        lane=delivery.lane.label,
        state=delivery.state,
        address=delivery.address,
        attempts=delivery.attempts,
        accepted_at=delivery.accepted_at,
        due_at=delivery.due_at,
        delivered_at=delivery.delivered_at,
        host=delivery.host,
        receipt=delivery.receipt,
        reason=delivery.reason,
    )


def event_view(event: Event, deliveries: Sequence[Delivery]) -> EventView:
    return EventView(
        id=event.id,
        kind=event.kind,
        state=event.state,
        lane=lane_of(event.kind).label,
        source=event.source,
        device_id=event.device_id,
        place=event.place,
        occurred_at=local_time(event),
        accepted_at=event.accepted_at,
        zone=event.zone or event.place.time_zone or "UTC",
        address=str(event.address) if event.address else "",
        code=event.code,
        actors=event.actors,
        text=event.text,
        url=event.url,
        battery=event.battery,
        signal_asu=event.signal_asu,
        location=event.location,
        user=event.user,
        photos=[PhotoView(n, f"{API}/events/{event.id}/photos/{n}") for n in range(1, event.photos + 1)],
        photos_expected=event.photos_expected,
        classification=event.classification,
        flags=event.flags,
        raw=event.raw,
        motion_area=event.motion_area,
        deliveries=[delivery_view(delivery) for delivery in deliveries],
    )


class DestinationView(Struct, frozen=True):
    """A station as it is now: state up, down, paused or starting; `pending` counts open deliveries per lane."""

    name: str
    type: str
    title: str
    state: str
    reason: str
    host: str
    insecure: bool
    pending: dict[str, int]
    oldest_pending: datetime | None
    last_delivered: DeliveryView | None
    supervision_s: float | None
    paths: Sequence[PathState]


class DestinationList(Struct, frozen=True):
    items: Sequence[DestinationView]


def destination_view(status: DestinationStatus) -> DestinationView:
    return DestinationView(
        name=status.name,
        type=status.type,
        title=status.title,
        state=status.state,
        reason=status.reason,
        host=status.host,
        insecure=status.insecure,
        pending=dict(status.pending),
        oldest_pending=status.oldest,
        last_delivered=delivery_view(status.last) if status.last else None,
        supervision_s=status.supervision_s,
        paths=status.paths,
    )
