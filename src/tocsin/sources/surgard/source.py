"""The gateway as automation software: connects to a receiver, or listens for it, and takes its records."""

import asyncio
import traceback
from collections.abc import Coroutine, Sequence
from typing import Any

from tocsin.config.listening import split_listen
from tocsin.engine.contracts import Intake, SourceState, Supervised
from tocsin.sources.surgard.link import LINK, Link, Records, receiver_subject
from tocsin.sources.surgard.settings import AccountSettings, SurgardSourceSettings
from tocsin.sources.surroundings import SourceSurroundings
from tocsin.telemetry.occurrences import FrameDropped, Notice, TaskFailed, Trouble
from tocsin.transports.accepting import accept
from tocsin.transports.contract import Connection, Endpoint, LinkBroken, Unreachable
from tocsin.transports.tls import server_context

MISSED_HEARTBEATS = 3  # surgard.md 3
ALLOWANCE_S = 2.0
PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
"""Between two rounds over the hosts, doubling (stations.md 8.1)."""


class SurgardSource:
    """See engine.contracts.Source. `port` is the port listened on, 0 while there is none."""

    def __init__(self, settings: SurgardSourceSettings, surroundings: SourceSurroundings) -> None:
        self.name = settings.name
        self.settings = settings
        self.port = 0
        self.listening = asyncio.Event()
        self._surroundings = surroundings
        self._record = surroundings.record
        self._records: Records | None = None
        self._down = False
        self._links: set[asyncio.Task[object]] = set()
        self._silence_s = None if settings.heartbeat is None else MISSED_HEARTBEATS * settings.heartbeat + ALLOWANCE_S

    async def run(self, intake: Intake) -> None:
        self._records = Records(self.settings, self._surroundings, intake)
        try:
            if self.settings.mode == "listen":
                await self._listen(self._records)
            else:
                await self._connect(self._records)
        finally:
            self.listening.clear()
            for task in self._links:
                task.cancel()
            await asyncio.gather(*self._links, return_exceptions=True)

    def states(self) -> Sequence[SourceState]:
        """What is not supervised but was heard; the engine knows the rest."""
        watched = {each.subject for each in self.supervised()}
        heard = sorted(self._records.last_heard.items()) if self._records else []
        return [SourceState(subject, True, at) for subject, at in heard if subject not in watched]

    def supervised(self) -> Sequence[Supervised]:
        found = [_supervised(account) for account in self.settings.accounts if account.supervision]
        if self.settings.heartbeat is None:
            return found
        silence_s = MISSED_HEARTBEATS * self.settings.heartbeat
        subjects = [receiver_subject(number) for number in self.settings.receivers] or [LINK]
        return [*(Supervised(each, silence_s, ALLOWANCE_S, area=self.settings.area) for each in subjects), *found]

    # The receiver connects to us

    async def _listen(self, records: Records) -> None:
        host, port = split_listen(self.settings.listen)
        tls = self.settings.tls
        context = server_context(tls.cert, tls.key, tls.client_ca) if tls else None

        def arrived(connection: Connection, peer: Endpoint) -> None:
            self._arrived(records, connection, peer)

        server = await accept(host, port, context, self.settings.allowed, arrived, self._stranger)
        try:
            self.port = server.sockets[0].getsockname()[1]
            self.listening.set()
            await asyncio.Event().wait()
        finally:
            server.close()

    def _arrived(self, records: Records, connection: Connection, peer: Endpoint) -> None:
        full = len(self._links) >= self.settings.max_connections
        if full:
            self._record(FrameDropped(self.name, "too_many_connections", peer.host))
        work: Coroutine[Any, Any, object] = connection.aclose() if full else self._serve(connection, peer, records)
        task = asyncio.get_running_loop().create_task(work)
        self._links.add(task)
        task.add_done_callback(self._links.discard)

    def _stranger(self, peer: Endpoint) -> None:
        self._record(FrameDropped(self.name, "not_allowed", peer.host))

    async def _serve(self, connection: Connection, peer: Endpoint, records: Records) -> bool:
        """Until the connection ends; whether a record came over it."""
        link = Link(connection, peer.host, records, self._silence_s, self._usable)
        try:
            await link.serve()
        except LinkBroken as error:
            self._record(FrameDropped(self.name, "broken", peer.host, str(error)))
        except Exception as error:  # noqa: BLE001 - a defect met by one connection must not end the others
            trace = "".join(traceback.format_exception(error))
            self._record(TaskFailed(f"source {self.name}", f"{type(error).__name__}: {error}", trace, 0.0))
        return link.frames > 0

    # We connect to the receiver

    async def _connect(self, records: Records) -> None:
        """Every new connection starts at the first host; a pause follows each round without one (stations.md 8.1)."""
        pause_s = PAUSE_S
        while True:
            reasons = await self._round(records)
            if reasons and not self._down:
                self._down = True
                self._record(Trouble(f"source {self.name}", f"no receiver can be used: {'; '.join(reasons)}"))
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S) if self._down else PAUSE_S

    def _usable(self) -> None:
        """A receiver speaks to us."""
        if self._down:
            self._down = False
            self._record(Notice(f"source {self.name}", "a receiver is connected again"))

    async def _round(self, records: Records) -> list[str]:
        """Serve the first host that brings a record, until that link ends; why none did, if none did."""
        reasons = []
        for host in dict.fromkeys(self.settings.endpoints()):
            try:
                connection = await self._surroundings.network.connect(
                    host, self.settings.connecting_tls(), self.settings.connect_timeout
                )
            except Unreachable as error:
                reasons.append(str(error))
                continue
            if await self._serve(connection, host, records):
                return []
            reasons.append(f"{host} took the connection and sent no record")
        return reasons


def _supervised(account: AccountSettings) -> Supervised:
    interval_s = account.supervision or 0.0
    return Supervised(account.subject, interval_s, account.supervision_allowance, account.address(), account.area)


def build(settings: SurgardSourceSettings, surroundings: SourceSurroundings) -> SurgardSource:
    return SurgardSource(settings, surroundings)
