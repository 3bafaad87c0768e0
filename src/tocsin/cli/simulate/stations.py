"""The receiving side: stations that check what they get, and misbehave on request."""

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from tocsin.cli.context import WRONG_USE, stop
from tocsin.cli.simulate.serving import (
    Cert,
    CertKey,
    Delay,
    Listen,
    aes_key,
    print_line,
    server_tls,
    started,
    until_stopped,
)

_MAIL_STEPS = ("mail", "rcpt", "data")


def dc09(
    listen: Listen = "127.0.0.1:4001",
    key: Annotated[list[str], typer.Option(help="HEX for every account, or ACCOUNT=HEX; may be repeated.")] = [],  # noqa: B006
    cert: Cert = None,
    cert_key: CertKey = None,
    delay: Delay = 0.0,
    silent: Annotated[bool, typer.Option("--silent", help="Never answer.")] = False,
    nak_once: Annotated[bool, typer.Option("--nak-once", help="Answer the first message with NAK.")] = False,
    duh: Annotated[list[str], typer.Option(help='Refuse this account; may be repeated, "*" is all.')] = [],  # noqa: B006
    cut: Annotated[bool, typer.Option("--cut", help="Close in the middle of each answer.")] = False,
    cut_once: Annotated[bool, typer.Option("--cut-once", help="Close in the middle of the first answer.")] = False,
    wrong_sequence: Annotated[bool, typer.Option("--wrong-sequence", help="Acknowledge another number.")] = False,
    plain_ack: Annotated[bool, typer.Option("--plain-ack", help="Answer encrypted messages in clear.")] = False,
    close: Annotated[bool, typer.Option("--close", help="Close the connection after each answer.")] = False,
) -> None:
    """A monitoring station's DC-09 receiver on TCP and UDP.

    Checks every frame strictly and acknowledges it, unless told to misbehave.

    Example: tocsin simulate dc09 --listen 127.0.0.1:4001 --delay 3 --duh 0042
    """
    import random

    from tocsin.engine.clock import LoopClock
    from tocsin.standins.dc09 import Switches, serve

    switches = Switches()
    switches.delay_s, switches.silent, switches.nak_once, switches.duh = delay, silent, nak_once, set(duh)
    switches.cut, switches.cut_once, switches.wrong_sequence = cut, cut_once, wrong_sequence
    switches.plain_ack, switches.close_after_answer = plain_ack, close
    keys = dict(_account_key(written) for written in key)
    tls, randomness = server_tls(cert, cert_key), random.SystemRandom()
    work = serve(listen, print_line, LoopClock(), randomness, keys, tls, started(listen), switches)
    until_stopped(work, f"cannot listen on {listen}")


def _account_key(written: str) -> tuple[str, bytes]:
    account, _, digits = written.rpartition("=")
    return account or "*", aes_key("hex", digits)


def webhook(
    listen: Listen = "127.0.0.1:4080",
    bearer: Annotated[str, typer.Option(help="Demand this bearer token.")] = "",
    standard_key: Annotated[list[str], typer.Option(help="Demand Standard Webhooks signatures: whsec_…")] = [],  # noqa: B006
    hmac_key: Annotated[list[str], typer.Option(help="Demand X-Signature-256 by this key.")] = [],  # noqa: B006
    cert: Cert = None,
    cert_key: CertKey = None,
    status: Annotated[int, typer.Option(min=0, max=599, help="Answer this instead of what is due.")] = 0,
    retry_after: Annotated[str, typer.Option(help="Send this Retry-After.")] = "",
    redirect: Annotated[str, typer.Option(help="Send this Location; with --status 302.")] = "",
    delay: Delay = 0.0,
    silent: Annotated[bool, typer.Option("--silent", help="Never answer.")] = False,
    close: Annotated[bool, typer.Option("--close", help="Close the connection instead of answering.")] = False,
    cut: Annotated[bool, typer.Option("--cut", help="Close in the middle of the answer.")] = False,
    times: Annotated[int, typer.Option(min=0, help="Misbehave so many times only; 0: always.")] = 0,
) -> None:
    """A receiver of webhooks that checks content and repeats.

    What is right is answered with 200, the rest with 400 or 401 and the reasons, unless told to misbehave.

    Example: tocsin simulate webhook --listen 127.0.0.1:4080 --status 503 --retry-after 5 --times 2
    """
    from tocsin.engine.clock import LoopClock
    from tocsin.standins.webhook import Answer, Expected, serve

    if status and status < 200:
        stop("--status is 200 to 599", WRONG_USE)
    fault: Literal["", "silent", "close", "cut"] = "silent" if silent else "close" if close else "cut" if cut else ""
    scripted = Answer(status, "", retry_after, redirect, delay, fault)
    behaves = scripted == Answer(status=0)
    expected = Expected(tuple(standard_key), tuple(hmac_key), bearer)
    work = serve(
        listen,
        print_line,
        LoopClock(),
        expected,
        [] if behaves else [scripted] * times,
        server_tls(cert, cert_key),
        started(listen),
        None if behaves or times else scripted,
    )
    until_stopped(work, f"cannot listen on {listen}")


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
    fail: Annotated[list[str], typer.Option(help='Answer a step so: "rcpt=550 5.1.1 no such user".')] = [],  # noqa: B006
    cut: Annotated[list[str], typer.Option(help="Cut the connection at mail, rcpt or data.")] = [],  # noqa: B006
    delay: Annotated[float, typer.Option(min=0, help="Answer the message so many seconds late.")] = 0.0,
    times: Annotated[int, typer.Option(min=1, help="Fail, cut and delay so many times.")] = 1,
) -> None:
    """A mail server that checks the form of what it takes.

    The steps that can fail are mail (the sender), rcpt (a recipient) and data (the message).

    Example: tocsin simulate smtp --listen 127.0.0.1:4025 --fail "data=451 4.3.0 later" --times 2
    """
    from tocsin.engine.clock import LoopClock
    from tocsin.standins.smtp import MailFault, MailSwitches, serve

    if (implicit or require_tls) and cert is None:
        stop("--implicit and --require-tls need --cert", WRONG_USE)
    switches = MailSwitches(server_tls(cert, cert_key), implicit, require_tls, user, password, clear_login, size_limit)
    faults = [MailFault(_mail_step(at), answer) for at, _, answer in (one.partition("=") for one in fail)]
    faults += [MailFault(_mail_step(at), drop=True) for at in cut]
    faults += [MailFault("data", delay_s=delay)] if delay else []
    work = serve(listen, print_line, LoopClock(), switches, faults * times, started(listen))
    until_stopped(work, f"cannot listen on {listen}")


def _mail_step(written: str) -> Literal["mail", "rcpt", "data"]:
    if written not in _MAIL_STEPS:
        stop(f"{written} is no step of a mail: {', '.join(_MAIL_STEPS)}", WRONG_USE)
    return cast('Literal["mail", "rcpt", "data"]', written)


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
) -> None:
    """An FTP server, with --cert also FTPES, that reports every file and every completed set.

    A file counts when it has its final name; a text file completes the set of its folder.

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
        drop_after=drop_after, drops=times if drop_after else 0, slow=slow,
    )  # fmt: skip
    work = serve(listen, print_line, switches, str(Path(folder).resolve()) if folder else "", started(listen))
    until_stopped(work, f"cannot listen on {listen}")
