"""The control API's routes. The list calls and their answers are published; the orders are ours (stations.md 12)."""

import traceback
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tocsin.api.access import Access
from tocsin.api.bodies import content_type
from tocsin.api.control import parameters
from tocsin.api.control.keeper import Keeper, Refusal, StationUser, unauthorized
from tocsin.api.control.settings import Allowed
from tocsin.api.limits import Limits
from tocsin.api.problems import Problem
from tocsin.api.proxies import Proxies
from tocsin.api.room import Room, caller_of, make_room
from tocsin.engine.commands import MOST_AT_ONCE, SirenDisarmed, Unfit, Wish, concerned, is_siren
from tocsin.engine.contracts import IntakeClosed
from tocsin.engine.gateway import Gateway
from tocsin.model.command import OPEN_COMMANDS, Command, Order
from tocsin.model.device import Device
from tocsin.store.contract import CommandFilter, StoreUnavailable
from tocsin.telemetry.occurrences import TaskFailed
from tocsin.telemetry.record import Recorder

PREFIX = "/control/v1"
_LIMITS = Limits(small=4096, body_s=10.0, buffered=1_000_000)
_LONGEST_KEY = 200
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class DeviceElement(Struct, frozen=True):
    """As published: five texts."""

    guid: str
    name: str
    area: str
    description: str
    type: str


class Visit(Struct, frozen=True):
    """One request of one user."""

    room: Room
    user: StationUser
    request: Request
    audio: Sequence[str]

    def devices(self) -> list[Device]:
        """Those the user may see, by id."""
        book = self.room.gateway.devices
        return [one for one in book.all() if self.user.rights.reach(book.areas, one.area, one.id)]

    def device(self, guid: str) -> Device:
        """Raises Refusal 404: unknown and not visible are the same answer."""
        for device in self.devices():
            if device.id == guid:
                return device
        raise _not_found()

    def in_area(self, name: str) -> list[Device]:
        """Visible devices in an area and those below it."""
        lineage = self.room.gateway.devices.areas.lineage
        return [one for one in self.devices() if name in lineage(one.area)]

    def demand(self, *allowed: Allowed) -> None:
        """Raises Refusal 401 when none of them is allowed."""
        if self.user.allow.isdisjoint(allowed):
            raise unauthorized()


Call = Callable[[Visit], Awaitable[Response]]


def _not_found() -> Refusal:
    return Refusal(404, "Not Found")


async def get_siren_list(visit: Visit) -> Response:
    visit.demand("list")
    return _elements([one for one in visit.devices() if is_siren(one)])


async def get_device_list(visit: Visit) -> Response:
    """All, or those of an area, or one: whatever `{id}` matches."""
    visit.demand("list")
    wanted = visit.request.path_params.get("id")
    if wanted is None:
        return _elements(visit.devices())
    found = visit.in_area(wanted) or [one for one in visit.devices() if one.id == wanted]
    if not found:
        raise _not_found()
    return _elements(found)


def _elements(devices: Sequence[Device]) -> Response:
    return _json([DeviceElement(one.id, one.name, one.area, one.description, one.type) for one in devices])


async def get_audio_list(visit: Visit) -> Response:
    visit.demand("list", "siren")
    if not is_siren(visit.device(visit.request.path_params["guid"])):
        raise Refusal(400, "Bad Request: this device is no siren")
    return _json([{"number": str(n), "name": name} for n, name in enumerate(visit.audio, 1)])


async def get_request(visit: Visit) -> Response:
    """The state of an order; of an area's order the state of all its devices together."""
    request_id = visit.request.path_params["request_id"]
    found = await visit.room.gateway.store.commands(CommandFilter(MOST_AT_ONCE, request_id=request_id))
    seen = {device.id for device in visit.devices()}
    if not found or not seen.issuperset(one.device_id for one in found):
        raise _not_found()
    devices = [{"guid": one.device_id, "state": one.state, "result": one.result} for one in reversed(found)]
    return _json({"request_id": request_id, "order": found[0].order, "state": state_of(found), "devices": devices})


def state_of(commands: Sequence[Command]) -> str:
    """`requested` while anything is under way; then the worst that happened."""
    states = {command.state for command in commands}
    if states & OPEN_COMMANDS:
        return "requested"
    return next((state for state in ("failed", "expired") if state in states), "confirmed")


async def _order(order: Order, of_area: bool, visit: Visit) -> Response:
    target = visit.request.path_params["target"]
    wish = Wish(order, visit.user.rights.name, caller_of(visit.request))
    try:
        visit.demand("siren" if order in ("siren", "stop_siren") else "arm")
        if visit.request.method == "GET" and not visit.user.get_orders:
            raise Refusal(405, "Method Not Allowed", {"allow": "POST"})
        wish = await _wish(visit, wish)
        devices = concerned(visit.in_area(target), order) if of_area else [visit.device(target)]
        if not devices:
            raise _not_found()
    except Refusal as refusal:
        await visit.room.gateway.commands.refused(wish, target[:200], refusal.text)
        raise
    return await _ordered(visit, devices, wish)


async def _wish(visit: Visit, wish: Wish) -> Wish:
    """With the parameters and the key of the request. Raises Refusal 400."""
    request = visit.request
    async with visit.room.buffers.body(request, _LIMITS.small) as body:
        try:
            given = parameters.read(wish.order, request.url.query, content_type(request), body)
        except parameters.BadParameter as error:
            raise Refusal(400, f"Bad Request: {error}") from None
    audio = _audio(given.audio, visit.audio)
    key = request.headers.get("idempotency-key", "")
    if len(key) > _LONGEST_KEY or not key.isascii() or not (key.isprintable() or not key):
        raise Refusal(400, f"Bad Request: Idempotency-Key is longer than {_LONGEST_KEY} or not printable")
    facts = (audio, given.duration_s, given.no_time_limit, key)
    return Wish(wish.order, wish.by, wish.source_address, *facts)


def _audio(given: str, known: Sequence[str]) -> str:
    """The recording's name, also where its number was given. Raises Refusal 400."""
    if not given or not known or given in known:
        return given
    if given.isascii() and given.isdigit() and len(given) <= 3 and 1 <= int(given) <= len(known):
        return known[int(given) - 1]
    raise Refusal(400, f"Bad Request: there is no audio {given!r}; get_audio_list names them")


async def _ordered(visit: Visit, devices: Sequence[Device], wish: Wish) -> Response:
    if len(devices) > MOST_AT_ONCE:
        raise Refusal(400, f"Bad Request: more than {MOST_AT_ONCE} devices at once")
    try:
        asked = await visit.room.gateway.commands.request(devices, wish)
    except SirenDisarmed as error:
        raise Refusal(409, f"Conflict: {error}") from None
    except Unfit as error:
        raise Refusal(400, f"Bad Request: {error}") from None
    state = state_of(asked.commands)
    return _json({"request_id": asked.commands[0].request_id, "state": state}, 202)


def _json(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, _HEADERS, "application/json")


_LISTS: tuple[tuple[str, Call], ...] = (
    ("/get_siren_list", get_siren_list),
    ("/get_device_list", get_device_list),
    ("/get_device_list/{id:path}", get_device_list),
    ("/get_audio_list/{guid}", get_audio_list),
    ("/get_request/{request_id}", get_request),
)
_ORDERS: tuple[tuple[str, Order, bool], ...] = (
    ("/trigger_siren/{target}", "siren", False),
    ("/stop_siren/{target}", "stop_siren", False),
    ("/arm_device/{target}", "arm", False),
    ("/disarm_device/{target}", "disarm", False),
    ("/arm_area/{target:path}", "arm", True),
    ("/disarm_area/{target:path}", "disarm", True),
)


def create_control_app(
    gateway: Gateway,
    users: Sequence[StationUser],
    record: Recorder,
    audio: Sequence[str] = (),
    proxies: Proxies = (),
) -> FastAPI:
    """The application for `serve`."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    room = app.state.room = make_room(gateway, Access(), _LIMITS, record, proxies)
    keeper = Keeper(users, gateway.clock.monotonic, record)

    def guarded(call: Call) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            with keeper.admitted(caller_of(request), request.headers) as user:
                return await call(Visit(room, user, request, audio))

        return handle

    for path, call in _LISTS:
        app.router.routes.append(Route(PREFIX + path, guarded(call), methods=["GET"]))
    for path, order, of_area in _ORDERS:
        handler = guarded(partial(_order, order, of_area))
        app.router.routes.append(Route(PREFIX + path, handler, methods=["GET", "POST"]))
    _install(app, record)
    return app


def _install(app: FastAPI, record: Recorder) -> None:
    """Every error as plain text, with the published words."""

    async def expected(request: Request, error: Exception) -> Response:
        refusal = _refusal_of(error)
        return PlainTextResponse(refusal.text, refusal.status, {**_HEADERS, **refusal.headers})

    async def unexpected(request: Request, error: Exception) -> Response:
        where, trace = f"control {request.method} {request.url.path}", "".join(traceback.format_exception(error))
        record(TaskFailed(task=where, error=repr(error), trace=trace, restart_in_s=0.0))
        return PlainTextResponse("Internal Server Error", 500, _HEADERS)

    for kind in (Refusal, Problem, IntakeClosed, StoreUnavailable, HTTPException):
        app.add_exception_handler(kind, expected)
    app.add_exception_handler(Exception, unexpected)


def _refusal_of(error: Exception) -> Refusal:
    match error:
        case Refusal():
            return error
        case Problem():
            return Refusal(error.status, HTTPStatus(error.status).phrase, error.headers)
        case HTTPException():
            return Refusal(error.status_code, HTTPStatus(error.status_code).phrase, error.headers)
    return Refusal(503, "Service Unavailable", {"retry-after": "2"})
