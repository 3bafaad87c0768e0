"""An event's login-free link: where it leads, until when, and ending it before its time."""

from datetime import datetime

from fastapi import APIRouter
from msgspec import Struct
from starlette.responses import Response

from tocsin.api.events import EventId
from tocsin.api.problems import Problem, not_found
from tocsin.api.room import Operator, Reader, Room, TheRoom, answer, visible_event
from tocsin.api.schema import described
from tocsin.store.contract import StoredEvent

router = APIRouter(tags=["events"])


class LinkView(Struct, frozen=True):
    """`state` is valid, expired or revoked. `until` null: a delivery that carries it is still on its way."""

    url: str
    state: str
    until: datetime | None


@router.get("/events/{event_id}/link", **described("The event's login-free link", LinkView))
async def get_link(event_id: EventId, room: TheRoom, rights: Reader) -> Response:
    return answer(await _link(room, await visible_event(room, rights, event_id)))


@router.post("/events/{event_id}/link/revoke", **described("End the link now", LinkView))
async def revoke_link(event_id: EventId, room: TheRoom, rights: Operator) -> Response:
    stored = await visible_event(room, rights, event_id)
    link = await _link(room, stored)
    if not await room.gateway.links.revoke(stored, rights.name):
        raise Problem(409, f"This link is {link.state} already.")
    return answer(await _link(room, stored))


async def _link(room: Room, stored: StoredEvent) -> LinkView:
    link = await room.gateway.links.of(stored)
    if link is None:
        raise not_found("link to this event")
    return LinkView(link.url, link.standing, link.until)
