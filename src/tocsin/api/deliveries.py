"""Deliveries across events: what is owed, what was set aside, and trying or dropping it by hand."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from tocsin.api.access import Rights
from tocsin.api.events import Cursor, PageSize, Word
from tocsin.api.problems import Problem, not_found
from tocsin.api.room import Operator, Reader, Room, TheRoom, answer, visible_event
from tocsin.api.schema import described
from tocsin.api.views import DeliveryPage, DeliveryView, delivery_view
from tocsin.engine.gateway import Gateway
from tocsin.model.delivery import Delivery, DeliveryKey, DeliveryState
from tocsin.store.contract import DeliveryFilter

router = APIRouter(tags=["deliveries"])


@router.get("/deliveries", **described("Deliveries, newest first", DeliveryPage))
async def list_deliveries(
    room: TheRoom,
    rights: Reader,
    limit: PageSize = 50,
    cursor: Cursor = "",
    destination: Word = "",
    state: Annotated[list[DeliveryState], Query(max_length=9)] = [],  # noqa: B006
) -> Response:
    before = int(cursor) if cursor else None
    wanted = DeliveryFilter(limit=limit, before=before, destination=destination, states=frozenset(state))
    found = await room.gateway.store.deliveries(wanted)
    items = [delivery_view(delivery) for delivery in found if await _visible(room, rights, delivery)]
    return answer(DeliveryPage(items, str(found[-1].key.event_seq) if len(found) == limit else None))


async def _visible(room: Room, rights: Rights, delivery: Delivery) -> bool:
    if not rights.narrowed:
        return True
    stored = await room.gateway.store.event(delivery.event_id)
    return stored is not None and rights.see(room.gateway.devices.areas, stored.event)


@router.post("/deliveries/{delivery_id}/retry", **described("Try again", DeliveryView, 202))
async def retry(delivery_id: str, room: TheRoom, rights: Operator) -> Response:
    delivery = await operable(room, rights, delivery_id)
    if not await try_again(room.gateway, delivery.key, rights.name):
        raise Problem(409, _not_again(delivery))
    return answer(await _now(room, delivery), 202)


@router.post("/deliveries/{delivery_id}/discard", **described("Give up by hand", DeliveryView))
async def discard(delivery_id: str, room: TheRoom, rights: Operator) -> Response:
    delivery = await operable(room, rights, delivery_id)
    if not await room.gateway.discard(delivery.key, rights.name):
        raise Problem(409, f"This delivery is {delivery.state}; only what is open or set aside can be discarded.")
    return answer(await _now(room, delivery))


def _not_again(delivery: Delivery) -> str:
    where = f"This delivery to {delivery.key.destination} is {delivery.state}"
    return f"{where}; only a closed one with a usable address at a configured destination can be tried again."


async def try_again(gateway: Gateway, key: DeliveryKey, who: str) -> bool:
    """False also for a destination that the configuration no longer has."""
    return key.destination in gateway.names() and await gateway.retry(key, who)


async def operable(room: Room, rights: Rights, delivery_id: str) -> Delivery:
    """The delivery, if it is there and its event may be seen. Raises Problem 404."""
    try:
        key = DeliveryKey.parse(delivery_id)
    except ValueError:
        raise not_found("such delivery") from None
    delivery = await room.gateway.store.delivery(key)
    if delivery is None:
        raise not_found("such delivery")
    await visible_event(room, rights, delivery.event_id)
    return delivery


async def _now(room: Room, delivery: Delivery) -> DeliveryView:
    return delivery_view(await room.gateway.store.delivery(delivery.key) or delivery)
