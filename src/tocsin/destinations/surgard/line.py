"""One connection to a station, as records and their answers."""

import asyncio

from tocsin.engine.contracts import Clock
from tocsin.protocols.surgard.framing import wrap
from tocsin.protocols.surgard.sender import Ended, Sender, Step, Transmit
from tocsin.transports.contract import Connection, Endpoint, LinkBroken

_READS_AT_MOST = 16


class Line:
    """`opened_at` is monotonic, in seconds. `proved` once the station has acknowledged a heartbeat on it."""

    def __init__(self, endpoint: Endpoint, connection: Connection, clock: Clock, sender: Sender) -> None:
        self.endpoint = endpoint
        self.opened_at = clock.monotonic()
        self.proved = False
        self._connection = connection
        self._clock = clock
        self._sender = sender

    def alive(self) -> bool:
        return self._connection.alive()

    async def ask(self, record: bytes) -> Ended:
        """Send a record until it is acknowledged or given up. Raises LinkBroken."""
        await self._hear_what_waits()
        ended = await self._perform(self._sender.send(wrap(record), self._clock.monotonic()))
        while ended is None:
            ended = await self._perform(await self._next())
        return ended

    async def aclose(self) -> None:
        await self._connection.aclose()

    async def _hear_what_waits(self) -> None:
        """What came since the last record belongs to none that is to come (surgard.md 2)."""
        for _ in range(_READS_AT_MOST):
            try:
                async with asyncio.timeout(0):
                    data = await self._connection.receive()
            except TimeoutError:
                return
            self._hear(data)
        raise LinkBroken(f"{self.endpoint} sends without being asked; check what listens there")

    async def _next(self) -> list[Step]:
        deadline = self._sender.deadline
        assert deadline is not None
        try:
            async with asyncio.timeout(max(0.0, deadline - self._clock.monotonic())):
                data = await self._connection.receive()
        except TimeoutError:
            return self._sender.tick(self._clock.monotonic())
        return self._hear(data)

    def _hear(self, data: bytes) -> list[Step]:
        if not data:
            raise LinkBroken(f"{self.endpoint} closed the connection before answering")
        return self._sender.receive(data, self._clock.monotonic())

    async def _perform(self, steps: list[Step]) -> Ended | None:
        for step in steps:
            if isinstance(step, Transmit):
                await self._connection.send(step.data)
            else:
                return step
        return None
