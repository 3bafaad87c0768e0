"""Serving the application inside the gateway's own loop: bounded headers and waits, and a quick, clean end."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI
from msgspec import Struct
from uvicorn.protocols.http.h11_impl import H11Protocol

_HEADER_BYTES = 16_384
_HEADER_S = 10.0
_GRACE_S = 1
_START_S = 10.0


class Tls(Struct, frozen=True):
    """PEM files of the listener's certificate, with its chain, and of its key."""

    cert: str
    key: str


class _Protocol(H11Protocol):
    """Also closes a connection whose request headers do not arrive in time."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch(None)

    def _watch(self, seen: Any) -> None:
        waiting = self.cycle is None or self.cycle.response_complete
        started = self.cycle is None or bool(self.conn.trailing_data[0])
        if waiting and started and seen is not None and seen == (id(self.cycle), True):
            self.transport.close()
            return
        state = (id(self.cycle), waiting and started)
        self._deadline = self.loop.call_later(_HEADER_S / 2, self._watch, state)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)


class _Server(uvicorn.Server):
    """Signals belong to the gateway; `up` is set when connections are taken."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listening(host: str, port: int, what: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"{what} cannot listen on {host} port {port}: {reason}") from None
    return listener


def _config(app: FastAPI, tls: Tls | None, connections: int, idle_s: float) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="none",
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=connections,
        timeout_keep_alive=max(1, round(idle_s)),
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        ssl_certfile=tls.cert if tls else None,
        ssl_keyfile=tls.key if tls else None,
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
    )


@asynccontextmanager
async def serve(
    app: FastAPI,
    host: str,
    port: int,
    tls: Tls | None = None,
    *,
    connections: int = 1000,
    idle_s: float = 75.0,
    what: str = "the API",
) -> AsyncIterator[int]:
    """Serves while the context is open; yields the port in use. Raises OSError when the address or a file fails.

    On leaving, open streams end, requests under way get a second, and the rest is cut off.
    """
    server = _Server(_config(app, tls, connections, idle_s))
    server.config.load()
    listener = _listening(host, port, what)
    bound: int = listener.getsockname()[1]
    task = asyncio.create_task(server.serve(sockets=[listener]), name="api")
    try:
        async with asyncio.timeout(_START_S):
            await server.up.wait()
        yield bound
    finally:
        app.state.room.closing.set()
        server.should_exit = True
        await task
        listener.close()
