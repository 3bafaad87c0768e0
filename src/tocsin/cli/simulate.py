"""`tocsin simulate`: stand-ins of the other side, for commissioning; one JSON line per message on standard output."""

import asyncio
import contextlib
import random
import signal
import ssl
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from tocsin.cli.context import FAILED, WRONG_USE, invocation, stop
from tocsin.config.fields import AesKey, Settings, parse_duration
from tocsin.config.listening import split_listen
from tocsin.engine.clock import LoopClock

app = typer.Typer(no_args_is_help=True, help="Stand-ins of the other side, for trying things out.")


def _host_port(text: str) -> str:
    try:
        split_listen(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return text


Listen = Annotated[str, typer.Option(callback=_host_port, help="HOST:PORT to listen on; port 0 takes a free one.")]
Cert = Annotated[Path | None, typer.Option(help="Speak TLS with this certificate (PEM).")]
CertKey = Annotated[Path | None, typer.Option(help="The certificate's key (PEM).")]
Clear = Annotated[str, typer.Option(help="A key as hex digits: 32, 48 or 64 of them.")]


def _print_line(message: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(message).decode() + "\n")
    sys.stdout.flush()


def _started(host: str) -> Callable[[int], None]:
    return lambda port: typer.echo(f"listening on {host.rpartition(':')[0]}:{port}", err=True)


def _until_stopped(work: Coroutine[Any, Any, None], where: str) -> None:
    """Run until the work ends, Ctrl-C or SIGTERM: all three are a good end."""
    try:
        asyncio.run(_cancelled_by_signal(work))
    except (asyncio.CancelledError, KeyboardInterrupt):
        return
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        stop(f"{where}: {error.strerror or error}", FAILED)


async def _cancelled_by_signal(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    with contextlib.suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task


def _server_tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key)
    except OSError as error:
        stop(f"the certificate {cert} and its key cannot be used: {error}", WRONG_USE)
    return context


class _Key(Settings):
    key: AesKey


def _aes_key(digits: str) -> bytes:
    try:
        return _Key.model_validate({"key": {"hex": digits}}).key.reveal()
    except ValueError:
        stop("a key has 32, 48 or 64 hexadecimal digits", WRONG_USE)


@app.command()
def dc09(
    listen: Listen = "127.0.0.1:4001",
    key: Clear = "",
    cert: Cert = None,
    cert_key: CertKey = None,
) -> None:
    """A monitoring station's DC-09 receiver on TCP and UDP.

    Checks every frame strictly and acknowledges it.

    Example: tocsin simulate dc09 --listen 127.0.0.1:4001
    """
    from tocsin.standins.dc09 import serve

    keys = {"*": _aes_key(key)} if key else None
    tls = _server_tls(cert, cert_key)
    work = serve(listen, _print_line, LoopClock(), random.SystemRandom(), keys, tls, _started(listen))
    _until_stopped(work, f"cannot listen on {listen}")


@app.command()
def webhook(
    listen: Listen = "127.0.0.1:4080",
    token: Annotated[str, typer.Option(help="Demand this bearer token.")] = "",
    cert: Cert = None,
    cert_key: CertKey = None,
) -> None:
    """A receiver of webhooks that checks content and repeats.

    Example: tocsin simulate webhook --listen 127.0.0.1:4080
    """
    from tocsin.standins.webhook import Expected, serve

    tls = _server_tls(cert, cert_key)
    work = serve(listen, _print_line, LoopClock(), Expected(token=token), tls=tls, started=_started(listen))
    _until_stopped(work, f"cannot listen on {listen}")


@app.command()
def smtp(listen: Listen = "127.0.0.1:4025") -> None:
    """A mail server that takes everything and checks its form.

    Example: tocsin simulate smtp --listen 127.0.0.1:4025
    """
    from tocsin.standins.smtp import serve

    work = serve(listen, _print_line, LoopClock(), started=_started(listen))
    _until_stopped(work, f"cannot listen on {listen}")


@app.command()
def panel(
    to: Annotated[str, typer.Option(callback=_host_port, help="HOST:PORT of the DC-09 receiver.")] = "127.0.0.1:7001",
    account: Annotated[str, typer.Option(help="Account number of the panel.")] = "9280",
    count: Annotated[int, typer.Option(min=1, help="Number of burglary alarms.")] = 1,
    rate: Annotated[float, typer.Option(min=0, help="Alarms per second; 0: as fast as acknowledged.")] = 1.0,
    cid: Annotated[bool, typer.Option("--cid", help="Contact ID instead of SIA.")] = False,
    udp: Annotated[bool, typer.Option("--udp", help="UDP instead of TCP.")] = False,
    key: Clear = "",
) -> None:
    """An alarm panel that reports burglaries by DC-09.

    Each alarm is sent until it is acknowledged or refused. Exit code 1 if one was not acknowledged.

    Example: tocsin simulate panel --to 127.0.0.1:7001 --account 9280
    """
    from tocsin.standins.panel import PanelOptions, StandInPanel
    from tocsin.transports.contract import Endpoint
    from tocsin.transports.sockets import SocketNetwork

    options = PanelOptions(
        Endpoint(*split_listen(to)),
        account,
        format="ADM-CID" if cid else "SIA-DCS",
        key=_aes_key(key) if key else None,
        transport="udp" if udp else "tcp",
        most_tries=5,
    )
    answers: list[str] = []

    async def report() -> None:
        one = StandInPanel(options, SocketNetwork(), LoopClock(), random.SystemRandom())
        try:
            answers.extend(sent.answer for sent in await one.burglaries(count, rate, _print_line))
        finally:
            await one.aclose()

    _until_stopped(report(), f"cannot report to {to}")
    if answers != ["ACK"] * count:
        raise typer.Exit(FAILED)


@app.command()
def detector(
    context: typer.Context,
    device: Annotated[list[str], typer.Option(help="Device id; may be repeated.")] = ["detector-1"],  # noqa: B006
    every: Annotated[str, typer.Option(help='Time between two events, such as "2s".')] = "2s",
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many; default: never.")] = None,
    photos: Annotated[int, typer.Option(min=0, max=20, help="Pictures per alarm.")] = 1,
) -> None:
    """A detector that sends events with pictures to the gateway.

    The gateway is the configuration's, or --url with --token. Every event is sent until it is acknowledged.

    Example: tocsin simulate detector --device gate-cam --count 3
    """
    from tocsin.standins.detector import Plan, send

    client = invocation(context).client("events:write")
    try:
        plan = Plan(tuple(device), parse_duration(every), count, photos)
    except ValueError as error:
        stop(f"--every {every}: {error}", WRONG_USE)
    work = send(client.url, _print_line, LoopClock(), random.SystemRandom(), plan, client.token, client.tls)
    _until_stopped(work, f"cannot send to {client.url}")
