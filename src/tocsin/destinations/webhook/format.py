"""The JSON body of stations.md 7.1 and the headers that go with it. Pure."""

import re
import uuid
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tocsin.destinations.webhook.addressing import parse_printed
from tocsin.model.event import Actor, Event, Location, Photo
from tocsin.model.wording import canonical_name, local_time
from tocsin.protocols.codes import outbound_sia

_GUIDS = uuid.UUID("a7f0ecfc-53d2-4be1-bcb3-569110c08cb5")
_PLAIN_ID = re.compile(r"[A-Za-z0-9_-]{1,200}\Z")
_STRONGEST_GSM = 31
_NAMELESS_SIA = frozenset({"system_started", "system_stopped"})


class DeviceInfo(Struct, frozen=True):
    guid: str
    name: str
    type: str
    area: str
    description: str
    battery_percentage: int | None
    signal_strength_asu: int | None
    signal_strength_dbm: int | None
    location: Location | None


class Detection(Struct, frozen=True):
    type: str
    probability: float | None
    box: tuple[float, float, float, float] | UnsetType = UNSET


class Binary(Struct, frozen=True):
    type: str
    format: str
    data: bytes


class Body(Struct, frozen=True, kw_only=True):
    """What the receiver gets. The last five members are there only when they say something."""

    schema: int = 1
    event_guid: str
    event_type: str
    event_name: str
    site: str | None
    area: str | None
    zone: str | None
    timestamp: str
    url: str
    device_info: DeviceInfo
    detections: list[Detection]
    binary: list[Binary]
    state: str | UnsetType = UNSET
    test: bool | UnsetType = UNSET
    text: str | UnsetType = UNSET
    user: str | UnsetType = UNSET
    source_url: str | UnsetType = UNSET


def event_guid(gateway: str, event: Event) -> str:
    """The same for every attempt; differs between gateways, because senders may choose their own event ids."""
    return str(uuid.uuid5(_GUIDS, f"{gateway}/{event.id}"))


def message_id(gateway: str, event: Event) -> str:
    """The event's id where it is plain, else its GUID: Standard Webhooks forbids full stops in it."""
    return event.id if _PLAIN_ID.match(event.id) else event_guid(gateway, event)


def json_body(event: Event, address: str, gateway: str, photos: Sequence[Photo]) -> bytes:
    """The exact bytes of the request's body. `address` is the outbox's printed form, empty for none."""
    parsed = parse_printed(address)
    moment = local_time(event)
    body = Body(
        event_guid=event_guid(gateway, event),
        event_type="" if event.kind in _NAMELESS_SIA else outbound_sia(event.kind, event.state, event.code),
        event_name=canonical_name(event),
        site=parsed.account if parsed else None,
        area=parsed.area if parsed else None,
        zone=parsed.zone if parsed else None,
        timestamp=moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds"),
        url=_text(event.url),
        device_info=_device(event),
        detections=[_detection(actor) for actor in event.actors],
        binary=[Binary("image", "jpg", photo.data) for photo in photos],
        state=event.state if event.state != "new" else UNSET,
        test=True if event.is_test else UNSET,
        text=_text(event.text) or UNSET,
        user=_text(event.user) or UNSET,
        source_url=_text(event.source_url) or UNSET,
    )
    return msgspec.json.encode(body)


def _device(event: Event) -> DeviceInfo:
    asu = event.signal_asu
    return DeviceInfo(
        guid=_text(event.device_id),
        name=_text(event.place.name),
        type=_text(event.place.type),
        area=_text(event.place.area),
        description=_text(event.place.description),
        battery_percentage=event.battery,
        signal_strength_asu=asu,
        signal_strength_dbm=2 * asu - 113 if asu is not None and 0 <= asu <= _STRONGEST_GSM else None,
        location=event.location,
    )


def _detection(actor: Actor) -> Detection:
    return Detection(actor.cls, actor.confidence, UNSET if actor.box is None else actor.box)


def _text(value: str) -> str:
    """Text that UTF-8 can carry: half a surrogate pair becomes a question mark."""
    return value.encode("utf-8", "replace").decode("utf-8")
