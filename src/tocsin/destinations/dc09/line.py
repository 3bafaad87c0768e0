"""Connections to the hosts of a station, as frames."""

import asyncio
from collections import deque

from tocsin.destinations.dc09.settings import Dc09Settings
from tocsin.engine.contracts import Clock
from tocsin.protocols.dc09.frames import Dropped, FrameReader, RawFrame, read_datagram
from tocsin.transports.contract import Connection, Endpoint, LinkBroken, Listener, Network


class Line:
    """One connection to one host. `opened_at` is monotonic, in seconds."""

    def __init__(self, endpoint: Endpoint, connection: Connection, opened_at: float, stream: bool) -> None:
        self.endpoint = endpoint
        self.host = str(endpoint)
        self.opened_at = opened_at
        self._connection = connection
        self._reader = FrameReader() if stream else None
        self._found: deque[RawFrame | Dropped] = deque()

    def alive(self) -> bool:
        return self._connection.alive()

    async def send(self, frame: bytes) -> None:
        """Raises LinkBroken."""
        await self._connection.send(frame)

    async def answer(self) -> RawFrame | Dropped:
        """The next frame, or bytes that are none. Waits without end; raises LinkBroken when nothing can come."""
        while not self._found:
            if self._reader is not None and self._reader.broken:
                raise LinkBroken(f"{self.endpoint} answers with something else than DC-09; check the port")
            data = await self._connection.receive()
            if not data:
                cut = " in the middle of an answer" if self._reader is not None and self._reader.pending else ""
                raise LinkBroken(f"{self.endpoint} closed the connection{cut or ' before answering'}")
            self._found.extend([read_datagram(data)] if self._reader is None else self._reader.feed(data))
        return self._found.popleft()

    def post(self, frame: bytes, listener: Listener) -> bool:
        """Send without waiting, see Connection.post; False over UDP."""
        return self._reader is not None and not self._found and self._connection.post(frame, listener)

    def quiet(self) -> None:
        self._connection.quiet()

    def fed(self, data: bytes) -> RawFrame | None:
        """The one frame that these bytes complete; None: it is something else. Either way `answer` will give it."""
        assert self._reader is not None
        self._found.extend(self._reader.feed(data))
        only = self._found[0] if len(self._found) == 1 else None
        return only if isinstance(only, RawFrame) else None

    def take(self) -> None:
        """What `fed` gave is dealt with."""
        self._found.popleft()

    async def aclose(self) -> None:
        await self._connection.aclose()


class Lines:
    """The connections of one destination: opened when needed, kept when they may be, closed when they are stale."""

    def __init__(self, settings: Dc09Settings, network: Network, clock: Clock) -> None:
        self._settings = settings
        self._network = network
        self._clock = clock
        self._tls = settings.tls.options() if settings.tls else None
        self._first = settings.endpoints()[0]
        self._idle: list[Line] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    async def standing(self) -> Line | None:
        """A kept line that still stands; those the station has closed, or that are to fail back, are dropped."""
        await asyncio.sleep(0)  # let an end that has already arrived be seen
        while self._idle:
            line = self._idle.pop()
            if line.alive() and not self._fails_back(line):
                return line
            await line.aclose()
        return None

    def stands(self) -> bool:
        """Whether `at_hand` has one."""
        return bool(self._idle) and self._idle[-1].alive() and not self._fails_back(self._idle[-1])

    def at_hand(self) -> Line:
        """The kept line `stands` spoke of, without looking twice."""
        return self._idle.pop()

    def keep(self, line: Line) -> bool:
        """The line is not needed now; False: it is to be closed."""
        room = len(self._idle) < self._settings.connections
        if self._settings.keep and room and line.alive() and not self._closed:
            self._idle.append(line)
            return True
        return False

    def _fails_back(self, line: Line) -> bool:
        after_s = self._settings.failback_after
        away = line.endpoint != self._first
        return after_s is not None and away and self._clock.monotonic() - line.opened_at >= after_s

    async def open(self, host: Endpoint) -> Line:
        """A new connection. Raises Unreachable."""
        timeout_s = self._settings.connect_timeout
        stream = self._settings.transport == "tcp"
        if stream:
            connection = await self._network.connect(host, self._tls, timeout_s)
        else:
            connection = await self._network.datagrams(host, timeout_s)
        return Line(host, connection, self._clock.monotonic(), stream)

    async def put_back(self, line: Line) -> None:
        """The line is not needed now."""
        if not self.keep(line):
            await line.aclose()

    def keep_or_close(self, line: Line) -> None:
        """The same where nobody can wait until it is closed."""
        if not self.keep(line):
            task = asyncio.get_running_loop().create_task(line.aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        self._closed = True
        idle, self._idle = self._idle, []
        await asyncio.gather(*(line.aclose() for line in idle), *self._closing)
