"""`tocsin simulate blobs`."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from tocsin.cli.context import WRONG_USE, stop
from tocsin.cli.simulate.serving import Cert, CertKey, Listen, print_line, server_tls, started, until_stopped

if TYPE_CHECKING:
    from tocsin.standins.blobs import BlobStandin, Kind, Operation

Place = Annotated[list[str], typer.Option(help="Print an address for a blob of this name; may be repeated.")]
Valid = Annotated[float, typer.Option(min=0, help="Addresses are valid for so many seconds.")]


def blobs(
    listen: Listen = "127.0.0.1:4150",
    folder: Annotated[Path | None, typer.Option(help="Keep contents here; else they are gone at the end.")] = None,
    key: Annotated[str, typer.Option(help="Sign addresses with this key, so that another stand-in can.")] = "",
    place: Place = [],  # noqa: B006
    rights: Annotated[str, typer.Option(help="What the addresses allow: letters of r, c, w.")] = "cw",
    valid: Valid = 3600.0,
    cert: Cert = None,
    cert_key: CertKey = None,
    fault: Annotated[str, typer.Option(help="drop, swallow, silent, busy, expire, damage, gone…")] = "",
    on: Annotated[str, typer.Option(help="With --fault: on block, blocklist, blob or read.")] = "block",
    retry_after: Annotated[str, typer.Option(help="With --fault busy: send this Retry-After.")] = "",
    delay: Annotated[float, typer.Option(min=0, help="Answer so many seconds late.")] = 0.0,
    times: Annotated[int, typer.Option(min=0, help="Misbehave so many times only; 0: always.")] = 0,
) -> None:
    """A blob storage that takes evidence as Azure's does.

    Blocks, block lists and whole blobs.

    Permissions are checked and refusals carry the real service's codes, unless told to misbehave.

    Example: tocsin simulate blobs --place clip.mp4 --fault swallow --on blocklist --times 1
    """
    from tocsin.standins.blobs import Fault, Kind, Operation, serve

    if fault and fault not in get_args(Kind):
        stop(f"--fault {fault}: expected one of {', '.join(get_args(Kind))}", WRONG_USE)
    if on not in get_args(Operation):
        stop(f"--on {on}: expected one of {', '.join(get_args(Operation))}", WRONG_USE)
    with _folder(folder) as contents:
        standin = _standin(listen, contents, key, cert, cert_key)
        planned = Fault(cast("Kind", fault) if fault else None, delay, retry_after)
        if times:
            standin.switches.faults[cast("Operation", on)] = [planned] * times
        elif fault or delay:
            standin.switches.lasting[cast("Operation", on)] = planned

        def ready(port: int) -> None:
            started(listen)(port)
            for name in place:
                print_line({"place": name, "uri": standin.address(name, rights, valid)})

        until_stopped(serve(standin, ready), f"cannot listen on {listen}")


@contextlib.contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    import tempfile

    if given is None:
        with tempfile.TemporaryDirectory(prefix="tocsin-blobs-") as made:
            yield Path(made)
        return
    given.mkdir(parents=True, exist_ok=True)
    yield given


def _standin(listen: str, folder: Path, key: str, cert: Path | None, cert_key: Path | None) -> "BlobStandin":
    import os

    from tocsin.engine.clock import LoopClock
    from tocsin.standins.blob_store import BlobStore
    from tocsin.standins.blobs import BlobStandin

    signing = key.encode() or os.urandom(32)
    return BlobStandin(listen, print_line, LoopClock(), BlobStore(folder), signing, server_tls(cert, cert_key))
