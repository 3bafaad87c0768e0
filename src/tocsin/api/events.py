"""Events as they are kept: lists, one with its deliveries, photos, traces, and what comes late."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from tocsin.api.access import Rights
from tocsin.api.bodies import MULTIPART, content_type, parts_of
from tocsin.api.intake import photos_in
from tocsin.api.problems import Problem, not_found
from tocsin.api.room import Reader, Room, Sender, TheRoom, answer, visible_event
from tocsin.api.schema import PHOTO_BODIES, described, json_of
from tocsin.api.views import EventPage, EventView, PhotosView, TraceView, delivery_view, event_view
from tocsin.config.problems import did_you_mean
from tocsin.engine.submission import EventPatch, actors
from tocsin.model.delivery import Delivery, DeliveryKey
from tocsin.model.kinds import KINDS
from tocsin.store.contract import EventFilter

router = APIRouter(tags=["events"])
_patches = msgspec.json.Decoder(EventPatch)
EventId = Annotated[str, Path(min_length=1, max_length=220)]
Cursor = Annotated[str, Query(pattern=r"^[0-9]{0,18}$", description="`next_cursor` of the page before.")]
Word = Annotated[str, Query(max_length=200)]
PhotoNumber = Annotated[int, Path(ge=1, le=10_000)]
PageSize = Annotated[int, Query(ge=1, le=500)]
JPEG: Mapping[str, Any] = {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}


@router.get("/events", **described("Events, newest first", EventPage))
async def list_events(
    room: TheRoom,
    rights: Reader,
    limit: PageSize = 50,
    cursor: Cursor = "",
    kind: Word = "",
    device_id: Word = "",
    source: Word = "",
    area: Word = "",
    since: datetime | None = None,
) -> Response:
    if kind and kind not in KINDS:
        raise Problem(422, f"There is no kind {kind}; {did_you_mean(kind, KINDS)}", field="kind")
    wanted = EventFilter(
        limit=limit,
        before=int(cursor) if cursor else None,
        kind=kind,
        device_id=device_id,
        source=source,
        area=area,
        since=_aware(since),
        areas=reachable_areas(room, rights),
        devices=rights.devices,
    )
    found = await room.gateway.store.events(wanted)
    deliveries = await room.gateway.store.deliveries_of([stored.seq for stored in found])
    items = [event_view(stored.event, deliveries.get(stored.seq, ())) for stored in found]
    return answer(EventPage(items, str(found[-1].seq) if len(found) == limit else None))


def reachable_areas(room: Room, rights: Rights) -> frozenset[str] | None:
    return None if rights.areas is None else room.gateway.devices.areas.within(rights.areas)


def _aware(since: datetime | None) -> datetime | None:
    if since is not None and since.tzinfo is None:
        example = "2024-05-30T22:15:04%2B03:00"
        raise Problem(422, f"Write since with its zone, such as {example}.", field="since")
    return since


@router.get("/events/{event_id}", **described("One event with its deliveries", EventView))
async def get_event(event_id: EventId, room: TheRoom, rights: Reader) -> Response:
    stored = await visible_event(room, rights, event_id)
    return answer(event_view(stored.event, await _deliveries(room, stored.seq)))


async def _deliveries(room: Room, seq: int) -> Sequence[Delivery]:
    return (await room.gateway.store.deliveries_of([seq])).get(seq, ())


@router.get("/events/{event_id}/photos/{n}", **described("One photo", JPEG))
async def get_photo(event_id: EventId, n: PhotoNumber, room: TheRoom, rights: Reader) -> Response:
    stored = await visible_event(room, rights, event_id)
    return await photo_response(room, stored.seq, n)


async def photo_response(room: Room, seq: int, n: int) -> Response:
    """The JPEG; never interpreted as anything else, never kept by a shared cache. Raises Problem 404."""
    photo = next((photo for photo in await room.gateway.store.photos(seq) if photo.n == n), None)
    if photo is None:
        raise not_found("such photo")
    headers = {
        "cache-control": "private, max-age=86400, immutable",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "etag": f'"{photo.sha256}"',
    }
    return Response(photo.data, 200, headers, "image/jpeg")


@router.get("/events/{event_id}/deliveries/{destination}/trace", **described("What was sent and answered", TraceView))
async def get_trace(event_id: EventId, destination: str, room: TheRoom, rights: Reader) -> Response:
    stored = await visible_event(room, rights, event_id)
    key = DeliveryKey(stored.seq, destination)
    delivery = await room.gateway.store.delivery(key)
    if delivery is None:
        raise not_found("delivery of this event to such a destination")
    return answer(TraceView(delivery_view(delivery), await room.gateway.store.trace(key)))


@router.patch("/events/{event_id}", **described("Late classification", EventView, bodies=json_of(EventPatch)))
async def patch_event(event_id: EventId, request: Request, room: TheRoom, rights: Sender) -> Response:
    await visible_event(room, rights, event_id)
    patch = await room.buffers.small_json(request, _patches)
    given = None if patch.actors is None else actors(patch.actors)
    changed = await room.gateway.amend(event_id, given, patch.classification, rights.name)
    if changed is None:
        raise not_found("such event")
    return answer(event_view(changed.event, await _deliveries(room, changed.seq)))


@router.post("/events/{event_id}/photos", **described("Late pictures", PhotosView, 202, PHOTO_BODIES))
async def post_photos(event_id: EventId, request: Request, room: TheRoom, rights: Sender) -> Response:
    stored = await visible_event(room, rights, event_id)
    if content_type(request) != MULTIPART:
        raise Problem(415, f"Send photos as {MULTIPART}, each in a part named photo.")
    async with room.buffers.body(request, room.limits.json) as body:
        photos = photos_in(parts_of(request, body, room.limits.photos))
        if not photos:
            raise Problem(422, "There is no part named photo.", field="photo")
        refused = await room.gateway.add_photos(event_id, photos)
    if refused is None:
        raise not_found("such event")
    return answer(PhotosView(stored.event.photos + len(photos) - len(refused), refused), 202)
