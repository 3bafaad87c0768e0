"""The group `tocsin evidence`: what people do about the registry agent by hand."""

import typer

from tocsin.cli import evidence_custody

app = typer.Typer(no_args_is_help=True, help="The evidence agent: its custody log, and files against it.")
for _command in (evidence_custody.custody, evidence_custody.verify):
    app.command()(_command)
