"""`tocsin simulate`: stand-ins of the other side, for commissioning; one JSON line per message on standard output."""

import typer

from tocsin.cli.simulate import mail, senders, stations, uploads

app = typer.Typer(no_args_is_help=True, help="Stand-ins of the other side, for trying things out.")
for _command in (
    stations.dc09,
    stations.surgard,
    stations.microkey,
    stations.webhook,
    mail.smtp,
    uploads.ftpes,
    senders.panel,
    senders.detector,
):
    app.command()(_command)
