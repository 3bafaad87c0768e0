"""One connection of a receiver: records in, each on disk before it is acknowledged."""

import asyncio
import traceback
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from tocsin.engine.contracts import Clock, Intake, IntakeClosed, Refused, Submission
from tocsin.protocols.surgard.framing import Dropped, Frame, RecordReader
from tocsin.protocols.surgard.host import LastRecords
from tocsin.protocols.surgard.reading import read
from tocsin.protocols.surgard.records import Record
from tocsin.protocols.surgard.sender import ACK, NAK
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

Verdict = Literal["kept", "repeat", "failed"]


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
        self._name = settings.name

    def dropped(self, reason: str, peer: str, detail: str = "") -> None:
        self._record(FrameDropped(self._name, reason, peer, detail))

    async def take(self, raw: bytes, peer: str) -> Verdict:
        """One record until it is on disk."""
        record = read(raw, self.settings.header_digits())
        self._heard(record)
        if record.kind == "heartbeat":
            return "kept"
        if self._last.repeats(record, self.clock.monotonic()):
            self.dropped("repeat", peer)
            return "repeat"
        verdict = await self._keep(record, peer)
        if verdict == "kept":
            self._last.kept(record, self.clock.monotonic())
        return verdict

    async def _keep(self, record: Record, peer: str) -> Verdict:
        site = self._sites.of(record)
        if site.known and site.subject:
            self._alive(site.subject)
        stranger = record.kind != "status" and record.account and not site.known
        if stranger and self.settings.unknown_accounts == "refuse":
            self._record(EventRefused(self._name, "unknown_account", f"account {record.account} from {peer}"))
            return "kept"  # a NAK would stop the receiver's queue (surgard.md 2)
        return await self._store(submissions(self._name, record, site, self._own, self.clock.now()), record)

    async def _store(self, given: Sequence[Submission], record: Record) -> Verdict:
        try:
            await self._intake.accept_many(given)
        except IntakeClosed:
            return "failed"
        except Refused as error:
            self._record(EventRefused(self._name, "refused", f"account {record.account}: {error}"))
            return "kept"  # it would be refused for ever, and a NAK would stop all that stands behind it
        except Exception as error:  # noqa: BLE001 - one record must not end the connection that brings the others
            trace = "".join(traceback.format_exception(error))
            self._record(TaskFailed(f"source {self._name}", f"{type(error).__name__}: {error}", trace, 0.0))
            return "failed"
        return "kept"

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
        verdicts = [await self._records.take(raw, self._peer) for raw in found.records]
        late = self._records.clock.monotonic() - came_at > ANSWER_WITHIN_S
        answer = self._nak if "failed" in verdicts else self._ack
        if answer and not late:
            await self._connection.send(answer)
