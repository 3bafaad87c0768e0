"""Orders to devices: given by people and programs, fetched and answered by the devices themselves (long poll)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Header, Path, Query, Request
from msgspec import Meta, Struct
from starlette.responses import Response

from tocsin.api.access import Rights
from tocsin.api.devices import DeviceId, known_device
from tocsin.api.events import PageSize, Word
from tocsin.api.problems import Problem, not_found
from tocsin.api.room import Auditor, Commander, Controller, Reader, Room, TheRoom, answer, caller_of
from tocsin.api.schema import described, json_of
from tocsin.engine.commands import SirenDisarmed, Unfit, Wish
from tocsin.model.command import Command, CommandState, Order
from tocsin.store.contract import AuditEntry, CommandFilter

router = APIRouter(tags=["commands"])
LONGEST_WAIT_S = 60.0
Identifier = Annotated[str, Path(pattern=r"^[0-9A-Za-z]{1,64}$")]
IdempotencyKey = Annotated[str, Header(alias="Idempotency-Key", pattern=r"^[\x21-\x7e]{0,200}$")]


class CommandIn(Struct, frozen=True, forbid_unknown_fields=True):
    """An order. `audio` and `duration_s` (1 to 60) for a siren; `duration_s` or `no_time_limit` for a disarm."""

    order: Order
    audio: Annotated[str, Meta(max_length=100)] = ""
    duration_s: int | None = None
    no_time_limit: bool = False


class ResultIn(Struct, frozen=True, forbid_unknown_fields=True):
    """How it ended at the device."""

    state: Literal["confirmed", "failed"]
    text: Annotated[str, Meta(max_length=2000)] = ""


class DueCommandView(Struct, frozen=True):
    """An order as its device sees it. `until`: a disarm is over then, and the device arms itself again."""

    id: str
    order: str
    audio: str
    duration_s: int | None
    until: datetime | None
    no_time_limit: bool
    requested_at: datetime
    expires_at: datetime


class DueCommandList(Struct, frozen=True):
    items: Sequence[DueCommandView]


class CommandView(Struct, frozen=True):
    """An order with who gave it and how it went: requested, sent, then confirmed, failed or expired."""

    id: str
    request_id: str
    device_id: str
    order: str
    state: str
    audio: str
    duration_s: int | None
    until: datetime | None
    no_time_limit: bool
    requested_at: datetime
    expires_at: datetime
    requested_by: str
    source_address: str
    sent_at: datetime | None
    ended_at: datetime | None
    result: str


class CommandPage(Struct, frozen=True):
    items: Sequence[CommandView]
    next_cursor: str | None


class AuditList(Struct, frozen=True):
    """Who did what, newest first."""

    items: Sequence[AuditEntry]


_orders = msgspec.json.Decoder(CommandIn)
_results = msgspec.json.Decoder(ResultIn)


def _due_view(command: Command) -> DueCommandView:
    given = command.parameters
    what = (command.id, command.order, given.audio, given.duration_s, given.until, given.no_time_limit)
    return DueCommandView(*what, command.requested_at, command.expires_at)


def command_view(command: Command) -> CommandView:
    return CommandView(
        id=command.id,
        request_id=command.request_id,
        device_id=command.device_id,
        order=command.order,
        state=command.state,
        audio=command.parameters.audio,
        duration_s=command.parameters.duration_s,
        until=command.parameters.until,
        no_time_limit=command.parameters.no_time_limit,
        requested_at=command.requested_at,
        expires_at=command.expires_at,
        requested_by=command.requested_by,
        source_address=command.source_address,
        sent_at=command.sent_at,
        ended_at=command.ended_at,
        result=command.result,
    )


def sees(room: Room, rights: Rights, device_id: str) -> bool:
    """Whether these rights reach the device; one that is gone is seen by rights that are not narrowed."""
    device = room.gateway.devices.get(device_id)
    area = device.area if device is not None else ""
    return not rights.narrowed or rights.reach(room.gateway.devices.areas, area, device_id)


async def _command(room: Room, rights: Rights, command_id: str) -> Command:
    """Raises Problem 404."""
    for command in await room.gateway.store.commands(CommandFilter(1, command_id=command_id)):
        if sees(room, rights, command.device_id):
            return command
    raise not_found("such command")


@router.get("/devices/{device_id}/commands", **described("A device fetches its orders (long poll)", DueCommandList))
async def fetch(
    device_id: DeviceId,
    request: Request,
    room: TheRoom,
    rights: Commander,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for an order.")] = 0.0,
) -> Response:
    known_device(room, rights, device_id)
    room.gateway.contacts.heard(device_id)
    commands = room.gateway.commands
    room.polls.check()
    with room.polls.counted():
        found = await commands.wait(device_id, wait)
    if not found or await request.is_disconnected():  # an answer that nobody hears must not count as sent
        return answer(DueCommandList([]))
    return answer(DueCommandList([_due_view(command) for command in await commands.fetch(device_id)]))


@router.post("/commands/{command_id}/result", **described("How it ended", CommandView, bodies=json_of(ResultIn)))
async def result(command_id: Identifier, request: Request, room: TheRoom, rights: Commander) -> Response:
    given = await room.buffers.small_json(request, _results)
    command = await _command(room, rights, command_id)
    after = await room.gateway.commands.end(command, given.state, given.text)
    if after.state != given.state:
        known = f": {after.result}" if after.result else ""
        raise Problem(409, f"This command is {after.state}{known}; it takes a result only after it was fetched.")
    return answer(command_view(after))


@router.post(
    "/devices/{device_id}/commands", **described("Order a device", CommandView, 202, bodies=json_of(CommandIn))
)
async def order(
    device_id: DeviceId, request: Request, room: TheRoom, rights: Controller, idempotency_key: IdempotencyKey = ""
) -> Response:
    given = await room.buffers.small_json(request, _orders)
    device = known_device(room, rights, device_id)
    by = (rights.name, caller_of(request))
    wish = Wish(given.order, *by, given.audio, given.duration_s, given.no_time_limit, idempotency_key)
    try:
        asked = await room.gateway.commands.request([device], wish)
    except SirenDisarmed as error:
        raise Problem(409, f"{error}: arm it first.") from None
    except Unfit as error:
        raise Problem(422, f"{error}.") from None
    return answer(command_view(asked.commands[0]), 202)


@router.get("/commands", **described("Orders, newest first", CommandPage))
async def list_commands(
    room: TheRoom,
    rights: Reader,
    limit: PageSize = 50,
    cursor: Annotated[str, Query(pattern=r"^[0-9A-Za-z]{0,64}$")] = "",
    device_id: Word = "",
    request_id: Word = "",
    state: Annotated[list[CommandState], Query(max_length=5)] = [],  # noqa: B006
) -> Response:
    wanted = CommandFilter(limit, cursor, "", request_id, device_id, frozenset(state))
    found = await room.gateway.store.commands(wanted)
    items = [command_view(command) for command in found if sees(room, rights, command.device_id)]
    return answer(CommandPage(items, found[-1].id if len(found) == limit else None))


@router.get("/commands/{command_id}", **described("One order", CommandView))
async def get_command(command_id: Identifier, room: TheRoom, rights: Reader) -> Response:
    return answer(command_view(await _command(room, rights, command_id)))


@router.get("/audit", **described("Who did what, newest first", AuditList))
async def audit(room: TheRoom, rights: Auditor, limit: PageSize = 50) -> Response:
    return answer(AuditList(await room.gateway.store.audit_entries(limit)))


TYPES: tuple[type[Any], ...] = (
    *(CommandIn, ResultIn, DueCommandView, DueCommandList),
    *(CommandView, CommandPage, AuditList),
)
