"""`tocsin simulate cloud`."""

from typing import TYPE_CHECKING, Annotated, cast

import typer

from tocsin.cli.context import WRONG_USE, stop
from tocsin.cli.simulate.serving import (
    Cert,
    CertKey,
    Close,
    Cut,
    Delay,
    Listen,
    Silent,
    Times,
    misbehave,
    print_line,
    server_tls,
    started,
    until_stopped,
)

if TYPE_CHECKING:
    from tocsin.standins.cloud import Profile


def cloud(
    listen: Listen = "127.0.0.1:4130",
    profile: Annotated[str, typer.Option(help="Take this profile: brief or extended.")] = "brief",
    bearer: Annotated[str, typer.Option(help="Demand this bearer token.")] = "",
    refuse: Annotated[list[str], typer.Option(help="Answer 400 for this device; may be repeated.")] = [],  # noqa: B006
    several: Annotated[bool, typer.Option("--several", help='Take {"events": […]} too.')] = False,
    cert: Cert = None,
    cert_key: CertKey = None,
    status: Annotated[int, typer.Option(min=0, max=599, help="Answer this status.")] = 0,
    retry_after: Annotated[int, typer.Option(min=0, help="With --status: ask for so many seconds of patience.")] = 0,
    delay: Delay = 0.0,
    silent: Silent = False,
    close: Close = False,
    cut: Cut = False,
    times: Times = 0,
) -> None:
    """A service cloud for inventories and health events.

    Inventories at /inventory, health events at /health, with --profile extended how systems are at /sources; what it
    knows at GET /state. Bodies are checked strictly;
    what is wrong is answered 400 with its reasons.

    Example: tocsin simulate cloud --bearer sesame --status 429 --retry-after 5 --times 2
    """
    from tocsin.engine.clock import LoopClock
    from tocsin.standins.cloud import CloudStandin, Demands
    from tocsin.standins.web_service import Reply

    if profile not in ("brief", "extended"):
        stop(f"--profile {profile}: expected brief or extended", WRONG_USE)
    if status and status < 200:
        stop("--status is 200 to 599", WRONG_USE)
    if retry_after and not status:
        stop("--retry-after goes with --status, such as 429", WRONG_USE)
    patience = (("Retry-After", str(retry_after)),) if retry_after else ()
    demands = Demands(cast("Profile", profile), bearer, tuple(refuse), several)
    standin = CloudStandin(listen, print_line, LoopClock(), demands, server_tls(cert, cert_key))
    misbehave(standin.web, Reply(status, headers=patience) if status else None, delay, silent, close, cut, times)
    until_stopped(standin.web.serve(started(listen)), f"cannot listen on {listen}")
