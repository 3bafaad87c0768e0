"""`tocsin simulate stages`."""

from typing import Annotated, Literal, cast

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


def stages(
    listen: Listen = "127.0.0.1:4090",
    user: Annotated[str, typer.Option(help="Demand this UserName.")] = "",
    password: Annotated[str, typer.Option(help="The user's password.")] = "",
    account: Annotated[list[str], typer.Option(help="Know this account only; may be repeated.")] = [],  # noqa: B006
    result: Annotated[str, typer.Option(help="Text of SignalResult in each answer.")] = "",
    cert: Cert = None,
    cert_key: CertKey = None,
    fault: Annotated[str, typer.Option(help="Answer a SOAP fault: Sender or Receiver.")] = "",
    status: Annotated[int, typer.Option(min=0, max=599, help="Answer this status and no SOAP.")] = 0,
    delay: Delay = 0.0,
    silent: Silent = False,
    close: Close = False,
    cut: Cut = False,
    times: Times = 0,
) -> None:
    """A Stages signal service that takes SOAP signals.

    Order and form of the elements are checked strictly; what is wrong is answered with a SOAP fault and its reasons.

    Example: tocsin simulate stages --listen 127.0.0.1:4090 --fault Receiver --times 2
    """
    from tocsin.engine.clock import LoopClock
    from tocsin.standins.stages import Demands, StagesStandin
    from tocsin.standins.stages import fault as soap_fault
    from tocsin.standins.web_service import Reply

    if status and status < 200:
        stop("--status is 200 to 599", WRONG_USE)
    if fault not in ("", "Sender", "Receiver"):
        stop(f"--fault {fault}: expected Sender or Receiver", WRONG_USE)
    reply = Reply(status) if status else None
    if fault:
        reply = soap_fault(cast('Literal["Sender", "Receiver"]', fault), "as told on the command line")
    demands = Demands(user=user, password=password, accounts=tuple(account), result=result)
    standin = StagesStandin(listen, print_line, LoopClock(), demands, server_tls(cert, cert_key))
    misbehave(standin.web, reply, delay, silent, close, cut, times)
    until_stopped(standin.web.serve(started(listen)), f"cannot listen on {listen}")
