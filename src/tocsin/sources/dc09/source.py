"""The receiver: listens, judges, hands over, acknowledges what is on disk."""

import asyncio
import traceback
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from tocsin.config.listening import split_listen
from tocsin.engine.contracts import Intake, IntakeClosed, Refused, SourceState, Supervised, Taken
from tocsin.model.event import Address
from tocsin.protocols.dc09.frames import Dropped, RawFrame
from tocsin.protocols.dc09.receiver import Answer, Receiver, Silence, Take
from tocsin.protocols.dc09.replies import duh
from tocsin.sources.acknowledging import may_acknowledge
from tocsin.sources.dc09.events import Panels, submissions
from tocsin.sources.dc09.links import Asker, DatagramLink, StreamLink, Taking
from tocsin.sources.dc09.settings import AccountSettings, Dc09SourceSettings
from tocsin.sources.surroundings import SourceSurroundings
from tocsin.telemetry.occurrences import EventRefused, FrameDropped, TaskFailed
from tocsin.transports.tls import server_context

HANDSHAKE_DEADLINE_S = 10.0
SWEEP_S = 5.0
BACKLOG = 1024
BATCHES_AT_ONCE = 2
"""One on its way to the disk while the next is made ready; more would only be smaller."""
BATCH_LIMIT = 1000
"""Links whose messages go to the disk together."""


class Kept(Struct, frozen=True):
    """A message on disk whose reply waits until a station has its events."""

    reply: bytes
    taken: Sequence[Taken]


class Dc09Source:
    """See engine.contracts.Source. `port` is the port listened on, 0 while there is none."""

    def __init__(self, settings: Dc09SourceSettings, surroundings: SourceSurroundings) -> None:
        self.name = settings.name
        self.settings = settings
        self.clock = surroundings.clock
        self.port = 0
        self.listening = asyncio.Event()
        self._randomness = surroundings.randomness
        self._record = surroundings.record
        self._tell_heard = surroundings.heard
        self._tell_contact = surroundings.contact
        self._late = settings.acknowledge == "delivered"
        self._panels = Panels(settings)
        self._receiver = Receiver(self._panels)
        self._intake: Intake | None = None
        self._links: set[StreamLink] = set()
        self._peers: Counter[str] = Counter()
        self._waiting: list[tuple[Asker, Sequence[Taking]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._batches_under_way = 0
        self._called = False
        self._last_heard: dict[str, datetime] = {}

    async def run(self, intake: Intake) -> None:
        self._intake = intake
        host, port = split_listen(self.settings.listen)
        tls = self.settings.tls
        context = server_context(tls.cert, tls.key, tls.client_ca) if tls else None
        server = await asyncio.get_running_loop().create_server(
            lambda: StreamLink(self),
            host,
            port,
            backlog=BACKLOG,
            ssl=context,
            ssl_handshake_timeout=HANDSHAKE_DEADLINE_S if context else None,
        )
        udp: asyncio.BaseTransport | None = None
        try:
            self.port = server.sockets[0].getsockname()[1]
            udp = None if context else await self._datagrams(host)
            self.listening.set()
            await self._sweep()
        finally:
            await self._stop(server, udp)

    async def _datagrams(self, host: str) -> asyncio.BaseTransport:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: DatagramLink(self), local_addr=(host, self.port)
        )
        return transport

    async def _stop(self, server: asyncio.Server, udp: asyncio.BaseTransport | None) -> None:
        self.listening.clear()
        server.close()
        if udp is not None:
            udp.close()
        for link in list(self._links):
            link.abort()
        self._waiting.clear()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._batches_under_way = 0  # a task cancelled before its first step has not counted itself out

    async def _sweep(self) -> None:
        """Close connections that have been silent for too long (dc09.md 14)."""
        while True:
            await asyncio.sleep(SWEEP_S)
            now = self.clock.monotonic()
            for link in [link for link in self._links if link.idle(now)]:
                self.dropped("idle", link.peer)
                link.abort()

    def states(self) -> Sequence[SourceState]:
        """The accounts that are not supervised but were heard; the engine knows the others."""
        watched = {account.subject for account in self.settings.accounts if account.supervision}
        heard = sorted(self._last_heard.items())
        return [SourceState(subject, True, at) for subject, at in heard if subject not in watched]

    def supervised(self) -> Sequence[Supervised]:
        return [_supervised(account, self.settings) for account in self.settings.accounts if account.supervision]

    # What the links ask for

    def admits(self, link: StreamLink) -> bool:
        """Whether one more connection of this peer may stay."""
        full = len(self._links) >= self.settings.max_connections
        if full or self._peers[link.peer] >= self.settings.max_connections_per_peer:
            self.dropped("too_many_connections", link.peer)
            return False
        self._links.add(link)
        self._peers[link.peer] += 1
        return True

    def left(self, link: StreamLink) -> None:
        if link in self._links:
            self._links.discard(link)
            self._peers[link.peer] -= 1
            if not self._peers[link.peer]:
                del self._peers[link.peer]

    def hand_over(self, asker: Asker, takings: Sequence[Taking]) -> None:
        """Keep these messages, then let the asker send their replies. What all links bring in one turn of the loop, or
        while others are on their way to the disk, goes there together.
        """
        self._waiting.append((asker, takings))
        self._call_for_batch()

    def _call_for_batch(self) -> None:
        if self._waiting and not self._called and self._batches_under_way < BATCHES_AT_ONCE:
            self._called = True
            asyncio.get_running_loop().call_soon(self._start_batch)

    def _start_batch(self) -> None:
        self._called = False
        if self._waiting and self._batches_under_way < BATCHES_AT_ONCE:
            self._batches_under_way += 1
            task = asyncio.get_running_loop().create_task(self._batches())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _batches(self) -> None:
        """Until nothing is waiting. What comes after the last look, or is left by a batch that failed, starts anew."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH_LIMIT], self._waiting[BATCH_LIMIT:]
                await self._batch(batch)
        finally:
            self._batches_under_way -= 1
            self._call_for_batch()

    async def _batch(self, batch: Sequence[tuple[Asker, Sequence[Taking]]]) -> None:
        answers = await self._keep([taking for _, takings in batch for taking in takings])
        place = 0
        for asker, takings in batch:
            self._answer(asker, answers[place : place + len(takings)])
            place += len(takings)

    def _answer(self, asker: Asker, answers: Sequence[bytes | Kept]) -> None:
        """Replies now; those that wait for a station each in their own time, and nobody waits behind them."""
        now = [each for each in answers if isinstance(each, bytes)]
        if len(now) == len(answers):
            asker.answered(now)
            return
        asker.answered(now, len(answers) - len(now))
        for each in [each for each in answers if isinstance(each, Kept)]:
            task = asyncio.get_running_loop().create_task(self._answer_late(asker, each))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer_late(self, asker: Asker, kept: Kept) -> None:
        """Not delivered in time: no reply, the panel sends again (dc09.md 13.1)."""
        assert self._intake is not None
        reply = b""
        try:
            if await may_acknowledge(self.settings, self._intake, kept.taken):
                reply = kept.reply
            else:
                why = f"no station has it within {self.settings.delivered_within:g} s; {asker.peer} is not acknowledged"
                self._record(EventRefused(self.name, "not_delivered", why))
        except Exception as error:  # noqa: BLE001 - the top of a task: the panel sends again
            self._failed(error)
        finally:
            asker.late(reply)

    def dropped(self, reason: str, peer: str, detail: str = "") -> None:
        self._record(FrameDropped(self.name, reason, peer, detail))

    def judge(self, frame: RawFrame | Dropped, peer: str) -> Taking | bytes:
        """What is to be handed over and then acknowledged, or the bytes to answer at once (empty: none)."""
        if isinstance(frame, Dropped):
            self.dropped(frame.reason, peer, frame.detail)
            return b""
        now = self.clock.now()
        verdict = self._receiver.judge(frame, now, self._randomness)
        if isinstance(verdict, Take):
            panel = self._panels.of(verdict.rule)
            if panel.known:
                self._last_heard[verdict.rule.account] = now
                self._tell_heard(self.name, verdict.rule.account)
                if verdict.link_test and panel.device_id:
                    self._tell_contact(panel.device_id)
            if verdict.link_test:
                return verdict.reply
            given = submissions(self.name, verdict, panel, now, unanswered=self._late)
            return Taking(verdict.reply, verdict.message, frame.binary_crc, given, panel.idle_s)
        if isinstance(verdict, Answer):
            self._record(EventRefused(self.name, verdict.reason, f"account {verdict.account} from {peer}"))
            return verdict.reply
        if isinstance(verdict, Silence):
            self.dropped(verdict.reason, peer, f"account {verdict.account}")
        return b""

    async def _keep(self, takings: Sequence[Taking]) -> Sequence[bytes | Kept]:
        """The replies to send now that everything is on disk; empty where the panel must send again."""
        assert self._intake is not None
        try:
            taken = await self._intake.accept_many([each for taking in takings for each in taking.submissions])
        except IntakeClosed:
            return [b""] * len(takings)
        except Exception as error:  # noqa: BLE001 - one message must not cost the others of its batch
            if len(takings) == 1:
                return [self._not_kept(takings[0], error)]
            return [reply for taking in takings for reply in await self._keep([taking])]
        for repeated in taken:
            if repeated.duplicate:
                self.dropped("repeat", "")
        if not self._late:
            return [taking.reply for taking in takings]
        each_taken = iter(taken)
        return [Kept(taking.reply, [next(each_taken) for _ in taking.submissions]) for taking in takings]

    def _not_kept(self, taking: Taking, error: Exception) -> bytes:
        """A refusal is told; after a defect the panel sends again."""
        account = taking.message.account
        if isinstance(error, Refused):
            self._record(EventRefused(self.name, "refused", f"account {account}: {error}"))
            return duh(taking.message, taking.binary_crc)
        self._failed(error)
        return b""

    def _failed(self, error: Exception) -> None:
        trace = "".join(traceback.format_exception(error))
        self._record(TaskFailed(f"source {self.name}", f"{type(error).__name__}: {error}", trace, 0.0))


def _supervised(account: AccountSettings, settings: Dc09SourceSettings) -> Supervised:
    address = Address(account.account, receiver=account.receiver, prefix=account.prefix)
    interval_s, first = account.supervision or 0.0, ""
    alone_s = interval_s
    if account.path == "second":
        first, interval_s = settings.first_path(account), account.second_interval or interval_s
    heard = (account.supervision_allowance, address, account.area)
    return Supervised(account.subject, interval_s, *heard, path=account.path or "", first=first, alone_s=alone_s)


def build(settings: Dc09SourceSettings, surroundings: SourceSurroundings) -> Dc09Source:
    return Dc09Source(settings, surroundings)
