"""`run` and `demo`: the gateway itself."""

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
