"""What every route works with, and how requests get at it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Request
from msgspec import Struct
from starlette.responses import Response

from tocsin.api.access import Access, Doorkeeper, Rights, demand
from tocsin.api.bodies import Buffers
from tocsin.api.limits import Limits
from tocsin.api.problems import not_found
from tocsin.api.proxies import Proxies, by_https, caller
from tocsin.api.rates import Rate
from tocsin.api.settings import Scope
from tocsin.api.sse import Streams
from tocsin.engine.gateway import Gateway
from tocsin.store.contract import StoredEvent
from tocsin.telemetry.record import Recorder

JSON = "application/json"
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_encode = msgspec.json.Encoder().encode


class Room(Struct, frozen=True):
    """`closing` is set when the gateway stops: open streams end then. `links_asked` counts who opens events' links,
    `links_missed` who tries tokens that are none. `proxies` are believed when they say whom they ask for.
    """

    gateway: Gateway
    doorkeeper: Doorkeeper
    limits: Limits
    buffers: Buffers
    streams: Streams
    polls: Streams
    closing: asyncio.Event
    record: Recorder
    links_asked: Rate
    links_missed: Rate
    proxies: Proxies = ()

    @property
    def access(self) -> Access:
        return self.doorkeeper.access

    def now(self) -> datetime:
        return self.gateway.clock.now()


def make_room(gateway: Gateway, access: Access, limits: Limits, record: Recorder, proxies: Proxies = ()) -> Room:
    monotonic = gateway.clock.monotonic
    return Room(
        gateway,
        Doorkeeper(access, limits.failed_tokens_per_minute, monotonic),
        limits,
        Buffers(limits),
        Streams(limits.streams),
        Streams(limits.polls, "devices wait for orders"),
        asyncio.Event(),
        record,
        Rate(limits.links_per_minute, monotonic),
        Rate(limits.failed_tokens_per_minute, monotonic),
        proxies,
    )


def room_of(request: Request) -> Room:
    room: Room = request.app.state.room
    return room


async def _room(request: Request) -> Room:
    return room_of(request)


def _peer_of(request: Request) -> str:
    return request.client.host if request.client else ""


def caller_of(request: Request) -> str:
    """The address of who asks: the connection's other end, or whom a trusted proxy there asks for."""
    return caller(_peer_of(request), request.headers.getlist("x-forwarded-for"), room_of(request).proxies)


def came_by_https(request: Request) -> bool:
    """Whether the browser uses https, up to a trusted proxy before a plain listener too."""
    said = request.headers.get("x-forwarded-proto", "")
    return request.scope["scheme"] == "https" or by_https(_peer_of(request), said, room_of(request).proxies)


def rights_of(request: Request, scope: Scope) -> Rights:
    """Who asks. Raises Problem 401, 403, 429."""
    rights = room_of(request).doorkeeper.admit(caller_of(request), request.headers)
    demand(rights, scope)
    return rights


def _having(scope: Scope) -> Callable[[Request], Awaitable[Rights]]:
    async def rights(request: Request) -> Rights:
        return rights_of(request, scope)

    return rights


TheRoom = Annotated[Room, Depends(_room)]
Reader = Annotated[Rights, Depends(_having("read"))]
Sender = Annotated[Rights, Depends(_having("events:write"))]
DeviceWriter = Annotated[Rights, Depends(_having("devices:write"))]
Operator = Annotated[Rights, Depends(_having("operate"))]
Commander = Annotated[Rights, Depends(_having("commands"))]
Controller = Annotated[Rights, Depends(_having("control"))]
Auditor = Annotated[Rights, Depends(_having("admin"))]


def answer(value: Any, status: int = 200) -> Response:
    return Response(_encode(value), status, _HEADERS, JSON)


async def visible_event(room: Room, rights: Rights, event_id: str) -> StoredEvent:
    """The event, if it is there and may be seen. Raises Problem 404."""
    stored = await room.gateway.store.event(event_id)
    if stored is None or not rights.see(room.gateway.devices.areas, stored.event):
        raise not_found("such event")
    return stored
