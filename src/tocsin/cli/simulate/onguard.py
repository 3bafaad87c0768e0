"""`tocsin simulate onguard`."""

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
    from tocsin.standins.onguard import OnGuardStandin


def onguard(
    listen: Listen = "127.0.0.1:8081",
    application_id: Annotated[str, typer.Option(help="Demand this Application-Id.")] = "TOCSIN_TEST",
    username: Annotated[str, typer.Option(help="The only user there is.")] = "openaccess-svc",
    password: Annotated[str, typer.Option(help="The user's password.")] = "let-me-in",  # noqa: S107 - a stand-in's
    unlicensed: Annotated[bool, typer.Option("--unlicensed", help="Refuse every Application-Id.")] = False,
    big_endian: Annotated[bool, typer.Option("--big-endian", help="Integer addresses the other way round.")] = False,
    ignore_pages: Annotated[
        bool, typer.Option("--ignore-pages", help="Send everything whatever page is asked.")
    ] = False,
    lost_rows: Annotated[int, typer.Option(min=0, help="Count so many more rows than are sent.")] = 0,
    requests: Annotated[int, typer.Option(min=0, help="End a session after so many requests; 0: never.")] = 0,
    flip: Annotated[float, typer.Option(min=0, help="Every so many seconds panel 3 goes or comes back; 0: never.")] = 0,
    cert: Cert = None,
    cert_key: CertKey = None,
    status: Annotated[int, typer.Option(min=0, max=599, help="Answer this status and no JSON.")] = 0,
    delay: Delay = 0.0,
    silent: Silent = False,
    close: Close = False,
    cut: Cut = False,
    times: Times = 0,
) -> None:
    """A small Lenel OnGuard with OpenAccess.

    It has two panels, readers, an alarm panel, and a recorder with cameras. Each request is checked strictly; what
    is wrong is answered with an error and printed. The password is not printed.

    Example: tocsin simulate onguard --listen 127.0.0.1:8081 --flip 10
    """
    from tocsin.engine.clock import LoopClock
    from tocsin.standins.onguard import Access, Assumed, OnGuardStandin
    from tocsin.standins.onguard_site import example
    from tocsin.standins.web_service import Reply

    if status and status < 200:
        stop("--status is 200 to 599", WRONG_USE)
    access = Access(application_id, username, password, requests, not unlicensed)
    assumed = Assumed(ignores_pages=ignore_pages, lost_rows=lost_rows)
    site = example("big" if big_endian else "little")
    tls = server_tls(cert, cert_key)
    standin = OnGuardStandin(listen, print_line, LoopClock(), site, access, assumed, tls=tls)
    misbehave(standin.web, Reply(status) if status else None, delay, silent, close, cut, times)
    until_stopped(_serving(standin, listen, flip), f"cannot listen on {listen}")


async def _serving(standin: "OnGuardStandin", listen: str, flip_s: float) -> None:
    import asyncio

    serving = asyncio.ensure_future(standin.web.serve(started(listen)))
    flipping = asyncio.ensure_future(_flipping(standin, flip_s))
    try:
        await serving
    finally:
        serving.cancel()
        flipping.cancel()
        await asyncio.gather(serving, flipping, return_exceptions=True)


async def _flipping(standin: "OnGuardStandin", flip_s: float) -> None:
    import asyncio
    from datetime import UTC, datetime

    online = True
    while flip_s:
        await asyncio.sleep(flip_s)
        online = not online
        standin.site.panel(3, online, datetime.now(UTC))
        print_line({"system": "onguard", "panel": 3, "online": online})
