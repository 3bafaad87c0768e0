"""One connection of a receiver: records in, each on disk before it is acknowledged."""

import asyncio
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from tocsin.engine.contracts import Clock, Intake, IntakeClosed, Refused, Submission, Taken
from tocsin.protocols.surgard.framing import Dropped, Frame, RecordReader
from tocsin.protocols.surgard.host import LastRecords
from tocsin.protocols.surgard.reading import read
from tocsin.protocols.surgard.records import Record
from tocsin.protocols.surgard.sender import ACK, NAK
from tocsin.sources.acknowledging import may_acknowledge
from tocsin.sources.surgard.events import Sites, own_site, submissions
from tocsin.sources.surgard.settings import SurgardSourceSettings
from tocsin.sources.surroundings import SourceSurroundings
from tocsin.telemetry.occurrences import EventRefused, FrameDropped, TaskFailed
from tocsin.transports.contract import Connection

ANSWER_WITHIN_S = 3.0
"""A later answer could meet the repeat, or the record after it: then none is given, and the repeat gets its own."""
_ANSWERS = {"byte": (ACK, NAK), "letters": (b"ACK\r\n", b"NAK\r\n"), "none": (b"", b"")}
LINK = "receiver link"
"""The one supervised subject where no receiver numbers are configured."""


class Took(NamedTuple):
    """What became of one record; `taken`: what no station was known to have before, with acknowledge = "delivered"."""

    verdict: Literal["kept", "repeat", "failed"]
    receiver: str
    taken: Sequence[Taken] = ()


class Records:
    """What all connections of one source share: sites, the last record of each receiver, the way to the disk."""

    def __init__(self, settings: SurgardSourceSettings, surroundings: SourceSurroundings, intake: Intake) -> None:
        self.settings = settings
        self.clock: Clock = surroundings.clock
        self.last_heard: dict[str, datetime] = {}
        self._record = surroundings.record
        self._tell_heard = surroundings.heard
        self._intake = intake
        self._sites = Sites(settings)
        self._own = own_site(settings)
        self._last = LastRecords()
        self._undelivered: dict[str, Sequence[Taken]] = {}
        """The last record of each receiver, while it waits for a station."""
        self._name = settings.name

    def dropped(self, reason: str, peer: str, detail: str = "") -> None:
        self._record(FrameDropped(self._name, reason, peer, detail))

    async def take(self, raw: bytes, peer: str) -> Took:
        """One record until it is on disk."""
        record = read(raw, self.settings.header_digits())
        self._heard(record)
        if record.kind == "heartbeat":
            return Took("kept", record.receiver)
        if self._last.repeats(record, self.clock.monotonic()):
            return self._repeated(record, peer)
        took = await self._keep(record, peer)
        if took.verdict == "kept":
            self._last.kept(record, self.clock.monotonic())
            self._wait_for_station(took)
        return took

    async def may_be_acknowledged(self, took: Sequence[Took], peer: str) -> bool:
        """Whether the records of one frame may be; False: no answer, the receiver sends again."""
        waiting = [taken for each in took for taken in each.taken]
        if not waiting:
            return True
        if not await may_acknowledge(self.settings, self._intake, waiting):
            why = f"no station has it within {self.settings.delivered_within:g} s; {peer} is not acknowledged"
            self._record(EventRefused(self._name, "not_delivered", why))
            return False
        for each in took:
            if self._undelivered.get(each.receiver) is each.taken:
                del self._undelivered[each.receiver]
        return True

    def _repeated(self, record: Record, peer: str) -> Took:
        """Without an answer a receiver goes on repeating: then every repeat is one, however long it takes."""
        self.dropped("repeat", peer)
        taken = self._undelivered.get(record.receiver, ())
        if taken:
            self._last.kept(record, self.clock.monotonic())
        return Took("repeat", record.receiver, taken)

    def _wait_for_station(self, took: Took) -> None:
        self._undelivered.pop(took.receiver, None)
        if took.taken:
            self._undelivered[took.receiver] = took.taken

    async def _keep(self, record: Record, peer: str) -> Took:
        site = self._sites.of(record)
        if site.known and site.subject:
            self._alive(site.subject)
        stranger = record.kind != "status" and record.account and not site.known
        if stranger and self.settings.unknown_accounts == "refuse":
            self._record(EventRefused(self._name, "unknown_account", f"account {record.account} from {peer}"))
            return Took("kept", record.receiver)  # a NAK would stop the receiver's queue (surgard.md 2)
        return await self._store(submissions(self._name, record, site, self._own, self.clock.now()), record)

    async def _store(self, given: Sequence[Submission], record: Record) -> Took:
        try:
            taken = await self._intake.accept_many(given)
        except IntakeClosed:
            return Took("failed", record.receiver)
        except Refused as error:
            self._record(EventRefused(self._name, "refused", f"account {record.account}: {error}"))
            # It would be refused for ever, and a NAK would stop all that stands behind it.
            return Took("kept", record.receiver)
        except Exception as error:  # noqa: BLE001 - one record must not end the connection that brings the others
            trace = "".join(traceback.format_exception(error))
            self._record(TaskFailed(f"source {self._name}", f"{type(error).__name__}: {error}", trace, 0.0))
            return Took("failed", record.receiver)
        return Took("kept", record.receiver, taken if self.settings.acknowledge == "delivered" else ())

    def _heard(self, record: Record) -> None:
        if not self.settings.receivers:
            self._alive(LINK)
        elif record.receiver in self.settings.receivers:
            self._alive(receiver_subject(record.receiver))

    def _alive(self, subject: str) -> None:
        self.last_heard[subject] = self.clock.now()
        self._tell_heard(self._name, subject)


def receiver_subject(number: str) -> str:
    return f"receiver {number}"


class Link:
    """Serves one connection until it ends, falls silent, or proves to be something else. Raises LinkBroken.

    `frames` counts what came that was a record; `speaks` is called at the first.
    """

    def __init__(
        self,
        connection: Connection,
        peer: str,
        records: Records,
        silence_s: float | None,
        speaks: Callable[[], None],
    ) -> None:
        self._speaks = speaks
        self._connection = connection
        self._peer = peer
        self._records = records
        self._silence_s = silence_s
        self.frames = 0
        self._ack, self._nak = _ANSWERS[records.settings.answer]

    async def serve(self) -> None:
        reader = RecordReader()
        try:
            while not reader.broken:
                try:
                    async with asyncio.timeout(self._silence_s):
                        data = await self._connection.receive()
                except TimeoutError:
                    self._records.dropped("idle", self._peer)
                    return
                if not data:
                    return
                now = self._records.clock.monotonic()
                for found in reader.feed(data):
                    await self._frame(found, now)
        finally:
            await self._connection.aclose()

    async def _frame(self, found: Frame | Dropped, came_at: float) -> None:
        if isinstance(found, Dropped):
            self._records.dropped(found.reason, self._peer, found.detail)
            return
        self.frames += 1
        if self.frames == 1:
            self._speaks()
        took = [await self._records.take(raw, self._peer) for raw in found.records]
        failed = any(each.verdict == "failed" for each in took)
        if self._late(came_at) or not (failed or await self._records.may_be_acknowledged(took, self._peer)):
            return
        answer = self._nak if failed else self._ack
        if answer and not self._late(came_at):
            await self._connection.send(answer)

    def _late(self, came_at: float) -> bool:
        return self._records.clock.monotonic() - came_at > ANSWER_WITHIN_S
