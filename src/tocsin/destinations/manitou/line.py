"""Connections to the hosts of a station, as answers."""

import asyncio

from tocsin.destinations.manitou.settings import ManitouSettings
from tocsin.engine.contracts import Clock
from tocsin.protocols.manitou import AnswerReader
from tocsin.transports.contract import Connection, Endpoint, LinkBroken, Network


class Line:
    """One connection to one host. `opened_at` is monotonic, in seconds."""

    def __init__(self, endpoint: Endpoint, connection: Connection, opened_at: float, reader: AnswerReader) -> None:
        self.endpoint = endpoint
        self.opened_at = opened_at
        self._connection = connection
        self._reader = reader
        self._found: list[bytes] = []

    def alive(self) -> bool:
        return self._connection.alive()

    async def send(self, frame: bytes) -> None:
        """Raises LinkBroken."""
        await self._connection.send(frame)

    async def forget(self) -> None:
        """Drop what has come in: an answer that came before its question is none. Raises LinkBroken."""
        try:
            async with asyncio.timeout(0):
                await self._read()
        except TimeoutError:
            pass
        self._found.clear()

    async def answer(self) -> bytes:
        """The next answer. Waits without end; raises LinkBroken when nothing can come."""
        while not self._found:
            await self._read()
        return self._found.pop(0)

    async def _read(self) -> None:
        data = await self._connection.receive()
        if not data:
            where = "in the middle of an answer" if self._reader.pending else "before answering"
            raise LinkBroken(f"{self.endpoint} closed the connection {where}")
        self._found += self._reader.feed(data)
        if self._reader.broken:
            raise LinkBroken(f"{self.endpoint} answers without an end; check framing and the port")

    async def aclose(self) -> None:
        await self._connection.aclose()


class Lines:
    """The one connection of a destination: opened when needed, kept when it may be, closed when it is stale."""

    def __init__(self, settings: ManitouSettings, network: Network, clock: Clock) -> None:
        self._settings = settings
        self._network = network
        self._clock = clock
        self._tls = settings.tls.options() if settings.tls else None
        self._first = settings.endpoints()[0]
        self._idle: Line | None = None
        self._closed = False

    async def standing(self) -> Line | None:
        """The kept line if it still stands; one the station has closed, or that is to fail back, is dropped."""
        await asyncio.sleep(0)  # let an end that has already arrived be seen
        line, self._idle = self._idle, None
        if line is None or (line.alive() and not self._fails_back(line)):
            return line
        await line.aclose()
        return None

    def _fails_back(self, line: Line) -> bool:
        after_s = self._settings.failback_after
        away = line.endpoint != self._first
        return after_s is not None and away and self._clock.monotonic() - line.opened_at >= after_s

    async def open(self, host: Endpoint) -> Line:
        """A new connection. Raises Unreachable."""
        connection = await self._network.connect(host, self._tls, self._settings.connect_timeout)
        reader = AnswerReader(self._settings.framing_used())
        return Line(host, connection, self._clock.monotonic(), reader)

    async def put_back(self, line: Line) -> None:
        """The line is not needed now."""
        if self._settings.keeps() and line.alive() and not self._closed and self._idle is None:
            self._idle = line
        else:
            await line.aclose()

    async def aclose(self) -> None:
        self._closed = True
        line, self._idle = self._idle, None
        if line is not None:
            await line.aclose()
