"""Can this machine listen where the configuration says, and if not: who is in the way."""

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from tocsin.app.settings import Configuration
from tocsin.cli.context import Unanswered
from tocsin.cli.own import own_client
from tocsin.config.listening import split_listen
from tocsin.engine.contracts import CheckStep

_ASK_S = 2.0
_KINDS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
_HINTS = {
    errno.EADDRINUSE: "another program has it: `ss -lntup` shows which; stop it or take another port",
    errno.EACCES: "ports below 1024 are reserved: take one from 1024 on",
    errno.EADDRNOTAVAIL: "this machine does not have that address: `ip address` lists its own; 0.0.0.0 stands for all",
}


def listening_steps(file: Path, settings: Configuration) -> Iterator[tuple[str, Sequence[CheckStep]]]:
    """For the API and each source: whether its address is free, or held by the gateway of this configuration."""
    running = _running(file, settings.gateway.name)
    yield "listen api", [_step(settings.api.listen, socket.SOCK_STREAM, "api" in running)]
    for source in settings.sources:
        places = source.listening()
        if places:
            yield f"listen {source.name}", [_step(at, _KINDS[over], source.name in running) for at, over in places]


def _running(file: Path, name: str) -> set[str]:
    """The API and the sources of the gateway that runs with this configuration; empty when none does."""
    try:
        found = own_client(file, "", ("read",), open_to_all=True).health("/healthz", _ASK_S)
    except (Unanswered, typer.Exit):
        return set()
    if found.get("gateway") != name:
        return set()
    return {"api", *(part["name"] for part in found["components"] if part["kind"] == "source")}


def _step(listen: str, kind: socket.SocketKind, running: bool) -> CheckStep:
    host, port = split_listen(listen)
    what = f"listen on {listen}, {'TCP' if kind == socket.SOCK_STREAM else 'UDP'}"
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_PASSIVE)[0]
        _bind(family, kind, address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and running:
            return CheckStep(what, True, "in use by the running gateway")
        return CheckStep(what, False, _reason(error), _HINTS.get(error.errno or 0, ""))
    return CheckStep(what, True, "the address is free" if port else "any free port")


def _reason(error: OSError) -> str:
    known = isinstance(error, socket.gaierror) or error.errno is None
    return str(error.strerror or error) if known else os.strerror(error.errno or 0)


def _bind(family: int, kind: socket.SocketKind, address: Any) -> None:
    """Take the address as the gateway would, and give it back. Raises OSError."""
    with socket.socket(family, kind) as tried:
        if kind == socket.SOCK_STREAM and os.name == "posix":
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind(address)
        if kind == socket.SOCK_STREAM:
            tried.listen(1)
