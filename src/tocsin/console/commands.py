"""The page of commands: what was ordered, by whom, and how it ended."""

from datetime import UTC
from typing import Final

from fastapi import APIRouter, Request
from msgspec import Struct
from starlette.responses import Response

from tocsin.api.commands import sees
from tocsin.api.room import TheRoom
from tocsin.console.looks import page
from tocsin.console.pages import summary_of
from tocsin.console.present import Tone
from tocsin.console.visitor import AVisitor
from tocsin.model.command import Command
from tocsin.model.device import Device
from tocsin.store.contract import CommandFilter

router = APIRouter(include_in_schema=False)
SHOWN = 100
_ICONS: Final = {"siren": "bell", "stop_siren": "close", "arm": "lock", "disarm": "unlock"}
_WORDS: Final = {"siren": "Siren", "stop_siren": "Stop siren", "arm": "Arm", "disarm": "Disarm"}
_TONES: dict[str, Tone] = {
    "requested": "info",
    "sent": "info",
    "confirmed": "good",
    "failed": "alarm",
    "expired": "warn",
}


class Line(Struct, frozen=True):
    """A command as the page shows it."""

    command: Command
    headline: str
    icon: str
    tone: Tone
    who: str
    where: str


@router.get("/commands")
async def commands(request: Request, room: TheRoom, visitor: AVisitor) -> Response:
    found = await room.gateway.store.commands(CommandFilter(SHOWN))
    seen = [one for one in found if sees(room, visitor.rights, one.device_id)]
    lines = [line(one, room.gateway.devices.get(one.device_id)) for one in seen]
    overall = await summary_of(room, visitor.rights, await room.gateway.destinations())
    return page(request, visitor, "commands.html", lines=lines, summary=overall)


def line(command: Command, device: Device | None) -> Line:
    who = (device.name if device else "") or command.device_id
    where = device.area if device else ""
    return Line(command, _headline(command), _ICONS[command.order], _TONES[command.state], who, where)


def _headline(command: Command) -> str:
    """`Siren leave for 30 s`, `Disarm until 2026-05-30 22:15 UTC`."""
    given = command.parameters
    parts = [_WORDS[command.order], given.audio]
    parts.append(f"for {given.duration_s} s" if given.duration_s else "")
    parts.append(f"until {given.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if given.until else "")
    parts.append("without time limit" if given.no_time_limit else "")
    return " ".join(part for part in parts if part)
