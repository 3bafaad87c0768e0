"""What all stand-ins share: their options, their output, and a good end by SIGTERM or Ctrl-C."""

import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli.context import FAILED, WRONG_USE, stop

if TYPE_CHECKING:
    import ssl

    from tocsin.standins.web_service import Reply, WebService


def host_port(text: str) -> str:
    """A callback for options. Raises BadParameter."""
    from tocsin.config.listening import split_listen

    try:
        split_listen(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return text


Listen = Annotated[str, typer.Option(callback=host_port, help="HOST:PORT to listen on; port 0 takes a free one.")]
Cert = Annotated[Path | None, typer.Option(help="Speak TLS with this certificate (PEM).")]
CertKey = Annotated[Path | None, typer.Option(help="The certificate's key (PEM).")]
Delay = Annotated[float, typer.Option(min=0, help="Answer so many seconds late.")]
Silent = Annotated[bool, typer.Option("--silent", help="Never answer.")]
Close = Annotated[bool, typer.Option("--close", help="Close the connection instead of answering.")]
Cut = Annotated[bool, typer.Option("--cut", help="Close in the middle of the answer.")]
Times = Annotated[int, typer.Option(min=0, help="Misbehave so many times only; 0: always.")]


def print_line(message: dict[str, Any]) -> None:
    import msgspec

    sys.stdout.write(msgspec.json.encode(message).decode() + "\n")
    sys.stdout.flush()


def started(host: str) -> Callable[[int], None]:
    return lambda port: typer.echo(f"listening on {host.rpartition(':')[0]}:{port}", err=True)


def until_stopped(work: Coroutine[Any, Any, None], where: str) -> None:
    """Run until the work ends, Ctrl-C or SIGTERM: all three are a good end."""
    import asyncio

    try:
        asyncio.run(_cancelled_by_signal(work))
    except (asyncio.CancelledError, KeyboardInterrupt):
        return
    except BrokenPipeError:
        sys.stderr.close()
    except OSError as error:
        stop(f"{where}: {error.strerror or error}", FAILED)


async def _cancelled_by_signal(work: Coroutine[Any, Any, None]) -> None:
    import asyncio
    import signal

    task = asyncio.ensure_future(work)
    if sys.platform != "win32":
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task


def server_tls(cert: Path | None, key: Path | None) -> "ssl.SSLContext | None":
    import ssl

    if cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key)
    except OSError as error:
        stop(f"the certificate {cert} and its key cannot be used: {error}", WRONG_USE)
    return context


def misbehave(
    web: "WebService", reply: "Reply | None", delay: float, silent: bool, close: bool, cut: bool, times: int
) -> None:
    """Have a web service do this instead of what is due, `times` times or always."""
    from tocsin.standins.web_service import Misbehaviour

    planned = Misbehaviour(reply, delay, "silent" if silent else "close" if close else "cut" if cut else "")
    web.scripted = [planned] * times
    web.always = None if times else planned


def client_tls(ca_file: Path | None, cert: Path | None, key: Path | None) -> "ssl.SSLContext | None":
    """For a stand-in that connects; None without an authority. Ends the program if a file cannot be used."""
    from tocsin.transports.contract import TlsOptions
    from tocsin.transports.tls import TlsFileError, client_context

    if ca_file is None:
        return None
    try:
        return client_context(TlsOptions(str(ca_file), str(cert or ""), str(key or cert or "")))
    except TlsFileError as error:
        stop(str(error), WRONG_USE)


def aes_key(form: str, written: str) -> bytes:
    """A message key written as in the configuration: `hex` or `text`. Ends the program if it is none."""
    from tocsin.config.fields import AesKey, Settings

    class Key(Settings):
        key: AesKey

    try:
        return Key.model_validate({"key": {form: written}}).key.reveal()
    except ValueError:
        digits = "32, 48 or 64 hexadecimal digits" if form == "hex" else "16, 24 or 32 characters"
        stop(f"a key has {digits}", WRONG_USE)


def seconds(option: str, written: str) -> float:
    """A duration such as `2s`. Ends the program if it is none."""
    from tocsin.config.fields import parse_duration

    try:
        return parse_duration(written)
    except ValueError as error:
        stop(f"{option} {written}: {error}", WRONG_USE)
