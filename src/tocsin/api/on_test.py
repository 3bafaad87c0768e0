"""Areas and devices on test (interface.md 4): always with an end, always with a reason."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from msgspec import Meta, Struct
from starlette.responses import Response

from tocsin.api.access import Rights
from tocsin.api.problems import Problem, not_found
from tocsin.api.room import Operator, Reader, Room, TheRoom, answer
from tocsin.api.schema import described, json_of
from tocsin.config.fields import parse_duration
from tocsin.engine.on_test import problem_with
from tocsin.model.on_test import OnTest
from tocsin.protocols.text import one_line

router = APIRouter(tags=["on test"])
Included = Literal[
    "panic",
    "duress",
    "fire",
    "medical",
    "gas",
    "connection_lost",
    "connection_restored",
    "supervision_lost",
    "supervision_restored",
]
Names = Annotated[list[Annotated[str, Meta(min_length=1, max_length=200)]], Meta(max_length=100)]


class OnTestIn(Struct, frozen=True, forbid_unknown_fields=True, rename={"lasts": "for"}):
    """`until`, or `for` such as `2h`; one of the two. `include` are kinds that stay real otherwise."""

    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    until: Annotated[datetime, Meta(tz=True)] | None = None
    lasts: Annotated[str, Meta(max_length=30)] = ""
    devices: Names = msgspec.field(default_factory=list)
    destinations: Names = msgspec.field(default_factory=list)
    include: list[Included] = msgspec.field(default_factory=list)


class OnTestView(Struct, frozen=True):
    """Empty `devices` and `destinations`: all of them."""

    id: str
    area: str
    since: datetime
    until: datetime
    reason: str
    by: str
    devices: Sequence[str]
    destinations: Sequence[str]
    include: Sequence[str]


class OnTestList(Struct, frozen=True):
    items: Sequence[OnTestView]


_bodies = msgspec.json.Decoder(OnTestIn)


@router.get("/tests", **described("What is on test", OnTestList))
async def list_tests(room: TheRoom, rights: Reader) -> Response:
    return answer(OnTestList([_view(test) for test in visible_tests(room, rights)]))


@router.post("/areas/{name:path}/test", **described("Put on test", OnTestView, 201, json_of(OnTestIn)))
async def begin(name: str, request: Request, room: TheRoom, rights: Operator) -> Response:
    given = await room.buffers.small_json(request, _bodies)
    test = await room.gateway.tests.begin(_meant(room, rights, name, given))
    return answer(_view(test), 201)


@router.delete("/areas/{name:path}/test", **described("No longer on test", OnTestList))
async def end(
    name: str,
    room: TheRoom,
    rights: Operator,
    device: Annotated[list[str], Query(max_length=100)] = [],  # noqa: B006
) -> Response:
    """Ends every test of the area, or those of just these devices."""
    found = [test for test in room.gateway.tests.all() if test.area == name and may_end(room, rights, test)]
    ended = [test for test in found if not device or test.devices == tuple(sorted(set(device)))]
    if not ended:
        raise not_found("such test")
    for test in ended:
        await room.gateway.tests.end(test, rights.name)
    return answer(OnTestList([_view(test) for test in ended]))


def visible_tests(room: Room, rights: Rights) -> list[OnTest]:
    """What is on test, as far as it concerns whoever has these rights: also an area above their own."""
    tree = room.gateway.devices.areas
    above = {area for own in rights.areas or () for area in tree.lineage(own)}
    return [test for test in room.gateway.tests.all() if test.area in above or may_end(room, rights, test)]


def may_end(room: Room, rights: Rights, test: OnTest) -> bool:
    """Whether these rights reach all that is on test."""
    return _reach(room, rights, test.area, test.devices)


def _reach(room: Room, rights: Rights, area: str, devices: Sequence[str]) -> bool:
    tree = room.gateway.devices.areas
    return all(rights.reach(tree, area, device) for device in devices or ("",))


def _meant(room: Room, rights: Rights, area: str, given: OnTestIn) -> OnTest:
    """Raises Problem 403, 404, 422."""
    devices = tuple(sorted(set(given.devices)))
    if not _known(room, area):
        raise Problem(404, f"There is no area {area!r}. Areas are in the configuration and at the devices.")
    if not _reach(room, rights, area, devices):
        raise Problem(403, f"The token {rights.name} does not reach all of {area}.")
    for device in devices:
        _require_in_area(room, area, device)
    unknown = sorted(set(given.destinations) - set(room.gateway.names()))
    if unknown:
        raise Problem(422, f"destinations: there is no destination {unknown[0]!r}.", field="destinations")
    now = room.now()
    return OnTest(
        id="",
        area=area,
        since=now,
        until=_end(given, now),
        reason=one_line(given.reason, 500) or "no reason",
        by=rights.name,
        devices=devices,
        destinations=tuple(sorted(set(given.destinations))),
        include=tuple(sorted(set(given.include))),
    )


def _known(room: Room, area: str) -> bool:
    book = room.gateway.devices
    return area in book.areas or any(device.area == area for device in book.all())


def _require_in_area(room: Room, area: str, device_id: str) -> None:
    device = room.gateway.devices.get(device_id)
    if device is None or area not in room.gateway.devices.areas.lineage(device.area):
        raise Problem(422, f"devices: {device_id!r} is not a device of {area}.", field="devices")


def _end(given: OnTestIn, now: datetime) -> datetime:
    if (given.until is None) == (not given.lasts):
        raise Problem(422, 'Say when it ends: until, or for, such as "2h"; one of the two.', field="until")
    try:
        until = (given.until or now + timedelta(seconds=parse_duration(given.lasts))).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Problem(422, f"for: {error}", field="for") from None
    problem = problem_with(now, until)
    if problem:
        raise Problem(422, f"{'until' if given.until else 'for'}: {problem}.", field="until" if given.until else "for")
    return until


def _view(test: OnTest) -> OnTestView:
    return OnTestView(
        id=test.id,
        area=test.area,
        since=test.since,
        until=test.until,
        reason=test.reason,
        by=test.by,
        devices=test.devices,
        destinations=test.destinations,
        include=test.include,
    )
