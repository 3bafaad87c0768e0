"""`tocsin simulate milestone`."""

from typing import Annotated, Literal

import typer

from tocsin.cli.context import WRONG_USE, stop
from tocsin.cli.simulate.serving import Cert, CertKey, Listen, print_line, server_tls, started, until_stopped

Faults = Annotated[
    list[str], typer.Option(help='Make requests fail: "cameras?disabled&page=6=silent*2"; 503, close, page, redirect.')
]


def milestone(
    listen: Listen = "127.0.0.1:4200",
    cameras: Annotated[int, typer.Option(min=1, max=100_000, help="Cameras.")] = 12,
    boxes: Annotated[int, typer.Option(min=1, max=100_000, help="Boxes they are shared out over.")] = 8,
    username: Annotated[str, typer.Option(help="The only user.")] = "svc-inventory",
    password: Annotated[str, typer.Option(help="The user's password.")] = "milestone",  # noqa: S107
    locked: Annotated[bool, typer.Option("--locked", help="The account is locked.")] = False,
    windows: Annotated[bool, typer.Option("--windows", help="A Windows user, DOMAIN\\name: NTLM at /IDP.")] = False,
    token_life: Annotated[float, typer.Option(min=1, help="Seconds after which a token is refused.")] = 3600.0,
    delay: Annotated[float, typer.Option(min=0, help="Answer each request so many seconds late.")] = 0.0,
    fault: Faults = [],  # noqa: B006
    paging: Annotated[Literal["honoured", "ignored", "size-ignored"], typer.Option(help="What page and size do.")] = (
        "honoured"
    ),
    driver_settings: Annotated[
        Literal["hardwareDriverSettings", "HardwareDriverSettings", "older", "none"],
        typer.Option(help="Where MAC addresses stand."),
    ] = "hardwareDriverSettings",
    identity_provider: Annotated[
        Literal["gateway", "root"], typer.Option(help="Tokens at /API/IDP or at /IDP.")
    ] = "gateway",
    events: Annotated[
        Literal["there", "absent", "down"], typer.Option(help="The Events and State service: absent before 2023 R3.")
    ] = "there",
    no_pongs: Annotated[bool, typer.Option("--no-pongs", help="WebSocket pings are not answered.")] = False,
    no_hardware_states: Annotated[bool, typer.Option("--no-hardware-states", help="Boxes have no states.")] = False,
    no_recorder_states: Annotated[
        bool, typer.Option("--no-recorder-states", help="The recording server has no state.")
    ] = False,
    pushed_between: Annotated[
        bool, typer.Option("--pushed-between", help="Push an event between each command and its answer.")
    ] = False,
    picture: Annotated[
        Literal["jpeg", "generic", "video"], typer.Option(help="What the recording server sends as picture.")
    ] = "jpeg",
    no_administrator: Annotated[bool, typer.Option("--no-administrator", help="The user may not read roles.")] = False,
    cert: Cert = None,
    cert_key: CertKey = None,
) -> None:
    """A Milestone XProtect site: API Gateway, Events and State service, recording server.

    Strict: what it does not know is refused. POST /standin/unplug/3 takes camera 3 away, /standin/plug/3 puts it back;
    also unplug-box, plug-box, unplug-recorder, plug-recorder, remove,
    drop, forget, revoke.

    Example: tocsin simulate milestone --listen 127.0.0.1:4200 --cameras 2500 --boxes 800 --delay 0.05
    """
    from tocsin.engine.clock import LoopClock
    from tocsin.standins.milestone.site import Plan
    from tocsin.standins.milestone.standin import MilestoneStandin
    from tocsin.standins.milestone.switches import Assumptions, Login, read_fault

    assumptions = Assumptions(
        paging=paging,
        driver_settings=driver_settings,
        identity_provider=identity_provider,
        events=events,
        hardware_states=not no_hardware_states,
        recorder_states=not no_recorder_states,
        pongs=not no_pongs,
        pushed_between=pushed_between,
        picture=picture,
        administrator=not no_administrator,
    )
    login = Login(username, password, token_life, locked, windows)
    tls = server_tls(cert, cert_key)
    standin = MilestoneStandin(listen, print_line, LoopClock(), Plan(cameras, boxes), login, assumptions, tls)
    standin.gateway.delay_s = delay
    try:
        standin.gateway.faults = [read_fault(text) for text in fault]
    except ValueError as error:
        stop(str(error), WRONG_USE)
    until_stopped(standin.serve(started(listen)), f"cannot listen on {listen}")
