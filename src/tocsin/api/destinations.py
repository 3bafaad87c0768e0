"""Destinations: their state, and test, pause, resume."""

from fastapi import APIRouter
from msgspec.structs import replace
from starlette.responses import Response

from tocsin.api.access import Rights, demand_everywhere
from tocsin.api.intake import taken_view
from tocsin.api.problems import not_found
from tocsin.api.room import Operator, Reader, Room, TheRoom, answer
from tocsin.api.schema import described
from tocsin.api.views import DestinationList, DestinationView, TakenView, destination_view
from tocsin.engine.gateway import DestinationStatus

router = APIRouter(tags=["destinations"])


@router.get("/destinations", **described("Destinations with state, receipts and queues", DestinationList))
async def list_destinations(room: TheRoom, rights: Reader) -> Response:
    return answer(DestinationList([destination_view(status) for status in await visible_statuses(room, rights)]))


async def visible_statuses(room: Room, rights: Rights) -> list[DestinationStatus]:
    """Of all destinations; the last delivery only where its event may be seen."""
    statuses = await room.gateway.destinations()
    if not rights.narrowed:
        return list(statuses)
    return [status if await _sees_last(room, rights, status) else replace(status, last=None) for status in statuses]


async def _sees_last(room: Room, rights: Rights, status: DestinationStatus) -> bool:
    stored = await room.gateway.store.event(status.last.event_id) if status.last else None
    return stored is not None and rights.see(room.gateway.devices.areas, stored.event)


@router.post("/destinations/{name}/test", **described("One marked test event", TakenView, 202))
async def test(name: str, room: TheRoom, rights: Operator) -> Response:
    demand_everywhere(rights, "a destination")
    try:
        return answer(taken_view(await room.gateway.test(name, rights.name)), 202)
    except KeyError:
        raise not_found("such destination") from None


@router.post("/destinations/{name}/pause", **described("Hold everything back", DestinationView))
async def pause(name: str, room: TheRoom, rights: Operator) -> Response:
    demand_everywhere(rights, "a destination")
    try:
        await room.gateway.pause(name, rights.name)
    except KeyError:
        raise not_found("such destination") from None
    return answer(await _status(room, name))


@router.post("/destinations/{name}/resume", **described("Go on sending", DestinationView))
async def resume(name: str, room: TheRoom, rights: Operator) -> Response:
    demand_everywhere(rights, "a destination")
    try:
        await room.gateway.resume(name, rights.name)
    except KeyError:
        raise not_found("such destination") from None
    return answer(await _status(room, name))


async def _status(room: Room, name: str) -> DestinationView:
    for status in await room.gateway.destinations():
        if status.name == name:
            return destination_view(status)
    raise not_found("such destination")
