"""The receiving side of mail: a server that reads as stations' software does, and misbehaves on request."""

from typing import Annotated, Literal, cast

import typer

from tocsin.cli.context import WRONG_USE, stop
from tocsin.cli.simulate.serving import Cert, CertKey, Listen, print_line, server_tls, started, until_stopped

_CUTTABLE = ("mail", "rcpt", "data")
_FAILING = ("auth", *_CUTTABLE)
_MailStep = Literal["auth", "mail", "rcpt", "data"]
_Reads = Literal["immix", "sentinel", "patriot", "sureview"]


def smtp(
    listen: Listen = "127.0.0.1:4025",
    cert: Cert = None,
    cert_key: CertKey = None,
    implicit: Annotated[bool, typer.Option("--implicit", help="TLS from the first byte; else STARTTLS.")] = False,
    require_tls: Annotated[bool, typer.Option("--require-tls", help="Take no mail before STARTTLS.")] = False,
    user: Annotated[str, typer.Option(help="Demand a login of this user.")] = "",
    password: Annotated[str, typer.Option(help="The user's password.")] = "",
    clear_login: Annotated[bool, typer.Option("--clear-login", help="Offer the login without TLS too.")] = False,
    size_limit: Annotated[int, typer.Option(min=1, help="Largest mail in bytes.")] = 32_000_000,
    reads: Annotated[
        _Reads | None, typer.Option("--as", help="Read the text as this station's software does, strictly.")
    ] = None,
    time_format: Annotated[str, typer.Option(help="--as immix: the date form it reads.")] = "%Y-%m-%dT%H:%M:%S%z",
    name: Annotated[list[str], typer.Option(help="--as immix: an event name of its own; may be repeated.")] = [],  # noqa: B006
    media: Annotated[int, typer.Option(min=0, help="--as patriot: files it takes per mail.")] = 1,
    fail: Annotated[list[str], typer.Option(help='Answer a step so: "rcpt=550 5.1.1 no such user".')] = [],  # noqa: B006
    cut: Annotated[list[str], typer.Option(help="Cut the connection at mail, rcpt or data.")] = [],  # noqa: B006
    delay: Annotated[float, typer.Option(min=0, help="Answer the message so many seconds late.")] = 0.0,
    times: Annotated[int, typer.Option(min=1, help="Fail, cut and delay so many times.")] = 1,
) -> None:
    """A mail server that checks the form of what it takes.

    The steps that can fail are auth (the login), mail (the sender), rcpt (a recipient) and data (the message). What
    --as cannot read is refused with 554.

    Example: tocsin simulate smtp --listen 127.0.0.1:4025 --as immix --fail "data=451 4.3.0 later" --times 2
    """
    from tocsin.engine.clock import LoopClock
    from tocsin.standins.mail_readers import Assumed
    from tocsin.standins.smtp import MailFault, MailSwitches, serve

    if (implicit or require_tls) and cert is None:
        stop("--implicit and --require-tls need --cert", WRONG_USE)
    if any(one.startswith("auth=") for one in fail) and not user:
        stop("a login can only fail where one is demanded: give --user and --password", WRONG_USE)
    switches = MailSwitches(
        server_tls(cert, cert_key), implicit, require_tls, user, password, clear_login, size_limit, reads or "",
        Assumed(time_format, tuple(name), media),
    )  # fmt: skip
    faults = [MailFault(_mail_step(at, _FAILING), answer) for at, _, answer in (one.partition("=") for one in fail)]
    faults += [MailFault(_mail_step(at, _CUTTABLE), drop=True) for at in cut]
    faults += [MailFault("data", delay_s=delay)] if delay else []
    work = serve(listen, print_line, LoopClock(), switches, faults * times, started(listen))
    until_stopped(work, f"cannot listen on {listen}")


def _mail_step(written: str, steps: tuple[str, ...]) -> _MailStep:
    if written not in steps:
        stop(f"{written} is no step of a mail: {', '.join(steps)}", WRONG_USE)
    return cast("_MailStep", written)
