"""Values to rows and back. Pure. Instants are integer microseconds since 1970 UTC; bodies are JSON text."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from sys import intern

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tocsin.model.command import Arming, Command
from tocsin.model.contact import Condition, Contact
from tocsin.model.delivery import Delivery, DeliveryKey, Due, Exchange, Owed
from tocsin.model.device import Area, Device
from tocsin.model.event import Event, Photo
from tocsin.model.kinds import Lane
from tocsin.model.on_test import OnTest
from tocsin.store.contract import Arrival, AuditEntry, StoredEvent, StoredLink
from tocsin.store.steps import Row

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode
_decode_event = msgspec.json.Decoder(Event).decode
_decode_test = msgspec.json.Decoder(OnTest).decode
_decode_device = msgspec.json.Decoder(Device).decode
_decode_command = msgspec.json.Decoder(Command).decode
_decode_area = msgspec.json.Decoder(Area).decode
_ID_FIELD = len(b'{"id":,')
LONGEST_TEXT = 32_768
"""Characters kept of one side of an exchange."""


def microseconds(instant: datetime) -> int:
    """Raises TypeError for an instant without zone."""
    return (instant - _EPOCH) // _MICROSECOND


def optional_microseconds(instant: datetime | None) -> int | None:
    return None if instant is None else microseconds(instant)


def instant(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)


def optional_instant(value: int | None) -> datetime | None:
    return None if value is None else instant(value)


def plain(text: str) -> str:
    """Text for a column: PostgreSQL cannot hold NUL, which foreign input may bring."""
    return text.replace("\0", "␀") if "\0" in text else text


def bounded(text: str) -> str:
    """Text for a column, at most LONGEST_TEXT characters of it."""
    if len(text) <= LONGEST_TEXT and "\0" not in text:
        return text
    if len(text) > LONGEST_TEXT:
        text = f"{text[:LONGEST_TEXT]}… ({len(text) - LONGEST_TEXT} more characters)"
    return plain(text)


class Prepared(Struct, frozen=True):
    """An arrival encoded by its caller, so that the writer only has to number it.

    `columns`: accepted_at, source, kind, device_id, area, digest, repeat_key, body.
    """

    arrival: Arrival
    columns: Row


def prepare(arrival: Arrival) -> Prepared:
    """Raises ValueError or TypeError for what cannot be stored; then nothing was written."""
    event = arrival.event
    if "\0" in event.id or "\0" in arrival.alternate_id:
        raise ValueError(f"event id {event.id!r} or {arrival.alternate_id!r} holds a NUL character")
    return Prepared(arrival, _columns(arrival, event))


def _columns(arrival: Arrival, event: Event) -> Row:
    body = event_body(event)
    source, device_id, area = event.source, event.device_id, event.place.area
    if "\\u0000" in body:
        source, device_id, area = plain(source), plain(device_id), plain(area)
    accepted_at = (event.accepted_at - _EPOCH) // _MICROSECOND
    return (accepted_at, source, event.kind, device_id, area, arrival.digest, arrival.repeat_key or None, body)


def renamed(prepared: Prepared, event_id: str, reused: bool) -> Prepared:
    """The arrival kept under another id, flagged if its own was used twice by the same source and device."""
    old = prepared.arrival.event
    flags = (*old.flags, "id_reused") if reused and "id_reused" not in old.flags else old.flags
    event = msgspec.structs.replace(old, id=event_id, flags=flags)
    arrival = msgspec.structs.replace(prepared.arrival, event=event)
    return Prepared(arrival, _columns(arrival, event))


def event_body(event: Event) -> str:
    """The event as JSON without its id, which has its own column and may change on the way in."""
    encoded = _encode(event)
    return "{" + encoded[_ID_FIELD + len(_encode(event.id)) :].decode()


def event_of(event_id: str, body: str) -> Event:
    return _decode_event(b'{"id":' + _encode(event_id) + b"," + body[1:].encode())


def owed_row(event_seq: int, destination: int, owed: Owed) -> Row:
    address, queue, reason = owed.address, owed.queue, owed.reason
    if "\0" in address or "\0" in queue:
        address, queue = plain(address), plain(queue)
    if reason:
        reason = bounded(reason)
    due_at = None if owed.due_at is None else microseconds(owed.due_at)
    return (event_seq, destination, owed.lane.value, owed.state, address, queue, owed.number, due_at, reason)


def photo_row(event_seq: int, photo: Photo) -> Row:
    return (event_seq, photo.n, photo.data, photo.sha256, plain(photo.content_type))


def photo_of(row: Row) -> Photo:
    n, data, sha256, content_type = row
    return Photo(n, data, sha256, content_type)


def exchange_row(event_seq: int, destination: int, n: int, exchange: Exchange) -> Row:
    texts = (exchange.host, exchange.result, exchange.sent, exchange.answer, exchange.note)
    return (event_seq, destination, n, microseconds(exchange.at), *map(bounded, texts))


def exchange_of(row: Row) -> Exchange:
    return Exchange(instant(row[0]), *row[1:])


def stored_event_of(row: Row) -> StoredEvent:
    seq, event_id, body = row
    return StoredEvent(seq, event_of(event_id, body))


def due_of(row: Row) -> Due:
    seq, destination, lane, address, queue, number, attempts, due_at, event_id, body = row
    return Due(
        key=DeliveryKey(seq, destination),
        lane=Lane(lane),
        address=address,
        queue=queue,
        number=number,
        event=event_of(event_id, body),
        attempts=attempts,
        due_at=optional_instant(due_at),
    )


def delivery_of(row: Row) -> Delivery:
    seq, destination, event_id, lane, *rest = row
    state, address, queue, number, attempts, accepted_at, due_at, delivered_at, host, receipt, reason = rest
    return Delivery(
        key=DeliveryKey(seq, destination),
        event_id=event_id,
        lane=Lane(lane),
        state=state,
        address=address,
        queue=queue,
        number=number,
        attempts=attempts,
        accepted_at=instant(accepted_at),
        due_at=optional_instant(due_at),
        delivered_at=optional_instant(delivered_at),
        host=host,
        receipt=receipt,
        reason=reason,
    )


def device_body(device: Device) -> str:
    return _encode(device).decode()


def device_of(body: str) -> Device:
    """What many have in common is held once."""
    found = _decode_device(body)
    shared = {"type": intern(found.type), "customer_id": intern(found.customer_id), "origin": intern(found.origin)}
    return replace(found, **shared)


def command_row(command: Command) -> Row:
    identity = (command.id, command.request_id, command.device_id, command.order, command.state, command.requested_by)
    body = _encode(command).decode()
    return (*identity, command.idempotency_key or None, microseconds(command.expires_at), body)


def command_of(row: Row) -> Command:
    body, state, sent_at, ended_at, result = row
    times = (optional_instant(sent_at), optional_instant(ended_at))
    return msgspec.structs.replace(
        _decode_command(body), state=state, sent_at=times[0], ended_at=times[1], result=result
    )


def arming_row(arming: Arming) -> Row:
    span = (microseconds(arming.since), optional_microseconds(arming.until))
    return (arming.device_id, int(arming.armed), *span, int(arming.no_time_limit), plain(arming.changed_by))


def arming_of(row: Row) -> Arming:
    device_id, armed, since, until, no_time_limit, changed_by = row
    return Arming(device_id, bool(armed), instant(since), optional_instant(until), bool(no_time_limit), changed_by)


def device_row(device: Device) -> Row:
    return (device.id, device_body(device))


def area_row(area: Area) -> Row:
    return (plain(area.name), _encode(area).decode())


def area_of(row: Row) -> Area:
    return _decode_area(row[0])


def link_row(event_seq: int, token: str) -> Row:
    return (event_seq, sha256(token.encode()).digest())


def link_of(row: Row) -> StoredLink:
    digest, revoked_at, *event = row
    return StoredLink(bytes(digest), stored_event_of(tuple(event)), optional_instant(revoked_at))


def test_body(test: OnTest) -> str:
    return plain(_encode(test).decode())


def test_of(row: Row) -> OnTest:
    return _decode_test(row[0])


def contact_row(contact: Contact) -> Row:
    return (
        plain(contact.device_id),
        round(contact.heard_on * 1000),
        optional_microseconds(contact.heard_at),
        contact.battery,
    )


def contact_of(row: Row) -> Contact:
    device_id, heard_on, heard_at, battery = row
    return Contact(device_id, heard_on / 1000, optional_instant(heard_at), battery)


def condition_row(condition: Condition) -> Row:
    return (plain(condition.device_id), condition.matter, condition.state, condition.n)


def condition_of(row: Row) -> Condition:
    return Condition(*row)


def audit_row(entry: AuditEntry) -> Row:
    texts = (entry.who, entry.action, entry.subject, entry.source_address, entry.result)
    return (microseconds(entry.at), *map(bounded, texts))


def audit_entry_of(row: Row) -> AuditEntry:
    return AuditEntry(instant(row[0]), *row[1:])


def kibibytes(photos: Sequence[Photo]) -> int:
    """The weight of photos."""
    return sum(len(photo.data) >> 10 for photo in photos)
