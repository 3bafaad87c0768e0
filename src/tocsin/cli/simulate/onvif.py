"""`tocsin simulate onvif`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli.context import WRONG_USE, stop
from tocsin.cli.simulate.serving import (
    Cert,
    CertKey,
    Listen,
    print_line,
    seconds,
    server_tls,
    started,
    until_stopped,
)

if TYPE_CHECKING:
    from tocsin.standins.onvif import OnvifCamera, OnvifCameras


def onvif(
    listen: Listen = "127.0.0.1:4130",
    cameras: Annotated[int, typer.Option(min=1, max=500, help="So many, on this port and those that follow.")] = 1,
    sources: Annotated[int, typer.Option(min=1, max=16, help="Video sources of each.")] = 1,
    user: Annotated[str, typer.Option(help="Demand this user.")] = "",
    password: Annotated[str, typer.Option(help="The user's password.")] = "",
    http_digest: Annotated[bool, typer.Option("--http-digest", help="Ask for the login by HTTP.")] = False,
    clock_ahead: Annotated[str, typer.Option(help='Their clocks are ahead by so much, such as "2h".')] = "",
    clock_behind: Annotated[str, typer.Option(help="Their clocks are behind by so much.")] = "",
    frozen: Annotated[bool, typer.Option("--frozen", help="Take connections and never answer.")] = False,
    without: Annotated[list[str], typer.Option(help="An operation they do not have; may be repeated.")] = [],  # noqa: B006
    foreign: Annotated[str, typer.Option(help="What they take for their own address: http://192.0.2.99.")] = "",
    media2: Annotated[bool, typer.Option("--media2", help="Offer the newer media service too.")] = False,
    motion: Annotated[str, typer.Option(help='The first sees motion begin or end this often, such as "10s".')] = "",
    picture: Annotated[Path | None, typer.Option(help="JPEG file they show.")] = None,
    cert: Cert = None,
    cert_key: CertKey = None,
) -> None:
    """ONVIF cameras, strict about logins, names and headers.

    Example: tocsin simulate onvif --cameras 3 --user viewer --password sesame --motion 10s
    """
    from datetime import timedelta

    from tocsin.engine.clock import LoopClock
    from tocsin.standins.onvif import OnvifCamera, OnvifCameras
    from tocsin.standins.onvif_answers import Nature

    if clock_ahead and clock_behind:
        stop("give --clock-ahead or --clock-behind, not both", WRONG_USE)
    ahead_s = seconds("--clock-ahead", clock_ahead) if clock_ahead else 0.0
    behind_s = seconds("--clock-behind", clock_behind) if clock_behind else 0.0
    every_s = seconds("--motion", motion) if motion else 0.0
    shown = _picture(picture)
    made = []
    for number in range(1, cameras + 1):
        mac = f"9c-8e-cd-12-{number >> 8:02x}-{number & 255:02x}"
        nature = Nature(name=f"Gate {number}", serial=f"AC22-{4416 + number:07d}", mac=mac, sources=sources)
        camera = OnvifCamera(nature, LoopClock(), user, password)
        camera.offset = timedelta(seconds=ahead_s - behind_s)
        camera.http_digest, camera.frozen, camera.media2 = http_digest, frozen, media2
        camera.without, camera.foreign, camera.picture = set(without), foreign, shown
        made.append(camera)
    standin = OnvifCameras(listen, print_line, made, server_tls(cert, cert_key))
    until_stopped(_serve(standin, made[0], every_s, listen), f"cannot listen on {listen}")


def _picture(path: Path | None) -> bytes:
    try:
        return b"" if path is None else path.read_bytes()
    except OSError as error:
        stop(f"the picture {path} cannot be read: {error.strerror}", WRONG_USE)


async def _serve(standin: "OnvifCameras", first: "OnvifCamera", every_s: float, listen: str) -> None:
    import asyncio

    async with asyncio.TaskGroup() as group:
        group.create_task(standin.serve(started(listen)))
        if every_s:
            group.create_task(_move(first, every_s))


async def _move(camera: "OnvifCamera", every_s: float) -> None:
    import asyncio

    moving = False
    while True:
        await asyncio.sleep(every_s)
        moving = not moving
        source = {"VideoSourceConfigurationToken": "VSC1", "Rule": "Yard"}
        topic = "tns1:RuleEngine/CellMotionDetector/Motion"
        await camera.notify(topic, source, {"IsMotion": "true" if moving else "false"})
