"""`run` and `demo`: the gateway itself."""

from typing import Annotated

import typer

from tocsin.cli.context import invocation


def run(context: typer.Context) -> None:
    """Run the gateway.

    SIGTERM: stop taking, finish what is in flight, leave the rest durable. SIGHUP: reload the configuration;
    a bad new one leaves the old one running and says why. --json writes the log as JSON lines.

    Example: tocsin run
    """
    from tocsin.app.run import run as run_gateway

    given = invocation(context)
    raise typer.Exit(run_gateway(given.file(), json_log=given.json))


def demo(
    seconds: Annotated[float | None, typer.Option("--for", min=1, help="End after so many seconds.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the console; another if it is taken.")] = 8080,
) -> None:
    """Show the gateway at work between stand-ins.

    Panels and detectors send real frames and JPEGs, stations acknowledge, an evidence registry gets its video; needs no
    configuration and leaves nothing behind. Exit code 0 only if every station acknowledged all it was owed, and the
    registry decrypted what the custody log says.

    Example: tocsin demo --for 20
    """
    from tocsin.app.demo import demo as run_demo

    raise typer.Exit(run_demo(seconds, port, typer.echo))
