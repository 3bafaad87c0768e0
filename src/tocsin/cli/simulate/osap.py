"""`tocsin simulate osap`."""

from pathlib import Path
from typing import Annotated

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


def osap(
    listen: Listen = "127.0.0.1:4110",
    api_key: Annotated[str, typer.Option(help="Demand this X-API-Key.")] = "",
    client_id: Annotated[str, typer.Option(help="Demand tokens, given to this client at /token.")] = "",
    client_secret: Annotated[str, typer.Option(help="The client's secret.")] = "",
    token_life: Annotated[int, typer.Option(min=1, help="Seconds a token is said to be good for.")] = 3600,
    site: Annotated[list[str], typer.Option(help="Know this site only; may be repeated.")] = [],  # noqa: B006
    cert: Cert = None,
    cert_key: CertKey = None,
    client_ca: Annotated[Path | None, typer.Option(help="Demand a client certificate of this authority (PEM).")] = None,
    status: Annotated[int, typer.Option(min=0, max=599, help="Answer this status and no JSON.")] = 0,
    delay: Delay = 0.0,
    silent: Silent = False,
    close: Close = False,
    cut: Cut = False,
    times: Times = 0,
) -> None:
    """A control room that takes OSAP (Open Secure Alarm Protocol).

    Each message is checked strictly by the draft's schema; what is wrong is answered with 400 and the reasons.

    Example: tocsin simulate osap --listen 127.0.0.1:4110 --api-key sesame --status 429 --times 2
    """
    import ssl

    from tocsin.engine.clock import LoopClock
    from tocsin.standins.osap import Demands, OsapStandin
    from tocsin.standins.web_service import Reply

    if status and status < 200:
        stop("--status is 200 to 599", WRONG_USE)
    tls = server_tls(cert, cert_key)
    if client_ca is not None:
        if tls is None:
            stop("--client-ca needs --cert", WRONG_USE)
        tls.load_verify_locations(client_ca)
        tls.verify_mode = ssl.CERT_REQUIRED
    demands = Demands(api_key, client_id, client_secret, token_life, tuple(site))
    standin = OsapStandin(listen, print_line, LoopClock(), demands, tls)
    misbehave(standin.web, Reply(status) if status else None, delay, silent, close, cut, times)
    until_stopped(standin.web.serve(started(listen)), f"cannot listen on {listen}")
