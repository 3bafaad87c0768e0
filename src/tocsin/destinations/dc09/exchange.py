"""One message over one line: send, wait for the answer that belongs to it, correct the clock once if asked to."""

import asyncio
from typing import assert_never

from msgspec import Struct

from tocsin.destinations.dc09.format import clear_text, receipt, shown
from tocsin.destinations.dc09.line import Line
from tocsin.destinations.dc09.posted import Answered, Posted, Unattended
from tocsin.destinations.dc09.settings import Dc09Settings
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.contracts import Attempt
from tocsin.model.delivery import Receipt
from tocsin.protocols.dc09.frames import Dropped, RawFrame, wrap
from tocsin.protocols.dc09.message import Message
from tocsin.protocols.dc09.transmitter import (
    ALARMING_OFFSET,
    Acknowledged,
    ClockOffsets,
    Failed,
    Ignored,
    Refused,
    Resync,
    Transmission,
)
from tocsin.telemetry.occurrences import ClockOffset, Notice
from tocsin.transports.contract import LinkBroken

_IGNORED_KEPT = 3
_HEAD_LENGTH = len("\nCCCC0LLL")


class Result(Struct, frozen=True):
    """How one host took a message. `word` is that of model.delivery.Exchange."""

    word: str
    reason: str = ""
    receipt: Receipt | None = None


class _Heard:
    """What came in while an answer was awaited."""

    def __init__(self) -> None:
        self.frame = b""
        self.ignored: list[str] = []

    def ignore(self, reason: str) -> None:
        if len(self.ignored) < _IGNORED_KEPT:
            self.ignored.append(reason)


class Exchanges:
    """The exchanges of one destination. Remembers how far each host's clock is from ours."""

    def __init__(self, settings: Dc09Settings, surroundings: Surroundings) -> None:
        self._name = settings.name
        self._reply_timeout_s = settings.reply_timeout
        self._broken = "broken" if settings.transport == "tcp" else "unreachable"
        self._key = settings.key.reveal() if settings.key else None
        self._clock = surroundings.clock
        self._randomness = surroundings.randomness
        self._record = surroundings.record
        self._offsets = ClockOffsets()
        self._unattended = Unattended(surroundings.clock)

    def frame(self, message: Message, host: str = "") -> bytes:
        """What would go out to `host` now. Raises Dc09Error."""
        return self._frame(Transmission(message, self._key), host)

    def post(self, line: Line, message: Message, answered: Answered) -> bool:
        """Send over a standing line, without waiting. False: it takes nothing now. Raises Dc09Error."""
        transmission = Transmission(message, self._key)
        frame = self._frame(transmission, line.host)
        posted = Posted(line, transmission, frame, self._clock, answered)
        if not line.post(frame, posted):
            return False
        self._unattended.add(posted)
        return True

    def acknowledged(self, posted: Posted, raw: RawFrame, message: Message, attempt: Attempt) -> Receipt:
        """What was posted has its answer."""
        host, body = posted.line.host, shown(raw.body)
        note = _note(message, "", _Heard()) if message.encrypted else ""
        attempt.exchanged(host, "delivered", shown(posted.frame), _shown_frame(posted.heard, raw, body), note)
        return Receipt(host, body)

    def hand_over(self) -> None:
        """Nobody is to be waited for silently any more."""
        self._unattended.hand_over()

    async def ask(self, line: Line, message: Message, attempt: Attempt, begun: Posted | None = None) -> Result:
        """Until answered, silent or broken; every frame sent is noted in `attempt`. `begun`: sent already."""
        transmission = begun.transmission if begun else Transmission(message, self._key)
        while True:
            frame = begun.frame if begun else self._frame(transmission, line.host)
            heard = _Heard()
            result = await self._send_and_wait(line, transmission, frame, heard, begun)
            note = _note(message, result.reason, heard)
            attempt.exchanged(line.host, result.word, shown(frame), shown(heard.frame), note)
            if result.word != "resync":
                return result
            begun = None

    def _frame(self, transmission: Transmission, host: str) -> bytes:
        now = self._clock.now()
        return transmission.frame(now, self._offsets.of(host, now), transmission.pad(self._randomness))

    async def _send_and_wait(
        self, line: Line, transmission: Transmission, frame: bytes, heard: _Heard, begun: Posted | None
    ) -> Result:
        waited_s = self._clock.monotonic() - begun.sent_at if begun else 0.0
        try:
            async with asyncio.timeout(self._reply_timeout_s - waited_s):
                if begun is None:
                    await line.send(frame)
                while True:
                    result = self._judge(line, transmission, await line.answer(), heard)
                    if result is not None:
                        return result
        except TimeoutError:
            return Result("silent", f"{line.endpoint} gave no answer within {self._reply_timeout_s:g} s")
        except LinkBroken as error:
            return Result(self._broken, str(error))

    def _judge(self, line: Line, transmission: Transmission, raw: RawFrame | Dropped, heard: _Heard) -> Result | None:
        """None: not an answer to this message, go on waiting (dc09.md 13.1)."""
        if isinstance(raw, Dropped):
            heard.ignore(f"{raw.reason} {raw.detail}")
            return None
        verdict = transmission.judge(raw, self._clock.now())
        if isinstance(verdict, Ignored):
            heard.ignore(verdict.reason)
            return None
        heard.frame = wrap(raw.body, raw.binary_crc)
        host = line.host
        match verdict:
            case Acknowledged():
                return Result("delivered", receipt=Receipt(host, receipt(raw, verdict)))
            case Refused():
                return Result("refused", f"{host} answers DUH")
            case Resync():
                return self._resync(host, verdict)
            case Failed():
                return Result("retry", f"{host}: {verdict.reason}")
            case _:
                assert_never(verdict)

    def _resync(self, host: str, verdict: Resync) -> Result:
        """A NAK is not authenticated: each is told, a large one is a fault (dc09.md 13.1)."""
        self._offsets.note(host, verdict.offset, self._clock.now())
        seconds = verdict.offset.total_seconds()
        said = f"{host} says its clock is {seconds:+g} s from ours"
        if abs(verdict.offset) > ALARMING_OFFSET:
            self._record(ClockOffset(self._name, host, seconds))
        else:
            self._record(Notice(f"destination {self._name}", said))
        return Result("resync", said)


def _shown_frame(heard: bytes, raw: RawFrame, body: str) -> str:
    """The frame an answer came in, whose body is shown already; made anew where it did not come in one piece."""
    if heard[_HEAD_LENGTH:-1] == raw.body and heard[1:_HEAD_LENGTH].isalnum():
        return f"<LF>{heard[1:_HEAD_LENGTH].decode('ascii')}{body}<CR>"
    return shown(wrap(raw.body, raw.binary_crc))


def _note(message: Message, reason: str, heard: _Heard) -> str:
    """For the technician: why, what else came in, and what an encrypted frame says."""
    parts = [reason] if reason else []
    parts += [f"ignored: {each}" for each in heard.ignored]
    if message.encrypted:
        parts.append(f"clear text: {clear_text(message)}")
    return "; ".join(parts)
