"""A stand-in Sur-Gard receiver: sends records and repeats each until its automation software acknowledges it."""

import asyncio
import ssl
from typing import Any

from tocsin.protocols.surgard.framing import wrap
from tocsin.protocols.surgard.sender import ATTEMPTS, WAIT_S, Ended, Sender, Transmit

HEARTBEAT = b"1011           @    "
RECONNECT_S = 0.1


class StandInReceiver:
    """One receiver with one connection to its automation software, which it makes or waits for. Not for several tasks
    at once: one record is outstanding.
    """

    def __init__(self, wait_s: float = WAIT_S, attempts: int = ATTEMPTS, tls: ssl.SSLContext | None = None) -> None:
        self._wait_s = wait_s
        self._attempts = attempts
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._arrived: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._sender = Sender(wait_s, attempts)
        self._connect_to: tuple[str, int, str | None] | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen for the software. Returns the port."""

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._arrived.put((reader, writer))

        self._server = await asyncio.start_server(take, host, port, ssl=self._tls)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    def connects_to(self, host: str, port: int, server_name: str | None = None) -> None:
        self._connect_to = (host, port, server_name)

    async def send(self, record: bytes) -> Ended:
        """One record, on a new connection where the old one has ended; the connection is closed after a failure."""
        reader, writer = await self._connected()
        now = asyncio.get_running_loop().time
        steps: list[Any] = self._sender.send(wrap(record), now())
        while True:
            for step in steps:
                if isinstance(step, Transmit):
                    writer.write(step.data)
                    await writer.drain()
                elif isinstance(step, Ended):
                    if step.outcome != "acknowledged":
                        await self.hang_up()
                    return step
            steps = await self._next(reader)

    async def raw(self, data: bytes, count: int) -> bytes:
        """Send bytes as they are; `count` bytes of answer, fewer if the connection ends."""
        reader, writer = await self._connected()
        writer.write(data)
        answer = b""
        async with asyncio.timeout(10):
            while len(answer) < count and (read := await reader.read(count - len(answer))):
                answer += read
        return answer

    async def hang_up(self) -> None:
        writer, self._writer, self._reader = self._writer, None, None
        if writer is not None:
            writer.transport.abort()
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        await self.hang_up()
        while not self._arrived.empty():
            self._arrived.get_nowait()[1].transport.abort()
        if self._server is not None:
            self._server.close()
        await asyncio.sleep(0)

    async def _next(self, reader: asyncio.StreamReader) -> list[Any]:
        loop = asyncio.get_running_loop()
        deadline = self._sender.deadline
        assert deadline is not None
        try:
            async with asyncio.timeout_at(deadline):
                data = await reader.read(64)
        except TimeoutError:
            return list(self._sender.tick(loop.time()))
        if not data:
            await self.hang_up()
            raise ConnectionResetError("the software closed the connection")
        return list(self._sender.receive(data, loop.time()))

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._reader is None or self._writer is None or self._reader.at_eof():
            await self.hang_up()
            self._sender = Sender(self._wait_s, self._attempts)
            if self._connect_to is None:
                self._reader, self._writer = await self._arrived.get()
            else:
                host, port, name = self._connect_to
                try:
                    self._reader, self._writer = await asyncio.open_connection(
                        host, port, ssl=self._tls, server_hostname=name
                    )
                except OSError:
                    await asyncio.sleep(RECONNECT_S)
        return self._reader, self._writer
