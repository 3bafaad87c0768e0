"""The page of devices: which are heard, which are silent, and how their batteries stand."""

from collections.abc import Container
from typing import Final

from fastapi import APIRouter, Request
from msgspec import Struct
from starlette.responses import Response

from tocsin.api.devices import status_of
from tocsin.api.room import TheRoom
from tocsin.console.looks import page
from tocsin.console.pages import summary_of
from tocsin.console.present import Tone
from tocsin.console.system_views import STATE_TONES
from tocsin.console.visitor import AVisitor
from tocsin.engine.contacts import DeviceState
from tocsin.model.canonical import Health
from tocsin.model.device import Device
from tocsin.model.inventory import HealthState

router = APIRouter(include_in_schema=False)
SHOWN = 500
_URGENCY: Final[dict[HealthState, int]] = {"offline": 0, "degraded": 1, "online": 2, "unknown": 3, "disabled": 4}


class Line(Struct, frozen=True):
    """A device as the page shows it. `system`: whose it is, empty for none; `health`: what that says of it."""

    device: Device
    state: DeviceState
    status: HealthState
    tone: Tone
    battery_tone: Tone
    system: str = ""
    health: Health | None = None


@router.get("/devices")
async def devices(request: Request, room: TheRoom, visitor: AVisitor) -> Response:
    book = room.gateway.devices
    seen = [one for one in book.all() if visitor.rights.reach(book.areas, one.area, one.id)]
    health, systems = room.gateway.systems.book.health, set(room.gateway.systems.names())
    lines = sorted((line(one, room.gateway.contacts.state(one), systems, health(one.id)) for one in seen), key=_first)
    overall = await summary_of(room, visitor.rights, await room.gateway.destinations())
    return page(request, visitor, "devices.html", lines=lines[:SHOWN], left_out=len(lines[SHOWN:]), summary=overall)


def line(device: Device, state: DeviceState, systems: Container[str] = (), health: Health | None = None) -> Line:
    status = status_of(state, health)
    battery: Tone = "good" if state.battery_state == "good" else "warn"
    system = device.origin if device.origin in systems else ""
    return Line(device, state, status, STATE_TONES[status], battery, system, health)


def _first(shown: Line) -> tuple[int, bool, str]:
    """What needs somebody comes first."""
    return _URGENCY[shown.status], shown.battery_tone == "good", shown.device.id
