"""The OSAP v1alpha message (receivers.md 8.2; draft, Apache-2.0). Pure."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tocsin import __version__
from tocsin.destinations.escaping import plain
from tocsin.destinations.files import File
from tocsin.destinations.osap.codes import coded, status_of
from tocsin.destinations.osap.settings import OsapSettings
from tocsin.destinations.words import short_text
from tocsin.model.event import Address, Event
from tocsin.protocols.addressing import listed

MEDIA_TYPE = "application/vnd.osap+json;v=1"
_IDS = uuid.UUID("c3a6c1fd-8f7e-4d0c-9d31-6f0e2b8a7c55")
_LONGEST_TEXT = 2048
_VENDOR = "tocsin"


class Producer(Struct, frozen=True):
    vendor: str
    product: str
    version: str
    instance_id: str


class Correlation(Struct, frozen=True, omit_defaults=True):
    """Parts without content are left out."""

    site_id: str = ""
    account_id: str = ""
    area_id: str = ""
    device_id: str = ""
    sensor_id: str = ""


class Envelope(Struct, frozen=True):
    id: str
    ts: str
    producer: Producer
    correlation: Correlation


class Reported(Struct, frozen=True):
    """What happened; `vendor_ext` holds what OSAP has no member for."""

    schema: str
    category: str
    code: str
    qualifier: str
    severity: int
    status: str
    text: str
    occurrence_ts: str
    vendor_ext: dict[str, dict[str, object]]


class Attachment(Struct, frozen=True):
    """`data` goes out in base64."""

    id: str
    kind: str
    mime_type: str
    encoding: str
    data: bytes | str
    captured_ts: str
    meta: dict[str, str]


class Retry(Struct, frozen=True):
    attempts: int


class Delivery(Struct, frozen=True):
    retry: Retry


class Message(Struct, frozen=True):
    envelope: Envelope
    event: Reported
    delivery: Delivery
    attachments: list[Attachment] | UnsetType = UNSET


def message_id(gateway: str, event: Event) -> str:
    """The same for every attempt; differs between gateways, because senders may choose their own event ids."""
    return str(uuid.uuid5(_IDS, f"{gateway}/{event.id}"))


def message(
    settings: OsapSettings, event: Event, where: Address | None, gateway: str, attempts: int, files: Sequence[File]
) -> Message:
    """`where` None: no address. `attempts`: how many there were before."""
    attachments = [_attachment(event, where, n, file) for n, file in enumerate(files, 1)]
    return Message(
        Envelope(
            message_id(gateway, event),
            _instant(event.accepted_at),
            Producer(_VENDOR, _VENDOR, __version__, plain(gateway)),
            _correlation(settings, event, where),
        ),
        _reported(settings, event),
        Delivery(Retry(attempts)),
        attachments or UNSET,
    )


def encoded(made: Message) -> bytes:
    return msgspec.json.encode(made)


def shown(made: Message) -> bytes:
    """As it may be kept: the attachments' data left out."""
    if made.attachments is UNSET:
        return encoded(made)
    short = [replace(one, data=f"[… {len(one.data)} bytes in base64]") for one in made.attachments]
    return encoded(replace(made, attachments=short))


def where_of(printed: str) -> Address | None:
    """The outbox's printed form; None for the empty one."""
    return listed(printed) if printed else None


def _correlation(settings: OsapSettings, event: Event, where: Address | None) -> Correlation:
    number = where.account if where else ""
    in_site = settings.number_in == "site_id"
    return Correlation(
        site_id=number if in_site else plain(event.place.area),
        account_id="" if in_site else number,
        area_id=(where.area or "") if where else "",
        device_id=plain(event.device_id),
        sensor_id=((where.zone or "") if where else "") or (plain(event.code.number) if event.code else ""),
    )


def _reported(settings: OsapSettings, event: Event) -> Reported:
    row = coded(event)
    severity = (
        row.severity if row.qualifier in ("RESTORE", "TEST") else settings.severities.get(event.kind, row.severity)
    )
    return Reported(
        plain(settings.event_schema),
        row.category,
        settings.codes.get(event.kind, row.code),
        row.qualifier,
        severity,
        status_of(event, row),
        plain(short_text(event))[:_LONGEST_TEXT],
        _instant(event.occurred_at),
        {_VENDOR: _extras(event)},
    )


def _extras(event: Event) -> dict[str, object]:
    """Only what there is."""
    facts: dict[str, object] = {
        "event_id": plain(event.id),
        "kind": event.kind,
        "state": event.state,
        "site": plain(event.place.area),
        "device": plain(event.place.name),
        "url": plain(event.url),
        "user": plain(event.user),
        "objects": [actor.cls for actor in event.actors],
        "sia": plain(event.code.sia) if event.code else "",
        "contact_id": plain(event.code.contact_id) if event.code else "",
    }
    numbers = {"battery": event.battery, "signal_asu": event.signal_asu, "location": event.location}
    return {name: value for name, value in facts.items() if value} | {
        name: value for name, value in numbers.items() if value is not None
    }


def _attachment(event: Event, where: Address | None, n: int, file: File) -> Attachment:
    kind = "video" if file.content_type.startswith("video/") else "image"
    camera = (where.zone if where else None) or plain(event.place.name) or plain(event.device_id)
    meta = {"name": file.name, "camera": camera}
    return Attachment(str(n), kind, file.content_type, "base64", file.data, _instant(event.occurred_at), meta)


def _instant(moment: datetime) -> str:
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="milliseconds" if utc.microsecond else "seconds") + "Z"
