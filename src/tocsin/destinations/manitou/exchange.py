"""One packet over one line: send, wait for the answer that belongs to it, repeat it (receivers.md 6.3)."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

from msgspec import Struct

from tocsin.destinations.manitou.line import Line
from tocsin.destinations.manitou.settings import ManitouSettings
from tocsin.destinations.trace import ANSWER_LIMIT, excerpt
from tocsin.engine.contracts import Attempt
from tocsin.model.delivery import Receipt
from tocsin.protocols.manitou import framed
from tocsin.protocols.text import one_line
from tocsin.transports.contract import LinkBroken

AFTER_NAK_S = 0.5
_KEPT = 3
Word = Literal["delivered", "refused", "silent", "broken", "unreachable"]


class Outgoing(Struct, frozen=True):
    """A packet with its number. `shown` is the document as it may be kept."""

    number: int
    document: bytes
    shown: bytes
    note: str = ""


class Result(Struct, frozen=True):
    """How one host took a packet. `word` is that of model.delivery.Exchange."""

    word: Word
    reason: str = ""
    receipt: Receipt | None = None


class Exchanges:
    """The exchanges of one destination."""

    def __init__(self, settings: ManitouSettings) -> None:
        self._settings = settings
        self._framing = settings.framing_used()
        self._ack, self._nak = settings.patterns()

    def frame(self, document: bytes) -> bytes:
        return framed(document, self._framing)

    async def ask(self, line: Line, packet: Outgoing, attempt: Attempt) -> Result:
        """The same packet until it is acknowledged, `resends` times at most; refused when each got a Nak."""
        results: list[Result] = []
        for _ in range(self._settings.sends()):
            if results and results[-1].word == "refused":
                await asyncio.sleep(AFTER_NAK_S)
            results.append(await self._once(line, packet, attempt))
            if results[-1].word in ("delivered", "broken"):
                return results[-1]
        return next((one for one in results if one.word == "silent"), results[-1])

    async def _once(self, line: Line, packet: Outgoing, attempt: Attempt) -> Result:
        heard: deque[bytes] = deque(maxlen=_KEPT)
        try:
            async with asyncio.timeout(self._settings.ack_timeout):
                await line.forget()
                await line.send(self.frame(packet.document))
                result = await self._judged(line, packet.number, heard.append)
        except TimeoutError:
            seconds = self._settings.ack_timeout
            result = Result("silent", f"{line.endpoint} gave no answer within {seconds:g} s{_other(heard)}")
        except LinkBroken as error:
            result = Result("broken", str(error))
        note = ". ".join(part for part in (result.reason, packet.note) if part)
        answer = excerpt(b"\n".join(heard), ANSWER_LIMIT)
        attempt.exchanged(str(line.endpoint), result.word, excerpt(self.frame(packet.shown)), answer, note)
        return result

    async def _judged(self, line: Line, number: int, heard: Callable[[bytes], None]) -> Result:
        """The first answer that means something for this packet."""
        while True:
            answer = await line.answer()
            heard(answer)
            said = one_line(answer.decode("utf-8", "replace"))
            if self._nak.matches(answer, number):
                return Result("refused", f"{line.endpoint} refuses the packet: {said}")
            if self._ack.matches(answer, number):
                return Result("delivered", receipt=Receipt(str(line.endpoint), said))


def _other(heard: Sequence[bytes]) -> str:
    if not heard:
        return ""
    said = one_line(heard[-1].decode("utf-8", "replace"), 80)
    return f" that fits: it said {said}; compare ack with what the station answers"
