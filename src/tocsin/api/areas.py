"""Areas: what is known, and what the API adds to it. They decide who may see what, so a narrowed token writes none."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Path, Request
from msgspec import Struct
from starlette.responses import Response

from tocsin.api.access import demand_everywhere
from tocsin.api.merging import parent_problem
from tocsin.api.problems import Problem, not_found
from tocsin.api.room import DeviceWriter, Reader, TheRoom, answer
from tocsin.api.schema import described, json_of
from tocsin.api.written import AreaIn, addresses_as_written, meant_area
from tocsin.model.device import Area

router = APIRouter(tags=["areas"])
AreaName = Annotated[str, Path(max_length=200)]
_areas = msgspec.json.Decoder(AreaIn)


class AreaView(Struct, frozen=True):
    """An area. `origin`: config or api; `addresses` is its list, for devices that have none of their own."""

    name: str
    parent: str
    customer_id: str
    time_zone: str
    addresses: dict[str, str]
    origin: str
    updated_at: str | None


class AreaList(Struct, frozen=True):
    items: Sequence[AreaView]


def area_view(area: Area) -> AreaView:
    return AreaView(
        name=area.name,
        parent=area.parent,
        customer_id=area.customer_id,
        time_zone=area.time_zone,
        addresses=addresses_as_written(area.addresses),
        origin=area.origin,
        updated_at=area.updated_at.isoformat() if area.updated_at else None,
    )


@router.get("/areas", **described("All areas by name", AreaList))
async def list_areas(room: TheRoom, rights: Reader) -> Response:
    tree = room.gateway.devices.areas
    visible = rights.areas is None or tree.within(rights.areas)
    return answer(AreaList([area_view(area) for area in tree.all() if visible is True or area.name in visible]))


@router.put("/areas/{name}", **described("Write an area", AreaView, bodies=json_of(AreaIn)))
async def put_area(name: AreaName, request: Request, room: TheRoom, rights: DeviceWriter) -> Response:
    demand_everywhere(rights, "an area")
    area = meant_area(name, await room.buffers.small_json(request, _areas))
    book = room.gateway.devices
    problem = parent_problem(area, {one.name: one.parent for one in book.areas.all()} | {name: area.parent})
    if problem:
        raise Problem(422, problem, field="parent")
    try:
        await book.keep([area], [], room.now())
    except PermissionError as error:
        raise Problem(409, f"{error}.") from None
    return answer(area_view(book.areas.get(name) or area))


@router.delete("/areas/{name}", **described("Forget an area", None, 204))
async def delete_area(name: AreaName, room: TheRoom, rights: DeviceWriter) -> Response:
    demand_everywhere(rights, "an area")
    book = room.gateway.devices
    if book.areas.get(name) is None:
        raise not_found("such area")
    inside = [f"the area {area.name}" for area in book.areas.all() if area.parent == name]
    inside += [f"the device {device.id}" for device in book.all() if device.area == name]
    if inside:
        more = f", and {len(inside) - 1} more" if len(inside) > 1 else ""
        raise Problem(409, f"In {name} lies {inside[0]}{more}: give them another place first.")
    try:
        await book.delete_area(name)
    except PermissionError as error:
        raise Problem(409, f"{error}.") from None
    return Response(status_code=204)
