"""What stand-ins on TCP share: their standing connections, which are counted, cut, and closed with them."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable

Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LINE_LIMIT = 65_536


class Connections:
    """Each talks by `converse`, whose end closes it; a peer that leaves ends it too. `made`: how many there have been.

    `limit`: the longest, in bytes, that a reader waits for as a whole.
    """

    def __init__(self, converse: Converse, tls: ssl.SSLContext | None = None, limit: int = LINE_LIMIT) -> None:
        self.made = 0
        self._converse = converse
        self._tls = tls
        self._limit = limit
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def standing(self) -> int:
        return len(self._writers)

    async def listen(self, host: str, port: int) -> int:
        """Returns the port. Raises OSError."""
        self._server = await asyncio.start_server(self._accepted, host, port, ssl=self._tls, limit=self._limit)
        return int(self._server.sockets[0].getsockname()[1])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk on one connection until it ends."""
        self._writers.add(writer)
        self.made += 1
        try:
            await self._converse(reader, writer)
        except (OSError, EOFError, asyncio.LimitOverrunError):
            return  # the peer left, or sends without end
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        finally:
            self._writers.discard(writer)
            writer.close()

    def drop(self) -> None:
        """Cut every one, as whatever restarts does."""
        for writer in self._writers:
            writer.transport.abort()

    async def aclose(self) -> None:
        if self._server is not None:
            self._server.close()
        self.drop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports close in the loop's next turn

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.serve(reader, writer)
        except asyncio.CancelledError:
            return  # the stand-in is closing
        finally:
            self._tasks.discard(task)
