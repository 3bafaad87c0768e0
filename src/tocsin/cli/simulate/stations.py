"""The receiving side: stations that check what they get, and misbehave on request."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tocsin.cli.context import WRONG_USE, stop
from tocsin.cli.simulate.serving import (
    Cert,
    CertKey,
    Delay,
    Listen,
    aes_key,
    client_tls,
    host_port,
    print_line,
    server_tls,
    started,
    until_stopped,
)

if TYPE_CHECKING:
    from tocsin.standins.surgard import Switches


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


Connect = Annotated[str, typer.Option(help="Connect to HOST:PORT of a gateway that listens, instead of listening.")]
CaFile = Annotated[Path | None, typer.Option(help="With --connect: TLS; the gateway's authority (PEM).")]
Silent = Annotated[bool, typer.Option("--silent", help="Never answer.")]
SilentTo = Annotated[list[str], typer.Option(help="Do not answer this account's records; may be repeated.")]
NakFirst = Annotated[int, typer.Option(min=0, help="Answer so many records with NAK first.")]
Drop = Annotated[bool, typer.Option("--drop", help="Close the connection instead of answering.")]
DropOnce = Annotated[bool, typer.Option("--drop-once", help="The same, but once only.")]


def surgard(
    listen: Listen = "127.0.0.1:1025",
    connect: Connect = "",
    cert: Cert = None,
    cert_key: CertKey = None,
    ca_file: CaFile = None,
    line_digits: Annotated[int | None, typer.Option(help="Demand the header RRL (1) or RRLLL (3).")] = None,
    delay: Delay = 0.0,
    silent: Silent = False,
    silent_to: SilentTo = [],  # noqa: B006
    nak_first: NakFirst = 0,
    drop: Drop = False,
    drop_once: DropOnce = False,
) -> None:
    """Automation software that takes Sur-Gard records.

    Checks every record strictly and acknowledges it, unless told to misbehave.

    Example: tocsin simulate surgard --listen 127.0.0.1:1025 --nak-first 2
    """
    if line_digits not in (None, 1, 3):
        stop("--line-digits is 1 or 3", WRONG_USE)
    switches = _surgard_switches(delay, silent, silent_to, nak_first, drop, drop_once)
    switches.line_digits = line_digits
    _automation("surgard", listen, connect, cert, cert_key, ca_file, switches)


def microkey(
    listen: Listen = "127.0.0.1:1025",
    connect: Connect = "",
    cert: Cert = None,
    cert_key: CertKey = None,
    ca_file: CaFile = None,
    ack_byte: Annotated[str, typer.Option(help="The acknowledgement, hexadecimal.")] = "06",
    nak_byte: Annotated[str, typer.Option(help="The refusal, hexadecimal.")] = "15",
    delay: Delay = 0.0,
    silent: Silent = False,
    silent_to: SilentTo = [],  # noqa: B006
    nak_first: NakFirst = 0,
    drop: Drop = False,
    drop_once: DropOnce = False,
) -> None:
    """A MicroKey station that reads Sur-Gard records (unconfirmed).

    Example: tocsin simulate microkey --listen 127.0.0.1:1025
    """
    switches = _surgard_switches(delay, silent, silent_to, nak_first, drop, drop_once)
    try:
        switches.ack, switches.nak = bytes.fromhex(ack_byte), bytes.fromhex(nak_byte)
    except ValueError:
        stop("--ack-byte and --nak-byte are pairs of hexadecimal digits, such as 06", WRONG_USE)
    _automation("microkey", listen, connect, cert, cert_key, ca_file, switches)


def _surgard_switches(
    delay: float, silent: bool, silent_to: list[str], nak_first: int, drop: bool, drop_once: bool
) -> "Switches":
    from tocsin.standins.surgard import Switches

    switches = Switches()
    switches.delay_s, switches.silent, switches.silent_to = delay, silent, set(silent_to)
    switches.nak_first, switches.drop, switches.drop_once = nak_first, drop, drop_once
    return switches


def _automation(
    name: str,
    listen: str,
    connect: str,
    cert: Path | None,
    cert_key: Path | None,
    ca_file: Path | None,
    switches: "Switches",
) -> None:
    from tocsin.engine.clock import LoopClock
    from tocsin.standins import surgard as software

    if not connect:
        work = software.serve(
            listen, print_line, LoopClock(), server_tls(cert, cert_key), started(listen), switches, name
        )
        until_stopped(work, f"cannot listen on {listen}")
        return
    try:
        tls = client_tls(ca_file, cert, cert_key)
        work = software.connect(host_port(connect), print_line, LoopClock(), tls, switches, name)
    except typer.BadParameter as error:
        stop(f"--connect {connect}: {error.message}", WRONG_USE)
    until_stopped(work, f"cannot connect to {connect}")
