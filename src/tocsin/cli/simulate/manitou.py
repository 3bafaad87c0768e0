"""`tocsin simulate manitou`."""

from typing import Annotated, cast

import typer

from tocsin.cli.context import WRONG_USE, stop
from tocsin.cli.simulate.serving import Cert, CertKey, Delay, Listen, print_line, server_tls, started, until_stopped


def manitou(
    listen: Listen = "127.0.0.1:4100",
    observed: Annotated[bool, typer.Option("--observed", help="Expect the observed packet, in STX and ETX.")] = False,
    framing: Annotated[str, typer.Option(help="crlf, stx-etx, null, length4 or close.")] = "",
    ack: Annotated[str, typer.Option(help="What acknowledges; {seq} is the packet's number.")] = '<Ack ID="{seq}"/>',
    nak: Annotated[str, typer.Option(help="What refuses.")] = '<Nak ID="{seq}"/>',
    cert: Cert = None,
    cert_key: CertKey = None,
    delay: Delay = 0.0,
    silent: Annotated[bool, typer.Option("--silent", help="Never answer.")] = False,
    silent_times: Annotated[int, typer.Option(min=0, help="Leave so many packets without an answer.")] = 0,
    refuse: Annotated[bool, typer.Option("--refuse", help="Refuse every packet.")] = False,
    refuse_times: Annotated[int, typer.Option(min=0, help="Refuse so many packets.")] = 0,
    cut_once: Annotated[bool, typer.Option("--cut-once", help="Close in the middle of the first answer.")] = False,
    wrong_number: Annotated[bool, typer.Option("--wrong-number", help="Acknowledge another number.")] = False,
    close: Annotated[bool, typer.Option("--close", help="Close the connection after each answer.")] = False,
) -> None:
    """A Manitou XML receiver, as far as its layout is known.

    Checks each packet strictly and acknowledges it; what is wrong is refused with the reasons on the line printed.

    Example: tocsin simulate manitou --listen 127.0.0.1:4100 --silent-times 2
    """
    from tocsin.engine.clock import LoopClock
    from tocsin.protocols.manitou import Framing
    from tocsin.standins.manitou import FRAMINGS, Assumed, Switches, serve

    used = framing or ("stx-etx" if observed else "crlf")
    if used not in FRAMINGS:
        stop(f"--framing {framing}: expected one of {', '.join(FRAMINGS)}", WRONG_USE)
    switches = Switches()
    switches.delay_s, switches.silent, switches.nak = (
        delay,
        -1 if silent else silent_times,
        -1 if refuse else refuse_times,
    )
    switches.cut_once, switches.wrong_number, switches.close_after_answer = cut_once, wrong_number, close
    assumed = Assumed(cast("Framing", used), observed, ack, nak)
    work = serve(listen, print_line, LoopClock(), assumed, switches, server_tls(cert, cert_key), started(listen))
    until_stopped(work, f"cannot listen on {listen}")
