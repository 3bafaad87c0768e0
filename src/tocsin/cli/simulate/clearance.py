"""`tocsin simulate clearance`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tocsin.cli.context import FAILED, WRONG_USE, stop
from tocsin.cli.simulate.serving import Cert, CertKey, Listen, print_line, server_tls, started, until_stopped

if TYPE_CHECKING:
    from tocsin.standins.clearance.standin import ClearanceStandin

Jobs = Annotated[
    list[str],
    typer.Option(help="A job on offer: discovery, thumbnail/DEVICE, mediarequest/DEVICE/START/END (ISO 8601)."),
]
Faults = Annotated[
    list[str],
    typer.Option(help='Make calls fail: "renew=503*2", "lock=lost*1", "get_jobs=429:5*1", "complete_media=late:3".'),
]
Assumed = Annotated[
    list[str],
    typer.Option(
        help="What is not published, the other way: lock_s=10, sas_s=30, expiry=absent, token=true, list=object, "
        "spelling=second, case=upper, again=same, date=false, ahead_s=90, extra=false, refused=403, token_s=20."
    ),
]


def clearance(
    connection: Annotated[Path, typer.Option(help="Write the connection file for the agent here, mode 0600.")],
    blobs: Annotated[str, typer.Option(help="Account address of the storage: http://127.0.0.1:4150/standin.")],
    blobs_key: Annotated[str, typer.Option(help="The account's key, as `simulate blobs --key` was given.")],
    listen: Listen = "127.0.0.1:4160",
    container: Annotated[str, typer.Option(help="Container of the storage.")] = "evidence",
    base64_key: Annotated[bool, typer.Option("--base64-key", help="The account's key is base64 (Azurite).")] = False,
    profile: Annotated[Path | None, typer.Option(help="Speak this wire profile (TOML) instead of assumed-1.")] = None,
    job: Jobs = [],  # noqa: B006
    fault: Faults = [],  # noqa: B006
    assume: Assumed = [],  # noqa: B006
    cert: Cert = None,
    cert_key: CertKey = None,
) -> None:
    """A Genetec Clearance camera registry with its token service.

    Verifies assertions, keeps locks, decrypts and checks what was stored. Strict: what it does not know is refused.
    POST /standin/job {"type", "device", "start", "end"} offers a job; also withdraw and expire {"id"}, revoke, fault.

    Example: tocsin simulate clearance --connection clearance.json --blobs http://127.0.0.1:4150/standin
    --blobs-key secret --job discovery --assume lock_s=10
    """
    from tocsin.engine.clock import LoopClock
    from tocsin.evidence.registry.profile import assumed_text
    from tocsin.standins.clearance.standin import ClearanceStandin, Storage
    from tocsin.standins.clearance.switches import read_assumptions, read_fault

    key = _key(blobs_key, base64_key)
    try:
        assumptions, faults = read_assumptions(assume), [read_fault(text) for text in fault]
        text = profile.read_text(encoding="utf-8") if profile else assumed_text()
        tls = server_tls(cert, cert_key)
        storage = Storage(blobs, key, container)
        standin = ClearanceStandin(listen, print_line, LoopClock(), storage, text, assumptions=assumptions, tls=tls)
        standin.faults = faults
        for one in job:
            _offer(standin, one)
    except (ValueError, KeyError, OSError) as error:
        stop(str(error), WRONG_USE)

    def ready(port: int) -> None:
        started(listen)(port)
        _write(connection, standin)

    until_stopped(standin.serve(ready), f"cannot listen on {listen}")


def _key(text: str, encoded: bool) -> bytes:
    import base64

    try:
        return base64.b64decode(text, validate=True) if encoded else text.encode()
    except ValueError:
        stop("--blobs-key is not base64", WRONG_USE)


def _offer(standin: "ClearanceStandin", text: str) -> None:
    type_, *rest = text.split("/")
    if type_ not in ("discovery", "thumbnail", "mediarequest") or len(rest) > 3:
        raise ValueError(f"--job {text}: expected discovery, thumbnail/DEVICE or mediarequest/DEVICE/START/END")
    standin.ledger.post(type_, *rest)


def _write(file: Path, standin: "ClearanceStandin") -> None:
    import json
    import os

    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as written:
            json.dump(standin.connection_file(), written, indent=2)
    except OSError as error:
        stop(f"{file} cannot be written: {error.strerror}", FAILED)
