"""JSON-RPC 2.0 at `/rpc`: the methods people's scripts call instead of paths."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from msgspec import UNSET, Struct, UnsetType
from starlette.responses import Response

from tocsin.api.access import Rights
from tocsin.api.bodies import require_json
from tocsin.api.destinations import visible_statuses
from tocsin.api.problems import Problem
from tocsin.api.room import Reader, Room, TheRoom, answer
from tocsin.api.schema import described, json_of
from tocsin.api.views import destination_view
from tocsin.engine.inventory.systems import Elsewhere, TooSoon, Wish

router = APIRouter(tags=["rpc"])
_LONGEST_BATCH = 50
PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602
NOT_ALLOWED, NOT_NOW = -32001, -32002
"""Of those that JSON-RPC leaves to the server."""


class Call(Struct, frozen=True, forbid_unknown_fields=True):
    """One call; without `id` it is a notification and gets no answer."""

    jsonrpc: str
    method: str
    params: dict[str, Any] | list[Any] | None = None
    id: str | int | UnsetType | None = UNSET


class RpcError(Struct, frozen=True):
    code: int
    message: str


class Reply(Struct, frozen=True, omit_defaults=True):
    jsonrpc: str
    id: str | int | None
    result: Any = UNSET
    error: RpcError | UnsetType = UNSET


class BadCall(Exception):
    """Why a method was not carried out, with JSON-RPC's code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class SyncParams(Struct, frozen=True, forbid_unknown_fields=True):
    """connectors.md 2.1. Without `systems`: all of them."""

    systems: Sequence[str] = ()
    reason: str = ""
    fresh: bool = False


Method = Callable[[Room, Rights, Any], Awaitable[Any]]


async def _gateway_status(room: Room, rights: Rights, params: Any) -> Any:
    if params:
        raise BadCall(INVALID_PARAMS, "gateway.status takes no params.")
    ready, reason = room.gateway.ready()
    destinations = [destination_view(status) for status in await visible_statuses(room, rights)]
    return {"name": room.gateway.name, "ready": ready, "reason": reason, "destinations": destinations}


async def _inventory_sync(room: Room, rights: Rights, params: Any) -> Any:
    if rights.narrowed or not rights.may("operate"):
        raise BadCall(NOT_ALLOWED, f"The token {rights.name} lacks the scope operate, or is narrowed.")
    try:
        given = msgspec.convert(params or {}, SyncParams)
    except msgspec.ValidationError as error:
        raise BadCall(INVALID_PARAMS, str(error)) from None
    systems = room.gateway.systems
    names = list(dict.fromkeys(given.systems)) or systems.names()
    unknown = [name for name in names if name not in systems.names()]
    if unknown:
        raise BadCall(INVALID_PARAMS, f"There is no system {unknown[0][:40]!r}.")
    return {"runs": [await _sync_one(room, name, given, rights) for name in names]}


async def _sync_one(room: Room, name: str, given: SyncParams, rights: Rights) -> Any:
    wish = Wish("rpc", fresh=given.fresh, why=given.reason or f"by {rights.name}")
    try:
        run, joined = await room.gateway.systems.sync(name, wish)
    except (TooSoon, Elsewhere) as error:
        raise BadCall(NOT_NOW, f"{error}.") from None
    return {"system_id": name, "run_id": run.id, "state": run.state, "joined": joined}


METHODS: dict[str, Method] = {"gateway.status": _gateway_status, "inventory.sync": _inventory_sync}


@router.post("/rpc", **described("JSON-RPC 2.0", json_of(Reply), bodies=json_of(Call)))
async def rpc(request: Request, room: TheRoom, rights: Reader) -> Response:
    require_json(request)
    async with room.buffers.body(request, room.limits.small) as body:
        try:
            given = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return answer(_failed(None, PARSE_ERROR, "This is not JSON."))
    if isinstance(given, list):
        return await _batch(room, rights, given)
    reply = await _answer_one(room, rights, given)
    return answer(reply) if reply else Response(status_code=204)


async def _batch(room: Room, rights: Rights, calls: Sequence[Any]) -> Response:
    if len(calls) > _LONGEST_BATCH:
        raise Problem(413, f"A batch holds at most {_LONGEST_BATCH} calls.")
    if not calls:
        return answer(_failed(None, INVALID_REQUEST, "An empty batch asks for nothing."))
    replies = [reply for call in calls if (reply := await _answer_one(room, rights, call))]
    return answer(replies) if replies else Response(status_code=204)


async def _answer_one(room: Room, rights: Rights, given: Any) -> Reply | None:
    try:
        call = msgspec.convert(given, Call)
    except msgspec.ValidationError as error:
        return _failed(None, INVALID_REQUEST, str(error))
    if call.jsonrpc != "2.0":
        return _failed(_id(call), INVALID_REQUEST, 'jsonrpc must be "2.0".')
    reply = await _call(room, rights, call)
    return None if call.id is UNSET else reply


async def _call(room: Room, rights: Rights, call: Call) -> Reply:
    method = METHODS.get(call.method)
    if method is None:
        return _failed(_id(call), NO_METHOD, f"Methods here: {', '.join(sorted(METHODS))}.")
    try:
        return Reply("2.0", _id(call), result=await method(room, rights, call.params))
    except BadCall as error:
        return _failed(_id(call), error.code, str(error))


def _id(call: Call) -> str | int | None:
    return None if call.id is UNSET else call.id


def _failed(call_id: str | int | None, code: int, message: str) -> Reply:
    return Reply("2.0", call_id, error=RpcError(code, message))
