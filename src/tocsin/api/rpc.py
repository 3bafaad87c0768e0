"""JSON-RPC 2.0 at `/rpc`: the methods people's scripts call instead of paths."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from msgspec import UNSET, Struct, UnsetType
from starlette.responses import Response

from tocsin.api.access import Rights
from tocsin.api.bodies import require_json
from tocsin.api.problems import Problem
from tocsin.api.room import Reader, Room, TheRoom, answer
from tocsin.api.schema import described, json_of
from tocsin.api.views import destination_view

router = APIRouter(tags=["rpc"])
_LONGEST_BATCH = 50
PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS = -32700, -32600, -32601, -32602


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


Method = Callable[[Room, Rights], Awaitable[Any]]


async def _gateway_status(room: Room, rights: Rights) -> Any:
    ready, reason = room.gateway.ready()
    destinations = [destination_view(status) for status in await room.gateway.destinations()]
    return {"name": room.gateway.name, "ready": ready, "reason": reason, "destinations": destinations}


METHODS: dict[str, Method] = {"gateway.status": _gateway_status}


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
    if call.params:
        return _failed(_id(call), INVALID_PARAMS, f"{call.method} takes no params.")
    return Reply("2.0", _id(call), result=await method(room, rights))


def _id(call: Call) -> str | int | None:
    return None if call.id is UNSET else call.id


def _failed(call_id: str | int | None, code: int, message: str) -> Reply:
    return Reply("2.0", call_id, error=RpcError(code, message))
