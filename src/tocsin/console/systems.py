"""The pages of on-prem systems: what each has, how its reading goes, and what waits for somebody to agree."""

import json
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from tocsin.api.access import demand_everywhere
from tocsin.api.events import Word
from tocsin.api.problems import Problem, not_found
from tocsin.api.room import Room, TheRoom
from tocsin.api.systems import asked_for, known_system
from tocsin.console.looks import page
from tocsin.console.pages import summary_of
from tocsin.console.present import Summary
from tocsin.console.system_views import Wanted, difference_lines, found_devices, missing, run_line, system_card
from tocsin.console.visitor import AnOperator, AVisitor, Visitor
from tocsin.engine.inventory.systems import SystemStatus, Wish

router = APIRouter(include_in_schema=False)
RUNS_SHOWN = 10
LISTED = 500
PageNumber = Annotated[int, Query(ge=1, le=100_000, alias="page")]
Count = Annotated[int, Query(ge=0, le=1_000_000)]
Status = Literal["", "online", "offline", "degraded", "disabled", "unknown"]


@router.get("/systems")
async def systems(request: Request, room: TheRoom, visitor: AVisitor) -> Response:
    demand_everywhere(visitor.rights, "a system")
    cards = [system_card(status) for status in await room.gateway.systems.statuses()]
    return page(request, visitor, "systems.html", cards=cards, summary=await _summary(room, visitor))


@router.get("/systems/{name}")
async def system(
    name: str,
    request: Request,
    room: TheRoom,
    visitor: AVisitor,
    device: Word = "",
    type: Word = "",  # noqa: A002
    status: Status = "",
    number: PageNumber = 1,
) -> Response:
    found = await _known(room, visitor, name)
    kept = await room.gateway.systems.book.of_system(name)
    return page(
        request,
        visitor,
        "system.html",
        card=system_card(found),
        found=found_devices(kept, Wanted(device, type, status, number)),
        runs=[run_line(run) for run in await room.gateway.systems.runs(name, RUNS_SHOWN)],
        summary=await _summary(room, visitor),
    )


@router.get("/systems/{name}/runs/{run_id}")
async def one_run(name: str, run_id: str, request: Request, room: TheRoom, visitor: AVisitor) -> Response:
    status = await _known(room, visitor, name)
    run = await room.gateway.systems.run(run_id)
    if run is None or run.system != name:
        raise not_found("such run")
    return page(
        request,
        visitor,
        "run.html",
        card=system_card(status),
        line=run_line(run),
        differences=difference_lines(run),
        summary=await _summary(room, visitor),
    )


@router.get("/systems/{name}/removals")
async def removals(name: str, request: Request, room: TheRoom, visitor: AVisitor) -> Response:
    status = await _known(room, visitor, name)
    gone = missing(await room.gateway.systems.book.of_system(name))
    return page(
        request,
        visitor,
        "removals.html",
        card=system_card(status),
        gone=gone[:LISTED],
        left_out=len(gone[LISTED:]),
        count=len(gone),
        summary=await _summary(room, visitor),
    )


@router.post("/systems/{name}/sync")
async def sync(name: str, request: Request, room: TheRoom, visitor: AnOperator) -> Response:
    await _known(room, visitor, name)
    await asked_for(room, name, _wish(visitor), visitor.rights.name)
    if "hx-request" not in request.headers:
        return RedirectResponse(f"/systems/{name}", 303)
    card = system_card(await room.gateway.systems.status(name))
    fragment = page(request, visitor, "system_card.html", card=card)
    fragment.headers["hx-trigger"] = json.dumps({"said": f"{name} is being read."})
    return fragment


@router.post("/systems/{name}/dry-run")
async def dry_run(name: str, room: TheRoom, visitor: AnOperator) -> Response:
    demand_everywhere(visitor.rights, "a system")
    run, _ = await asked_for(room, name, _wish(visitor, dry_run=True), visitor.rights.name)
    return RedirectResponse(f"/systems/{name}/runs/{run.id}", 303)


@router.post("/systems/{name}/removals")
async def accept_removals(name: str, count: Count, room: TheRoom, visitor: AnOperator) -> Response:
    """`count` is the number of devices that was agreed to: more are not removed on the strength of it."""
    await _known(room, visitor, name)
    gone = missing(await room.gateway.systems.book.of_system(name))
    if count != len(gone):
        raise Problem(409, f"{len(gone)} devices are missing by now: look at the list again, then decide.")
    run, _ = await asked_for(room, name, _wish(visitor, accept_removals=True), visitor.rights.name)
    return RedirectResponse(f"/systems/{name}/runs/{run.id}", 303)


def _wish(visitor: Visitor, dry_run: bool = False, accept_removals: bool = False) -> Wish:
    return Wish("manual", dry_run, accept_removals, why=f"by {visitor.rights.name} at the console")


async def _known(room: Room, visitor: Visitor, name: str) -> SystemStatus:
    demand_everywhere(visitor.rights, "a system")
    return await known_system(room, name)


async def _summary(room: Room, visitor: Visitor) -> Summary:
    return await summary_of(room, visitor.rights, await room.gateway.destinations())
