"""Messages sent over standing lines while nobody waits for the answers. A plain acknowledgement ends one; with
anything else, and after a second, somebody waits: `Exchanges.ask` goes on with it.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from tocsin.destinations.dc09.line import Line
from tocsin.engine.contracts import Clock
from tocsin.protocols.dc09.frames import RawFrame
from tocsin.protocols.dc09.transmitter import Acknowledged, Transmission

UNATTENDED_S = 1.0
_ACK = (b'"ACK"', b'"*ACK"')

Answered = Callable[["Posted", RawFrame | None], None]


class Posted:
    """One message on its way (a transports.contract.Listener). `answered` is called once: with the acknowledgement,
    or with None when somebody must go on with it. `sent_at` is monotonic; `heard` came in with its end.
    """

    __slots__ = ("_answered", "_clock", "frame", "heard", "line", "over", "sent_at", "transmission")

    def __init__(self, line: Line, transmission: Transmission, frame: bytes, clock: Clock, answered: Answered) -> None:
        self.line = line
        self.transmission = transmission
        self.frame = frame
        self.sent_at = clock.monotonic()
        self.heard = b""
        self.over = False
        self._clock = clock
        self._answered = answered

    def received(self, data: bytes) -> None:
        self.heard = data
        raw = self.line.fed(data)
        if raw is not None and (self.transmission.is_usual(raw) or self._acknowledges(raw)):
            self.line.take()
            self._end(raw)
        else:
            self.hand_over()

    def _acknowledges(self, raw: RawFrame) -> bool:
        """Nothing else may be judged here: a NAK counts each time it is looked at."""
        if not raw.body.startswith(_ACK):
            return False
        return isinstance(self.transmission.judge(raw, self._clock.now()), Acknowledged)

    def ended(self) -> None:
        self.hand_over()

    def hand_over(self) -> None:
        self._end(None)

    def _end(self, raw: RawFrame | None) -> None:
        if not self.over:
            self.over = True
            self.line.quiet()
            self._answered(self, raw)


class Unattended:
    """Those that nobody waits for, oldest first; looked after once a second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._posted: deque[Posted] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, posted: Posted) -> None:
        waiting = self._posted
        while waiting and waiting[0].over:
            waiting.popleft()
        waiting.append(posted)
        if self._timer is None:
            self._look_at(posted.sent_at + UNATTENDED_S)

    def hand_over(self) -> None:
        """All of them."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._posted:
            self._posted.popleft().hand_over()

    def _look(self) -> None:
        self._timer = None
        overdue = self._clock.monotonic() - UNATTENDED_S
        while self._posted and (self._posted[0].over or self._posted[0].sent_at <= overdue):
            self._posted.popleft().hand_over()
        if self._posted:
            self._look_at(self._posted[0].sent_at + UNATTENDED_S)

    def _look_at(self, moment: float) -> None:
        self._timer = asyncio.get_running_loop().call_at(moment, self._look)
