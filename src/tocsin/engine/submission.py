"""Event JSON as POSTed (interface.md 4), read strictly, and turned into a submission. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from tocsin.engine.contracts import PhotoIn, Refused, Submission
from tocsin.engine.event_times import told_time
from tocsin.model.event import Actor, Code, Event, Location
from tocsin.model.kinds import ActorClass, Classification, Kind, State

Fraction = Annotated[float, Meta(ge=0, le=1)]
Identifier = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._:@~-]+$")]
DeviceId = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._:@-]+$")]
PhotoList = Annotated[list["PhotoPart"], Meta(max_length=20)]
BoxIn = tuple[Fraction, Fraction, Fraction, Fraction]


class ActorIn(Struct, frozen=True, forbid_unknown_fields=True, rename={"cls": "class"}):
    cls: ActorClass
    confidence: Fraction | None = None
    box: BoxIn | None = None


class CodeIn(Struct, frozen=True, forbid_unknown_fields=True):
    """The code the sender's own system uses, passed through where the destination speaks it."""

    sia: Annotated[str, Meta(pattern=r"^[A-Z]{2}$")] | None = None
    contact_id: Annotated[str, Meta(pattern=r"^[136][0-9A-Fa-f]{3}$")] | None = None


class LocationIn(Struct, frozen=True, forbid_unknown_fields=True):
    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]


class PhotoPart(Struct, frozen=True, forbid_unknown_fields=True):
    """A picture inside the JSON; `data` is base64."""

    data: bytes
    content_type: Annotated[str, Meta(max_length=100)] = "image/jpeg"


class EventIn(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One event as a sender writes it. Unknown fields are refused, so that a slip of the pen is seen at once."""

    kind: Kind
    device_id: DeviceId
    id: Identifier | None = None
    state: State = "new"
    occurred_at: Annotated[datetime, Meta(tz=True)] | None = None
    actors: Annotated[list[ActorIn], Meta(max_length=64)] = field(default_factory=list)
    text: Annotated[str, Meta(max_length=2000)] = ""
    url: Annotated[str, Meta(max_length=2000, pattern=r"^(https?://[^\s\x00-\x1f]+)?$")] = ""
    battery: Annotated[int, Meta(ge=0, le=100)] | None = None
    signal_asu: Annotated[int, Meta(ge=0, le=255)] | None = None
    location: LocationIn | None = None
    code: CodeIn | None = None
    photos_expected: Annotated[int, Meta(ge=0, le=100)] = 0
    classification: Classification = "done"
    photos: PhotoList = field(default_factory=list)
    motion_area: Annotated[list[BoxIn], Meta(max_length=64)] = field(default_factory=list)


class EventPatch(Struct, frozen=True, forbid_unknown_fields=True):
    """What may still be said about an event after it was accepted (interface.md 4, PATCH)."""

    actors: Annotated[list[ActorIn], Meta(max_length=64)] | None = None
    classification: Classification | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(EventIn)


def read_event(data: bytes) -> EventIn:
    """One event from JSON bytes. Raises Refused naming the field."""
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError as error:
        raise Refused(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(f"this is not JSON: {error}") from None
    except RecursionError:
        raise Refused("the JSON is nested too deeply") from None


def submission(given: EventIn, source: str, now: datetime, photos: Sequence[PhotoIn] = ()) -> Submission:
    """The submission of one event. `photos`: parts that came beside the JSON, after those inside it.

    A time in the far future or before 2000 is a broken clock, not a reason to lose an alarm: the event is kept with the
    time of arrival, flagged `time_absurd`, and the answer says so.
    """
    occurred_at, zone, flags, warnings = _occurred(given.occurred_at, now)
    pictures = (*(PhotoIn(part.data, part.content_type) for part in given.photos), *photos)
    event = Event(
        id=given.id or "",
        kind=given.kind,
        occurred_at=occurred_at,
        accepted_at=now,
        source=source,
        state=given.state,
        zone=zone,
        device_id=given.device_id,
        code=Code(given.code.sia, given.code.contact_id) if given.code else None,
        actors=actors(given.actors) if given.actors else (),
        text=given.text,
        url=given.url,
        battery=given.battery,
        signal_asu=given.signal_asu,
        location=Location(given.location.lat, given.location.lon) if given.location else None,
        photos_expected=given.photos_expected,
        classification=given.classification,
        flags=flags,
        motion_area=tuple(given.motion_area),
    )
    digest = _digest(given, pictures) if given.id else b""
    return Submission(event, pictures, digest, warnings=warnings)


def actors(given: Sequence[ActorIn]) -> tuple[Actor, ...]:
    return tuple(Actor(actor.cls, actor.confidence, actor.box) for actor in given)


_NO_FLAGS: tuple[str, ...] = ()


def _occurred(given: datetime | None, now: datetime) -> tuple[datetime, str, tuple[str, ...], tuple[str, ...]]:
    if given is None:
        return now, "", _NO_FLAGS, _NO_FLAGS
    at, flags = told_time(given, now)
    if flags:
        warning = f"occurred_at {given.isoformat()} cannot be right; the event is kept with the time of its arrival"
        return at, "", flags, (warning,)
    return (at.astimezone(UTC), at.isoformat()[-6:], (), ()) if at.utcoffset() else (at, "", (), ())


def _digest(given: EventIn, pictures: Sequence[PhotoIn]) -> bytes:
    body = msgspec.structs.replace(given, photos=[]) if given.photos else given
    digest = blake2b(_encoder.encode(body), digest_size=16)
    for picture in pictures:
        digest.update(blake2b(picture.data, digest_size=16).digest())
    return digest.digest()
