"""`tocsin simulate patriot-api`, `sureview-http` and `sentinel-xml`."""

from typing import TYPE_CHECKING, Annotated

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
    from tocsin.standins.posted import Demands, Kind

Status = Annotated[int, typer.Option(min=0, max=599, help="Answer this status.")]
Known = Annotated[list[str], typer.Option("--account", help="Know this account only; may be repeated.")]


def patriot_api(
    listen: Listen = "127.0.0.1:4120",
    user: Annotated[str, typer.Option(help="Demand this user by HTTP Basic.")] = "",
    password: Annotated[str, typer.Option(help="The user's password.")] = "",
    account: Known = [],  # noqa: B006
    cert: Cert = None,
    cert_key: CertKey = None,
    status: Status = 0,
    delay: Delay = 0.0,
    silent: Silent = False,
    close: Close = False,
    cut: Cut = False,
    times: Times = 0,
) -> None:
    """Patriot's JSON service, as far as it is known.

    Example: tocsin simulate patriot-api --user gw --password sesame
    """
    from tocsin.standins.posted import Demands

    demands = Demands(user, password, accounts=tuple(account))
    _serve("patriot-api", listen, demands, cert, cert_key, status, (delay, silent, close, cut, times))


def sureview_http(
    listen: Listen = "127.0.0.1:4121",
    key: Annotated[str, typer.Option(help="Demand this API key.")] = "",
    account: Known = [],  # noqa: B006
    cert: Cert = None,
    cert_key: CertKey = None,
    status: Status = 0,
    delay: Delay = 0.0,
    silent: Silent = False,
    close: Close = False,
    cut: Cut = False,
    times: Times = 0,
) -> None:
    """SureView Ops' receiver of JSON.

    Example: tocsin simulate sureview-http --key sesame
    """
    from tocsin.standins.posted import Demands

    demands = Demands(key=key, accounts=tuple(account))
    _serve("sureview-http", listen, demands, cert, cert_key, status, (delay, silent, close, cut, times))


def sentinel_xml(
    listen: Listen = "127.0.0.1:4122",
    account: Known = [],  # noqa: B006
    cert: Cert = None,
    cert_key: CertKey = None,
    status: Status = 0,
    delay: Delay = 0.0,
    silent: Silent = False,
    close: Close = False,
    cut: Cut = False,
    times: Times = 0,
) -> None:
    """Sentinel's XML Event Processor, as its document is assumed.

    Example: tocsin simulate sentinel-xml --status 503 --times 2
    """
    from tocsin.standins.posted import Demands

    demands = Demands(accounts=tuple(account))
    _serve("sentinel-xml", listen, demands, cert, cert_key, status, (delay, silent, close, cut, times))


def _serve(
    kind: "Kind",
    listen: str,
    demands: "Demands",
    cert: Cert,
    cert_key: CertKey,
    status: int,
    faults: tuple[float, bool, bool, bool, int],
) -> None:
    from tocsin.engine.clock import LoopClock
    from tocsin.standins.posted import PostedStandin
    from tocsin.standins.web_service import Reply

    if status and status < 200:
        stop("--status is 200 to 599", WRONG_USE)
    standin = PostedStandin(kind, listen, print_line, LoopClock(), demands, server_tls(cert, cert_key))
    misbehave(standin.web, Reply(status) if status else None, *faults)
    until_stopped(standin.web.serve(started(listen)), f"cannot listen on {listen}")
