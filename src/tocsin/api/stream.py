"""`/stream`: every change as it happens, and a heartbeat while nothing does."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from tocsin.api.access import Rights
from tocsin.api.room import Reader, Room, TheRoom
from tocsin.api.schema import described
from tocsin.api.sse import HEARTBEAT, beating, frame, streaming
from tocsin.engine.hub import Change
from tocsin.model.delivery import DeliveryKey

router = APIRouter(tags=["stream"])
_encode = msgspec.json.Encoder().encode


@router.get("/stream", **described("Changes as they happen", {"text/event-stream": {"schema": {"type": "string"}}}))
async def stream(room: TheRoom, rights: Reader) -> Response:
    room.streams.check()
    return streaming(_changes(room, rights))


async def _changes(room: Room, rights: Rights) -> AsyncGenerator[bytes, None]:
    with room.streams.counted():
        async with aclosing(room.gateway.hub.subscribe()) as changes:
            yield b": connected\n\n"
            async for change in beating(changes, room.limits.heartbeat_s, room.closing):
                if change is None:
                    yield HEARTBEAT
                elif await visible(room, rights, change):
                    yield frame(change.topic, _encode({"id": change.id, **change.data}).decode())


async def visible(room: Room, rights: Rights, change: Change) -> bool:
    """Whether narrowed rights reach what changed."""
    if not rights.narrowed or change.topic in ("destination", "test", "missed"):
        return True
    if change.topic in ("run", "system", "agent", "job"):
        return False
    if change.topic in ("device", "command"):
        device_id = change.id if change.topic == "device" else str(change.data["device_id"])
        device = room.gateway.devices.get(device_id)
        return device is not None and rights.reach(room.gateway.devices.areas, device.area, device.id)
    stored = await room.gateway.store.event(await _event_id(room, change))
    return stored is not None and rights.see(room.gateway.devices.areas, stored.event)


async def _event_id(room: Room, change: Change) -> str:
    if change.topic == "event":
        return change.id
    delivery = await room.gateway.store.delivery(DeliveryKey.parse(change.id))
    return delivery.event_id if delivery else ""
