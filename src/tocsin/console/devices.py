"""The page of devices: which are heard, which are silent, and how their batteries stand."""

from typing import Final

from fastapi import APIRouter, Request
from msgspec import Struct
from starlette.responses import Response

from tocsin.api.room import TheRoom
from tocsin.console.looks import page
from tocsin.console.pages import summary_of
from tocsin.console.present import Tone
from tocsin.console.visitor import AVisitor
from tocsin.engine.contacts import DeviceState
from tocsin.model.contact import Status
from tocsin.model.device import Device

router = APIRouter(include_in_schema=False)
SHOWN = 500
_TONES: Final[dict[Status, Tone]] = {"online": "good", "offline": "alarm", "unknown": "info"}
_URGENCY: Final[dict[Status, int]] = {"offline": 0, "online": 1, "unknown": 2}


class Line(Struct, frozen=True):
    """A device as the page shows it."""

    device: Device
    state: DeviceState
    tone: Tone
    battery_tone: Tone


@router.get("/devices")
async def devices(request: Request, room: TheRoom, visitor: AVisitor) -> Response:
    book = room.gateway.devices
    seen = [one for one in book.all() if visitor.rights.reach(book.areas, one.area, one.id)]
    lines = sorted((line(one, room.gateway.contacts.state(one)) for one in seen), key=_first)
    overall = await summary_of(room, visitor.rights, await room.gateway.destinations())
    return page(request, visitor, "devices.html", lines=lines[:SHOWN], left_out=len(lines[SHOWN:]), summary=overall)


def line(device: Device, state: DeviceState) -> Line:
    return Line(device, state, _TONES[state.status], "good" if state.battery_state == "good" else "warn")


def _first(shown: Line) -> tuple[int, bool, str]:
    """What needs somebody comes first."""
    return _URGENCY[shown.state.status], shown.battery_tone == "good", shown.device.id
