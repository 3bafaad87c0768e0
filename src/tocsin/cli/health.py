"""`tocsin health`: does the gateway take events, and how is each of its parts."""

from typing import Annotated, Any

import typer

from tocsin.cli.context import FAILED, invocation
from tocsin.cli.output import print_json, printable


def health(
    context: typer.Context,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for each answer.")] = 2.0,
) -> None:
    """Ask the running gateway how it is: a line per part.

    Exit code 0 when it takes events, else 1. A station that is down does not make the gateway unready.

    Example: tocsin health
    """
    given = invocation(context)
    client = given.client("read", open_to_all=True)
    ready = client.health("/readyz", timeout)
    found = client.health("/healthz", timeout)
    if given.json:
        print_json({"ready": ready.get("ready", False), **found})
    else:
        _print(ready, found)
    if ready.get("ready") is not True:
        raise typer.Exit(FAILED)


def _print(ready: dict[str, Any], found: dict[str, Any]) -> None:
    verdict = "ready" if ready.get("ready") else "NOT READY"
    reason = f": {ready['reason']}" if ready.get("reason") else ""
    typer.echo(printable(f"{found.get('gateway')} {found.get('version')}: {verdict}{reason}, {found.get('status')}"))
    for part in found.get("components", ()):
        state = "ok" if part["ok"] else "FAILED"
        detail = f"  {part['detail']}" if part["detail"] else ""
        typer.echo(printable(f"{state:8}{part['kind']:12} {part['name']}{detail}"))
