"""The receiving side of uploads: a station's FTP server."""

from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.context import WRONG_USE, stop
from tocsin.cli.simulate.serving import Cert, CertKey, Delay, Listen, print_line, server_tls, started, until_stopped


def ftpes(
    listen: Listen = "127.0.0.1:4021",
    cert: Cert = None,
    cert_key: CertKey = None,
    require_tls: Annotated[bool, typer.Option("--require-tls", help="No login and no file without TLS.")] = False,
    user: Annotated[str, typer.Option(help="The one user.")] = "tocsin",
    password: Annotated[str, typer.Option(help="The user's password.")] = "tocsin",  # noqa: S107 - a stand-in's
    folder: Annotated[str, typer.Option(help="Keep files in this folder; absent: only until the end.")] = "",
    refuse_login: Annotated[bool, typer.Option("--refuse-login", help="Let nobody in.")] = False,
    disk_full: Annotated[bool, typer.Option("--disk-full", help="Answer every file with 452.")] = False,
    drop_after: Annotated[int, typer.Option(min=0, help="Cut the connections after so many bytes of a file.")] = 0,
    times: Annotated[int, typer.Option(min=1, help="Cut so many times.")] = 1,
    slow: Annotated[int, typer.Option(min=0, help="Take only so many bytes per second.")] = 0,
    delay: Delay = 0.0,
) -> None:
    """An FTP server, with --cert also FTPES, that takes pictures.

    Reports every file and every completed set. A file counts when it has its final name; a text file completes the
    set of its folder.

    Example: tocsin simulate ftpes --listen 127.0.0.1:4021 --drop-after 5000 --times 2
    """
    from tocsin.standins.ftpes import FtpSwitches, serve

    if require_tls and cert is None:
        stop("--require-tls needs --cert", WRONG_USE)
    server_tls(cert, cert_key)
    if folder and not Path(folder).is_dir():
        stop(f"the folder {folder} is not there", WRONG_USE)
    switches = FtpSwitches(
        user, password, str(cert or ""), str(cert_key or ""), require_tls, refuse_login, disk_full,
        drop_after=drop_after, drops=times if drop_after else 0, slow=slow, delay_s=delay,
    )  # fmt: skip
    work = serve(listen, print_line, switches, str(Path(folder).resolve()) if folder else "", started(listen))
    until_stopped(work, f"cannot listen on {listen}")
