"""On-prem systems, the runs that read them, and what customers have in them (interface.md 4)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from msgspec import Meta, Struct
from starlette.responses import Response

from tocsin.api.access import demand_everywhere
from tocsin.api.problems import Problem, not_found
from tocsin.api.room import Operator, Reader, Room, TheRoom, answer
from tocsin.api.schema import described, json_of
from tocsin.engine.inventory.systems import Elsewhere, SystemStatus, Wish
from tocsin.engine.inventory.telling import Inventory, inventory_body
from tocsin.model.canonical import Counts, Difference, Run
from tocsin.store.contract import AuditEntry

router = APIRouter(tags=["systems"])
RUNS_SHOWN = 20
Customer = Annotated[str, Query(max_length=128)]


class RunView(Struct, frozen=True):
    """A reading of a system's inventory. `differences` are what it changes, or would change in a dry run."""

    id: str
    system: str
    state: str
    trigger: str
    started_at: datetime
    finished_at: datetime | None
    dry_run: bool
    accept_removals: bool
    why: str
    counts: Counts
    notes: Sequence[str]
    differences: Sequence[Difference]
    error: str
    error_class: str
    joined: bool = False
    """It was under way or waiting when it was asked for."""


class SystemView(Struct, frozen=True):
    """`devices` counts by state; `held`: removals that wait; `owned`: this node reads it."""

    name: str
    type: str
    status: str
    since: datetime
    error: str
    owned: bool
    devices: Mapping[str, int]
    unmapped: int
    held: int
    last_complete_sync: datetime | None
    last_event: datetime | None
    reconcile_corrections: int
    run: RunView | None
    """The one under way, else the last."""
    last_sync: RunView | None
    """The last that ended and was no dry run."""
    next_sync: datetime | None


class SystemList(Struct, frozen=True):
    items: Sequence[SystemView]


class SystemDetail(Struct, frozen=True):
    """`runs`: newest first, without their differences; those are at /runs/ID."""

    system: SystemView
    runs: Sequence[RunView]


class SyncIn(Struct, frozen=True, forbid_unknown_fields=True):
    """`fresh`: a run that begins after this moment, not the one under way."""

    dry_run: bool = False
    accept_removals: bool = False
    fresh: bool = False
    reason: Annotated[str, Meta(max_length=200)] = ""


class InventoryView(Struct, frozen=True):
    """What a service cloud gets in its profile `brief`."""

    devices: Sequence[dict[str, str]]


TYPES: tuple[type, ...] = (SystemView, SystemList, SystemDetail, RunView, SyncIn, InventoryView)
_bodies = msgspec.json.Decoder(SyncIn)


@router.get("/systems", **described("Systems: reachable or not, devices by state, last run", SystemList))
async def list_systems(room: TheRoom, rights: Reader) -> Response:
    demand_everywhere(rights, "a system")
    return answer(SystemList([system_view(status) for status in await room.gateway.systems.statuses()]))


@router.post("/systems/{name}/sync", **described("Read its inventory now", RunView, 202, json_of(SyncIn)))
async def sync(name: str, request: Request, room: TheRoom, rights: Operator) -> Response:
    demand_everywhere(rights, "a system")
    given = await room.buffers.small_json(request, _bodies)
    wish = Wish("manual", given.dry_run, given.accept_removals, given.fresh, given.reason or f"by {rights.name}")
    run, joined = await asked_for(room, name, wish, rights.name)
    return answer(run_view(run, joined), 202)


async def asked_for(room: Room, name: str, wish: Wish, who: str) -> tuple[Run, bool]:
    """The run that does it, and whether it was there already; written into the audit log. Raises Problem."""
    try:
        run, joined = await room.gateway.systems.sync(name, wish)
    except KeyError:
        raise not_found("such system") from None
    except Elsewhere as error:
        raise Problem(409, f"{error}.") from None
    action = "accept removals" if wish.accept_removals else "dry run" if wish.dry_run else "sync"
    await room.gateway.store.audit(AuditEntry(room.now(), who, action, name, result=run.id))
    return run, joined


@router.get("/systems/{name}", **described("One system with its last runs", SystemDetail))
async def one_system(name: str, room: TheRoom, rights: Reader) -> Response:
    demand_everywhere(rights, "a system")
    status = await known_system(room, name)
    runs = await room.gateway.systems.runs(name, RUNS_SHOWN)
    return answer(SystemDetail(system_view(status), [_brief(run) for run in runs]))


async def known_system(room: Room, name: str) -> SystemStatus:
    """Raises Problem 404."""
    try:
        return await room.gateway.systems.status(name)
    except KeyError:
        raise not_found("such system") from None


@router.get("/runs/{run_id}", **described("How a run goes, or went", RunView))
async def one_run(run_id: str, room: TheRoom, rights: Reader) -> Response:
    demand_everywhere(rights, "a run")
    run = await room.gateway.systems.run(run_id)
    if run is None:
        raise not_found("such run")
    return answer(run_view(run))


@router.get("/inventory", **described("What a customer has, in the brief's shape", InventoryView))
async def inventory(room: TheRoom, rights: Reader, customer_id: Customer = "") -> Response:
    demand_everywhere(rights, "the inventory")
    book = room.gateway.systems.book
    devices = await book.of_customer(customer_id)
    body = await book.apart(lambda: inventory_body(Inventory("", "", customer_id, tuple(devices)), "brief"))
    return answer(msgspec.Raw(body))


def run_view(run: Run, joined: bool = False) -> RunView:
    told = {name: getattr(run, name) for name in RunView.__struct_fields__ if name != "joined"}
    return RunView(**told, joined=joined)


def system_view(status: SystemStatus) -> SystemView:
    run = status.running or status.last_run
    return SystemView(
        name=status.name,
        type=status.type,
        status=status.source.status,
        since=status.source.since,
        error=status.source.error,
        owned=status.owned,
        devices=status.devices,
        unmapped=status.unmapped,
        held=status.held,
        last_complete_sync=status.last_complete_sync,
        last_event=status.last_event,
        reconcile_corrections=status.reconcile_corrections,
        run=_brief(run) if run else None,
        last_sync=_brief(status.last_sync) if status.last_sync else None,
        next_sync=status.next_sync,
    )


def _brief(run: Run) -> RunView:
    """Its differences may be a thousand lines."""
    return run_view(msgspec.structs.replace(run, differences=()))
