"""A TCP proxy that does to a link what real links do: delay, cut, half-close, swallow, drip, reset, refuse.

    async with FaultProxy("127.0.0.1", port) as proxy:
        proxy.script(Fault(up=Leg(after=12, then="reset")), CLEAN)   # first connection, second; the last one repeats
        await client.connect("127.0.0.1", proxy.port)

`up` is from the client that connects to the server behind, `down` the way back.
"""

import asyncio
import contextlib
import random
import socket
import struct
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

Then = Literal["close", "reset", "half-close", "black hole"]
_CHUNK = 65536


@dataclass(frozen=True)
class Leg:
    """One direction. `after`: so many bytes pass, then `then` happens; None: never.

    `delay_s` holds every piece back; `drip` forwards one byte at a time. `close` and `reset` end both directions,
    `half-close` ends this one, `black hole` goes on taking bytes and forwards nothing.
    """

    after: int | None = None
    then: Then = "close"
    delay_s: float = 0.0
    drip: bool = False


@dataclass(frozen=True)
class Fault:
    up: Leg = Leg()
    down: Leg = Leg()


CLEAN = Fault()
BLACK_HOLE = Fault(up=Leg(0, "black hole"), down=Leg(0, "black hole"))


def any_fault(randomness: random.Random, most_bytes: int = 400) -> Fault:
    """A fault drawn by a seed; now and then none."""
    legs = [_any_leg(randomness, most_bytes) if randomness.random() < 0.5 else Leg() for _ in range(2)]
    return Fault(*legs)


def _any_leg(randomness: random.Random, most_bytes: int) -> Leg:
    then: Then = randomness.choice(("close", "reset", "half-close", "black hole"))
    return Leg(
        after=randomness.choice((None, randomness.randint(0, most_bytes))),
        then=then,
        delay_s=randomness.choice((0.0, 0.0, 0.02)),
        drip=randomness.random() < 0.3,
    )


@dataclass
class Passed:
    """What one connection carried; `fault` is what was done to it."""

    fault: Fault
    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)


class FaultProxy:
    """Listens on a free port of 127.0.0.1 from `__aenter__` on."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._script: list[Fault] = [CLEAN]
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._bound: socket.socket | None = None
        self._refusing = False
        self.port = 0
        self.connections: list[Passed] = []

    def script(self, *faults: Fault) -> None:
        """What happens to the next connections, in order; the last one to all after it."""
        self._script = list(faults)

    async def listen(self) -> None:
        """Take connections (again)."""
        if self._bound is not None:
            self._bound.close()
            self._bound = None
        self._refusing = False
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Refuse new connections and reset the standing ones; the port stays ours."""
        await self._stop()
        self._bound = socket.socket()
        self._bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._bound.bind(("127.0.0.1", self.port))  # bound and not listening: the kernel refuses

    async def break_all(self) -> None:
        """Reset every standing connection; new ones are taken."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()
        if self._bound is not None:
            self._bound.close()

    async def _stop(self) -> None:
        self._refusing = True
        if self._server is not None:
            self._server.close()
        await self.break_all()
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:  # it was accepted by the kernel before
            _reset(writer)
            return
        fault = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        passed = Passed(fault)
        self.connections.append(passed)
        task = asyncio.create_task(self._relay(passed, reader, writer))
        self._tasks.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, writer))

    def _ended(self, task: "asyncio.Task[None]", writer: asyncio.StreamWriter) -> None:
        self._tasks.discard(task)
        if task.cancelled():  # perhaps before its first step
            _reset(writer)

    async def _relay(self, passed: Passed, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._target)
        except OSError:
            _reset(writer)
            return
        legs = (
            asyncio.create_task(_forward(passed.fault.up, reader, far_writer, passed.up)),
            asyncio.create_task(_forward(passed.fault.down, far_reader, writer, passed.down)),
        )
        end: Then = "reset"
        try:
            end = await _both(legs)
        finally:
            for leg in legs:
                leg.cancel()
            try:
                await asyncio.gather(*legs, return_exceptions=True)
            finally:
                for side in (writer, far_writer):
                    _reset(side) if end == "reset" else side.close()


async def _both(legs: tuple["asyncio.Task[Then]", "asyncio.Task[Then]"]) -> Then:
    """Until both directions have ended, or one ends the connection; how it ends."""
    for leg in asyncio.as_completed(legs):
        end = await leg
        if end != "half-close":
            return end
    return "close"


async def _forward(leg: Leg, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passed: bytearray) -> Then:
    """Move one direction until its end or its fault; how it ended."""
    with contextlib.suppress(ConnectionError):
        while leg.after is None or len(passed) < leg.after:
            left = _CHUNK if leg.after is None else leg.after - len(passed)
            data = await reader.read(min(left, _CHUNK))
            if not data:
                break
            await _send(leg, writer, data, passed)
        else:
            if leg.then == "black hole":
                await _swallow(reader)
            elif leg.then != "half-close":
                return leg.then
        writer.write_eof()
        return "half-close"
    return "reset"


async def _send(leg: Leg, writer: asyncio.StreamWriter, data: bytes, passed: bytearray) -> None:
    for piece in (data[at : at + 1] for at in range(len(data))) if leg.drip else (data,):
        await asyncio.sleep(leg.delay_s)
        writer.write(piece)
        passed += piece
        await writer.drain()


async def _swallow(reader: asyncio.StreamReader) -> None:
    while await reader.read(_CHUNK):
        pass
    await asyncio.Event().wait()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST instead of FIN."""
    link: socket.socket = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
