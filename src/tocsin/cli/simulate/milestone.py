"""`tocsin simulate milestone`."""

from typing import Annotated

import typer

from tocsin.cli.context import WRONG_USE, stop
from tocsin.cli.simulate.serving import Cert, CertKey, Listen, print_line, server_tls, started, until_stopped

Faults = Annotated[
    list[str], typer.Option(help='Make requests fail: "cameras?disabled&page=6=silent*2"; 503, close, page, redirect.')
]
Assumed = Annotated[
    list[str],
    typer.Option(
        help="What is not published, the other way: paging=ignored|size-ignored, pushed_between=true, "
        "driver_settings=HardwareDriverSettings|older|none, identity_provider=root, gateways=text, pongs=false, "
        "events=absent|down, hardware_states=false, recorder_states=false, picture=generic|video, administrator=false, "
        "video=h264-b|h265|jpeg, answers=packets|wrapped|single, gap=after|nothing, end=nothing, sequences=newest."
    ),
]
Gaps = Annotated[
    list[str], typer.Option(help="Nothing was recorded from then to then: 2025-03-08T09:10:00Z/2025-03-08T09:20:00Z.")
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
    gap: Gaps = [],  # noqa: B006
    recorder_delay: Annotated[float, typer.Option(min=0, help="The recording server answers so late.")] = 0.0,
    recorder_cut: Annotated[
        int,
        typer.Option(min=0, help="The recording server breaks off in the middle of this answer; 0: never."),
    ] = 0,
    fault: Faults = [],  # noqa: B006
    assume: Assumed = [],  # noqa: B006
    cert: Cert = None,
    cert_key: CertKey = None,
) -> None:
    """A Milestone XProtect site with its recording server.

    API Gateway, Events and State service, ImageServer with a recording of each camera. Strict: what it does not know is
    refused. POST /standin/unplug/3 takes camera 3 away, /standin/plug/3 puts it back; also unplug-box, plug-box,
    unplug-recorder, plug-recorder, motion, still, input, input-off, remove, drop, forget, revoke.

    Example: tocsin simulate milestone --listen 127.0.0.1:4200 --cameras 2500 --boxes 800 --delay 0.05
    """
    from tocsin.engine.clock import LoopClock
    from tocsin.standins.milestone.site import Plan
    from tocsin.standins.milestone.standin import MilestoneStandin
    from tocsin.standins.milestone.switches import Login, read_assumptions, read_fault, read_gap

    try:
        assumptions, faults = read_assumptions(assume), [read_fault(text) for text in fault]
        gaps = [read_gap(text) for text in gap]
    except ValueError as error:
        stop(str(error), WRONG_USE)
    login = Login(username, password, token_life, locked, windows)
    tls = server_tls(cert, cert_key)
    standin = MilestoneStandin(listen, print_line, LoopClock(), Plan(cameras, boxes), login, assumptions, tls)
    standin.gateway.delay_s = delay
    standin.gateway.faults = faults
    recorder = standin.recorder
    recorder.gaps, recorder.delay_s, recorder.cut_after = gaps, recorder_delay, recorder_cut
    until_stopped(standin.serve(started(listen)), f"cannot listen on {listen}")
