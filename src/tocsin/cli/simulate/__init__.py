"""`tocsin simulate`: stand-ins of the other side, for commissioning; one JSON line per message on standard output."""

import typer

from tocsin.cli.simulate import mail, posted, senders, stations, uploads
from tocsin.cli.simulate.blobs import blobs
from tocsin.cli.simulate.clearance import clearance
from tocsin.cli.simulate.cloud import cloud
from tocsin.cli.simulate.manitou import manitou
from tocsin.cli.simulate.milestone import milestone
from tocsin.cli.simulate.onguard import onguard
from tocsin.cli.simulate.onvif import onvif
from tocsin.cli.simulate.osap import osap
from tocsin.cli.simulate.stages import stages

app = typer.Typer(no_args_is_help=True, help="Stand-ins of the other side, for trying things out.")
for _command in (
    stations.dc09,
    stations.surgard,
    stations.microkey,
    stations.webhook,
    mail.smtp,
    uploads.ftpes,
    stages,
    manitou,
    osap,
    milestone,
    onguard,
    posted.patriot_api,
    posted.sureview_http,
    posted.sentinel_xml,
    onvif,
    cloud,
    clearance,
    blobs,
    senders.panel,
    senders.detector,
):
    app.command()(_command)
