"""Connections that the station makes to us: one is in use, others wait to take its place."""

import asyncio
import os
from collections import deque

from tocsin.config.listening import split_listen
from tocsin.destinations.surgard.hosts import new_sender
from tocsin.destinations.surgard.line import Line
from tocsin.destinations.surgard.settings import LinkedSettings
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Attempt, LinkDown
from tocsin.telemetry.occurrences import Notice
from tocsin.transports.accepting import accept
from tocsin.transports.contract import Connection, Endpoint
from tocsin.transports.tls import TlsFileError, server_context

MOST_WAITING = 4
_STRANGERS_KEPT = 256


class Arrivals:
    """Listens from the first use on. Not for several rounds at once.

    A connection from the host of the one in use replaces it: that station has reconnected. One from another host waits
    until the one in use fails.
    """

    def __init__(self, settings: LinkedSettings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._clock = surroundings.clock
        self._record = surroundings.record
        self._waiting: deque[Line] = deque()
        self._current: Line | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._arrived = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._strangers: set[str] = set()

    @property
    def port(self) -> int:
        """The port listened on; 0 before the first use."""
        return 0 if self._server is None else int(self._server.sockets[0].getsockname()[1])

    async def standing(self, wait_s: float) -> Line | None:
        """The line in use, else the next that waits; waits so long for one. Raises LinkDown."""
        await self._listen()
        await asyncio.sleep(0)  # let an end that has already arrived be seen
        if self._current is not None and self._current.alive():
            return self._current
        self._current = self._first_alive()
        if self._current is None:
            try:
                async with asyncio.timeout(wait_s):
                    await self._arrived.wait()
            except TimeoutError:
                raise LinkDown(self._nobody()) from None
            self._current = self._first_alive()
        return self._current

    async def next(self, tried: set[Endpoint], attempt: Attempt) -> Line | None:
        """The next line that waits, if any."""
        self._current = self._first_alive()
        return self._current

    async def keep(self, line: Line) -> None:
        """It stays the one in use."""

    async def aclose(self) -> None:
        if self._server is not None:
            self._server.close()
        lines = [*self._waiting, *([self._current] if self._current else [])]
        self._waiting.clear()
        self._current = None
        await asyncio.gather(*(line.aclose() for line in lines), *self._closing)

    def _nobody(self) -> str:
        return (
            f"no station is connected to {self._settings.listen}. Check that its software is set to connect here, and "
            "that no firewall on the way refuses it"
        )

    async def _listen(self) -> None:
        if self._server is not None:
            return
        host, port = split_listen(self._settings.listen)
        tls = self._settings.tls
        try:
            context = server_context(tls.cert, tls.key, tls.client_ca) if tls else None
            self._server = await accept(host, port, context, self._settings.allowed, self._take, self._refuse)
        except TlsFileError as error:
            raise LinkDown(f"cannot listen on {self._settings.listen}: {error}") from error
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error
            raise LinkDown(f"cannot listen on {self._settings.listen}: {reason}") from error

    def _first_alive(self) -> Line | None:
        while self._waiting:
            line = self._waiting.popleft()
            if line.alive():
                self._tell_waiting()
                return line
            self._close(line)
        self._tell_waiting()
        return None

    def _take(self, connection: Connection, peer: Endpoint) -> None:
        for line in [each for each in self._waiting if each.endpoint.host == peer.host]:
            self._waiting.remove(line)
            self._close(line)
        if self._current is not None and self._current.endpoint.host == peer.host:
            self._close(self._current)
        self._waiting.append(Line(peer, connection, self._clock, new_sender(self._settings)))
        if len(self._waiting) > MOST_WAITING:
            self._close(self._waiting.popleft())
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        if self._waiting:
            self._arrived.set()
        else:
            self._arrived.clear()

    def _refuse(self, peer: Endpoint) -> None:
        if peer.host not in self._strangers and len(self._strangers) < _STRANGERS_KEPT:
            self._strangers.add(peer.host)
            text = f"{peer.host} tried to connect and is not in allowed; told once"
            self._record(Notice(f"destination {self._settings.name}", text))

    def _close(self, line: Line) -> None:
        task = asyncio.get_running_loop().create_task(line.aclose())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
