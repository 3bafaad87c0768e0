"""Connections we make: the hosts of a station, the first first, in a circle (stations.md 8.1)."""

import asyncio

from tocsin.destinations.surgard.line import Line
from tocsin.destinations.surgard.settings import LinkedSettings
from tocsin.engine.contracts import Attempt, Clock
from tocsin.protocols.surgard.sender import Sender
from tocsin.transports.contract import Endpoint, Network, Unreachable
from tocsin.transports.ring import round_order


class Hosts:
    """Keeps one line. Not for several rounds at once."""

    def __init__(self, settings: LinkedSettings, network: Network, clock: Clock) -> None:
        self._settings = settings
        self._network = network
        self._clock = clock
        self._tls = settings.connecting_tls()
        self._hosts = settings.endpoints()
        self._kept: Line | None = None

    async def standing(self, wait_s: float) -> Line | None:
        """The kept line if it still stands. We connect ourselves: there is nothing to wait for."""
        await asyncio.sleep(0)  # let an end that has already arrived be seen
        line, self._kept = self._kept, None
        if line is not None and (not line.alive() or self._fails_back(line)):
            await line.aclose()
            return None
        return line

    async def next(self, tried: set[Endpoint], attempt: Attempt) -> Line | None:
        """A new line to the next host of the round, which is then tried; None when all have been."""
        for host in round_order(self._hosts, tried):
            tried.add(host)
            try:
                return await self.open(host)
            except Unreachable as error:
                attempt.exchanged(str(host), "unreachable", note=str(error))
        return None

    async def open(self, host: Endpoint) -> Line:
        """Raises Unreachable."""
        connection = await self._network.connect(host, self._tls, self._settings.connect_timeout)
        return Line(host, connection, self._clock, new_sender(self._settings))

    async def keep(self, line: Line) -> None:
        self._kept = line

    async def aclose(self) -> None:
        line, self._kept = self._kept, None
        if line is not None:
            await line.aclose()

    def _fails_back(self, line: Line) -> bool:
        after_s = self._settings.failback_after
        away = line.endpoint != self._hosts[0]
        return after_s is not None and away and self._clock.monotonic() - line.opened_at >= after_s


def new_sender(settings: LinkedSettings) -> Sender:
    return Sender(settings.wait, settings.attempts, *settings.answers())
