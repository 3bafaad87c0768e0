"""What can be looked at: the overview, an event, its trace, deliveries set aside, photos."""

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter, Request
from starlette.responses import Response

from tocsin.api.access import Rights
from tocsin.api.destinations import visible_statuses
from tocsin.api.events import Cursor, PhotoNumber, Word, photo_response, reachable_areas
from tocsin.api.problems import not_found
from tocsin.api.room import Room, TheRoom, visible_event
from tocsin.console.looks import page
from tocsin.console.present import Row, Summary, card, chip, row, summary
from tocsin.console.system_views import SourceLine, source_line
from tocsin.console.visitor import AVisitor
from tocsin.engine.gateway import DestinationStatus
from tocsin.engine.links import EventLink
from tocsin.engine.sheet import Entry
from tocsin.model.delivery import Delivery, DeliveryKey, DeliveryState
from tocsin.model.event import Event
from tocsin.store.contract import DeliveryFilter, EventFilter, StoredEvent

router = APIRouter(include_in_schema=False)
PAGE = 50
ASIDE_SHOWN = 200
_ASIDE: frozenset[DeliveryState] = frozenset({"rejected", "expired"})


@router.get("/")
async def overview(
    request: Request,
    room: TheRoom,
    visitor: AVisitor,
    cursor: Cursor = "",
    device_id: Word = "",
    area: Word = "",
    kind: Word = "",
) -> Response:
    before = int(cursor) if cursor else None
    wanted = wanted_events(room, visitor.rights, device_id, area, kind, before)
    rows, following = await rows_of(room, wanted)
    newest = None if cursor else rows[0].seq if rows else 0
    statuses = await visible_statuses(room, visitor.rights)
    return page(
        request,
        visitor,
        "overview.html",
        rows=rows,
        cursor=following,
        newest=newest,
        filter={"device_id": device_id, "area": area, "kind": kind},
        cards=[card(status) for status in statuses],
        sources=[] if visitor.rights.narrowed else room.gateway.sources(),
        systems=systems_of(room, visitor.rights),
        summary=await summary_of(room, visitor.rights, statuses),
    )


@router.get("/events")
async def more_events(
    request: Request,
    room: TheRoom,
    visitor: AVisitor,
    cursor: Cursor = "",
    device_id: Word = "",
    area: Word = "",
    kind: Word = "",
) -> Response:
    before = int(cursor) if cursor else None
    rows, following = await rows_of(room, wanted_events(room, visitor.rights, device_id, area, kind, before))
    chosen = {"device_id": device_id, "area": area, "kind": kind}
    return page(request, visitor, "more_events.html", rows=rows, cursor=following, filter=chosen)


def wanted_events(
    room: Room, rights: Rights, device_id: str, area: str, kind: str, before: int | None = None
) -> EventFilter:
    return EventFilter(
        limit=PAGE,
        before=before,
        kind=kind,
        device_id=device_id,
        area=area,
        areas=reachable_areas(room, rights),
        devices=rights.devices,
    )


async def rows_of(room: Room, wanted: EventFilter) -> tuple[list[Row], int | None]:
    """The rows of a page, and where the next one begins."""
    found = await room.gateway.store.events(wanted)
    return await with_deliveries(room, found), found[-1].seq if len(found) == wanted.limit else None


async def with_deliveries(room: Room, found: Sequence[StoredEvent]) -> list[Row]:
    deliveries = await room.gateway.store.deliveries_of([stored.seq for stored in found])
    return [row(stored.seq, stored.event, deliveries.get(stored.seq, ())) for stored in found]


def systems_of(room: Room, rights: Rights) -> list[SourceLine]:
    """How each system can be reached; a system serves every area, so narrowed rights see none."""
    return [] if rights.narrowed else [source_line(*one) for one in room.gateway.systems.sources()]


async def summary_of(room: Room, rights: Rights, statuses: Sequence[DestinationStatus]) -> Summary:
    blind = [line.name for line in systems_of(room, rights) if line.tone in ("alarm", "warn")]
    return summary(*room.gateway.ready(), statuses, len(await set_aside(room, rights)), blind)


async def set_aside(room: Room, rights: Rights) -> list[Delivery]:
    """Deliveries that wait for a person, newest first, at most ASIDE_SHOWN."""
    found = await room.gateway.store.deliveries(DeliveryFilter(limit=ASIDE_SHOWN, states=_ASIDE))
    if not rights.narrowed:
        return list(found)
    events = await asyncio.gather(*(room.gateway.store.event(delivery.event_id) for delivery in found))
    tree = room.gateway.devices.areas
    return [
        delivery
        for delivery, stored in zip(found, events, strict=True)
        if stored is not None and rights.see(tree, stored.event)
    ]


@router.get("/aside")
async def aside(request: Request, room: TheRoom, visitor: AVisitor) -> Response:
    found = await set_aside(room, visitor.rights)
    stored = await asyncio.gather(*(room.gateway.store.event(delivery.event_id) for delivery in found))
    shown = [
        (row(one.seq, one.event, ()), chip(delivery))
        for one, delivery in zip(stored, found, strict=True)
        if one is not None
    ]
    overall = await summary_of(room, visitor.rights, await room.gateway.destinations())
    return page(request, visitor, "aside.html", shown=shown, summary=overall)


@router.get("/events/{event_id}")
async def event_page(event_id: str, request: Request, room: TheRoom, visitor: AVisitor) -> Response:
    shown = await one_event(room, visitor.rights, event_id)
    overall = await summary_of(room, visitor.rights, await room.gateway.destinations())
    link, at = await link_of(room, shown), addresses_of(room, shown.event)
    return page(request, visitor, "event_page.html", row=shown, link=link, summary=overall, addresses=at)


@router.get("/events/{event_id}/panel")
async def event_panel(event_id: str, request: Request, room: TheRoom, visitor: AVisitor) -> Response:
    shown = await one_event(room, visitor.rights, event_id)
    link, at = await link_of(room, shown), addresses_of(room, shown.event)
    return page(request, visitor, "event_panel.html", row=shown, link=link, addresses=at)


def addresses_of(room: Room, event: Event) -> list[Entry]:
    """What each destination uses for the event's device now; nothing for a device nobody knows."""
    device = room.gateway.devices.get(event.device_id)
    return [] if device is None else room.gateway.sheet.entries(device)


async def link_of(room: Room, shown: Row) -> EventLink | None:
    return await room.gateway.links.of(StoredEvent(shown.seq, shown.event))


async def one_event(room: Room, rights: Rights, event_id: str) -> Row:
    stored = await visible_event(room, rights, event_id)
    return (await with_deliveries(room, [stored]))[0]


@router.get("/events/{event_id}/trace/{destination}")
async def trace(event_id: str, destination: str, request: Request, room: TheRoom, visitor: AVisitor) -> Response:
    stored = await visible_event(room, visitor.rights, event_id)
    key = DeliveryKey(stored.seq, destination)
    delivery = await room.gateway.store.delivery(key)
    if delivery is None:
        raise not_found("such delivery")
    exchanges = await room.gateway.store.trace(key)
    return page(request, visitor, "trace.html", chip=chip(delivery), exchanges=exchanges)


@router.get("/events/{event_id}/photos/{n}")
async def photo(event_id: str, n: PhotoNumber, room: TheRoom, visitor: AVisitor) -> Response:
    stored = await visible_event(room, visitor.rights, event_id)
    return await photo_response(room, stored.seq, n)
