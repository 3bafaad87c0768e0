"""The command `tocsin`: global options, all commands, exit codes 0 (fine), 1 (something failed), 2 (wrong use)."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tocsin import __version__
from tocsin.cli import (
    bulk,
    check,
    diagnostics,
    evidence,
    health,
    on_test,
    preview,
    running,
    sending,
    setup,
    simulate,
    systems,
    tables,
)
from tocsin.cli.context import FAILED, Invocation, Unanswered

app = typer.Typer(
    name="tocsin",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for command in (
    setup.init,
    check.check,
    running.run,
    running.demo,
    health.health,
    preview.render,
    preview.explain,
    sending.send,
    tables.events,
    tables.deliveries,
    tables.devices,
    tables.destinations,
    tables.commands,
    systems.systems,
    systems.sync,
    evidence.jobs,
    bulk.export,
    sending.retry,
    sending.discard,
    on_test.ontest,
    on_test.links,
    diagnostics.diagnostics,
    setup.schema,
    setup.password,
):
    app.command()(command)
app.command("test")(sending.try_out)
app.command("import")(bulk.import_)
app.add_typer(evidence.app, name="evidence")
app.add_typer(simulate.app, name="simulate")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tocsin {__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="Default: ./tocsin.toml, then /etc/tocsin/tocsin.toml."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print data as JSON.")] = False,
    url: Annotated[str, typer.Option(envvar="TOCSIN_URL", help="Another gateway than the configuration's.")] = "",
    token: Annotated[
        str, typer.Option(help="Default: the configuration's that suffices, else the variable TOCSIN_TOKEN.")
    ] = "",
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """The open gateway between physical-security systems and monitoring stations.

    The global options may stand before or behind the command. Exit codes: 0 fine, 1 something failed,
    2 wrong use or configuration.

    Example: tocsin init, then tocsin check, then tocsin run
    """
    context.obj = Invocation(config, json, url, token)


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point."""
    given = globals_first(sys.argv[1:] if arguments is None else list(arguments))
    try:
        app(args=given, prog_name="tocsin")
    except Unanswered as error:
        typer.echo(f"tocsin: {error}", err=True)
        sys.exit(FAILED)


_WITH_VALUE = ("-c", "--config", "--url", "--token")
_WRITTEN_TOGETHER = ("--config=", "--url=", "--token=")


def globals_first(arguments: list[str]) -> list[str]:
    """The global options moved before the command, where click wants them; nothing behind `--`."""
    first: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            return [*first, *rest, argument, *waiting]
        if argument in _WITH_VALUE:
            first += [argument, *([value] if (value := next(waiting, None)) is not None else [])]
        elif argument == "--json" or argument.startswith(_WRITTEN_TOGETHER):
            first.append(argument)
        else:
            rest.append(argument)
    return [*first, *rest]
