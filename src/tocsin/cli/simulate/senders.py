"""The sending side: a panel and a detector that keep each event until it is acknowledged."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli.context import FAILED, WRONG_USE, invocation, stop
from tocsin.cli.simulate.serving import aes_key, host_port, print_line, seconds, until_stopped

if TYPE_CHECKING:
    from tocsin.cli.client import Client
    from tocsin.standins.detector import Out, Plan

Duration = Annotated[str, typer.Option(help='Stop after this long, such as "30s".')]
NewConnections = Annotated[bool, typer.Option("--new-connections", help="One connection per event.")]


def panel(
    to: Annotated[str, typer.Option(callback=host_port, help="HOST:PORT of the DC-09 receiver.")] = "127.0.0.1:7001",
    account: Annotated[str, typer.Option(help="Account number of the panel.")] = "9280",
    receiver: Annotated[str, typer.Option(help="Receiver number, R…")] = "",
    prefix: Annotated[str, typer.Option(help="Account prefix, L…")] = "0",
    count: Annotated[
        int | None, typer.Option(min=1, help="Burglary alarms; default 1, or no end by --duration.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0, help="Alarms per second; 0: as fast as acknowledged.")] = 1.0,
    duration: Duration = "",
    cid: Annotated[bool, typer.Option("--cid", help="Contact ID instead of SIA.")] = False,
    udp: Annotated[bool, typer.Option("--udp", help="UDP instead of TCP.")] = False,
    key: Annotated[str, typer.Option(help="Message key as 32, 48 or 64 hex digits.")] = "",
    key_text: Annotated[str, typer.Option(help="Message key as 16, 24 or 32 characters.")] = "",
    ca_file: Annotated[Path | None, typer.Option(help="TLS; the receiver's authority (PEM).")] = None,
    new_connections: NewConnections = False,
) -> None:
    """An alarm panel that reports burglaries by DC-09.

    Each alarm is sent until it is acknowledged or refused, five times at most. Exit code 1 if one was not
    acknowledged.

    Example: tocsin simulate panel --to 127.0.0.1:7001 --account 9280 --rate 5 --duration 30s
    """
    import random

    from tocsin.config.listening import split_listen
    from tocsin.standins.panel import LAST_NUMBER, PanelOptions
    from tocsin.transports.contract import Endpoint, TlsOptions

    if key and key_text:
        stop("give --key or --key-text, not both", WRONG_USE)
    options = PanelOptions(
        Endpoint(*split_listen(to)),
        account,
        format="ADM-CID" if cid else "SIA-DCS",
        receiver=receiver or None,
        prefix=prefix or None,
        key=aes_key("hex", key) if key else aes_key("text", key_text) if key_text else None,
        transport="udp" if udp else "tcp",
        tls=TlsOptions(ca_file=str(ca_file)) if ca_file else None,
        keep=not new_connections,
        most_tries=5,
        first_number=random.SystemRandom().randint(1, LAST_NUMBER),
    )
    lasting = seconds("--duration", duration) if duration else math.inf
    _report(options, count or (None if duration else 1), rate, lasting)


def _report(options: Any, count: int | None, rate: float, lasting: float) -> None:
    """Send it all; ends the program with exit code 1 if an alarm was not acknowledged."""
    import random

    from tocsin.engine.clock import LoopClock
    from tocsin.standins.panel import StandInPanel
    from tocsin.transports.sockets import SocketNetwork

    answers: list[str] = []

    def told(line: dict[str, Any]) -> None:
        answers.append(line["answer"])
        print_line(line)

    async def report() -> None:
        one = StandInPanel(options, SocketNetwork(), LoopClock(), random.SystemRandom())
        try:
            await one.burglaries(count, rate, told, lasting)
        finally:
            await one.aclose()

    until_stopped(report(), f"cannot report to {options.endpoint}")
    if any(answer != "ACK" for answer in answers):
        raise typer.Exit(FAILED)


def detector(
    context: typer.Context,
    device: Annotated[list[str], typer.Option(help="Device id; may be repeated.")] = ["detector-1"],  # noqa: B006
    every: Annotated[str, typer.Option(help='Time between two events, such as "2s".')] = "2s",
    rate: Annotated[float, typer.Option(min=0, help="Events per second, instead of --every.")] = 0.0,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many; default: never.")] = None,
    duration: Duration = "",
    photos: Annotated[int, typer.Option(min=0, max=20, help="Pictures per alarm.")] = 1,
    new_connections: NewConnections = False,
    commands: Annotated[bool, typer.Option("--commands", help="Also fetch and confirm commands.")] = False,
    silent: Annotated[bool, typer.Option("--silent", help="Send no events: only --commands.")] = False,
    fail: Annotated[str, typer.Option(help="Fail every command with these words.")] = "",
) -> None:
    """A detector that sends events with pictures to the gateway.

    The gateway is the configuration's, or --url with --token. Every event is sent until it is acknowledged or refused.
    Exit code 1 if one was refused. With --commands the devices also carry out what they are ordered; a siren is
    --silent --commands.

    Example: tocsin simulate detector --device gate-cam --rate 5 --duration 30s
    """
    from tocsin.standins.detector import Plan

    if silent and not commands:
        stop("--silent without --commands would do nothing", WRONG_USE)
    apart = 1 / rate if rate else seconds("--every", every)
    lasting = seconds("--duration", duration) if duration else math.inf
    plan = Plan(tuple(device), apart, count, photos, duration_s=lasting, new_connections=new_connections)
    refused: list[int] = []

    def told(line: dict[str, Any]) -> None:
        if line["done"] and line["status"] != 202:
            refused.append(line["status"])
        print_line(line)

    scopes = [*([] if silent else ["events:write"]), *(["commands"] if commands else [])]
    client = invocation(context).client(*scopes)
    work = _detect(client, told, plan, commands, silent, fail)
    until_stopped(work, f"cannot send to {client.url}")
    if refused:
        raise typer.Exit(FAILED)


async def _detect(client: "Client", told: "Out", plan: "Plan", commands: bool, silent: bool, fail: str) -> None:
    """Send the plan's events, and obey meanwhile; without events, obey for as long as the plan lasts."""
    import asyncio
    import random

    from tocsin.engine.clock import LoopClock
    from tocsin.standins.armed import ArmedDevices
    from tocsin.standins.commanded import obey
    from tocsin.standins.detector import send

    clock = LoopClock()
    armed = ArmedDevices(clock.now)
    obeying: set[asyncio.Future[None]] = set()
    if commands:
        orders = obey(client.url, print_line, plan.devices, armed, client.token, client.tls, fail)
        obeying.add(asyncio.ensure_future(orders))
    try:
        if silent:
            await asyncio.wait(obeying, timeout=None if plan.duration_s == math.inf else plan.duration_s)
        else:
            await send(client.url, told, clock, random.SystemRandom(), plan, client.token, client.tls, armed)
    finally:
        for one in obeying:
            one.cancel()
        await asyncio.gather(*obeying, return_exceptions=True)
