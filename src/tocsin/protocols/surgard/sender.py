"""The sending side of the dialogue: one record outstanding, repeated until acknowledged (surgard.md 2 and 6). Pure."""

from typing import Literal

from msgspec import Struct

ACK, NAK = b"\x06", b"\x15"
WAIT_S, ATTEMPTS = 4.0, 4
NAK_PAUSE_S = 1.0


Outcome = Literal["acknowledged", "silent", "refused", "unsettled"]


class Transmit(Struct, frozen=True):
    """Send this."""

    data: bytes


class Ended(Struct, frozen=True):
    """How the record fared. After anything but `acknowledged` close the connection: a late answer could otherwise
    meet another record. `unsettled`: it was not sent, since answers to the record before it are still outstanding.
    `attempts` counts transmissions; `ignored` is what came in and was no answer.
    """

    outcome: Outcome
    attempts: int
    ignored: bytes = b""


Step = Transmit | Ended
_IGNORED_KEPT = 32


class Sender:
    """One connection's sending side. Times are monotonic seconds. Give `receive` what came in before `send`, and all
    that comes after it; call `tick` when `deadline` has passed, until a step is `Ended`.

    An answer carries no number. A record that was acknowledged only after a repeat may still have answers to its
    earlier copies under way, each of which would acknowledge the next record: so the next one is held back until these
    have come. If they do not come within one waiting time only a new connection is safe.
    """

    def __init__(self, wait_s: float = WAIT_S, attempts: int = ATTEMPTS, ack: bytes = ACK, nak: bytes = NAK) -> None:
        self._wait_s = wait_s
        self._most = attempts
        self._ack = ack
        self._nak = nak
        self._data = b""
        self._state: Literal["idle", "settling", "waiting", "pausing"] = "idle"
        self._attempts = 0
        self._naks = 0
        self._unanswered = 0
        self._settled_at = 0.0
        self._ignored = b""
        self._partial = b""
        self.deadline: float | None = None

    def send(self, data: bytes, now: float) -> list[Step]:
        """Begin with a record, complete with its end mark. Only when none is outstanding."""
        assert self._state == "idle", "one record is outstanding at a time"
        self._data, self._attempts, self._naks, self._ignored = data, 0, 0, b""
        if not self._unanswered:
            return self._transmit(now)
        self._state, self.deadline = "settling", max(now, self._settled_at)
        return []

    def receive(self, data: bytes, now: float) -> list[Step]:
        """What came in means for the outstanding record; without one it is a late answer and means nothing."""
        steps: list[Step] = []
        for answer in self._answers(data):
            steps += self._answer(answer, now)
        return steps

    def tick(self, now: float) -> list[Step]:
        """The deadline has passed."""
        if self.deadline is None or now < self.deadline:
            return []
        if self._state == "settling":
            return [self._end("unsettled", now)]
        if self._state == "waiting" and self._attempts >= self._most:
            return [self._end("silent", now)]
        return self._transmit(now)

    def _answers(self, data: bytes) -> list[bytes]:
        """ACK and NAK, each as often as it came; an answer of several bytes may come in pieces."""
        found, buffer, position = [], self._partial + data, 0
        longest = max(len(self._ack), len(self._nak))
        while position < len(buffer):
            word = next((each for each in (self._ack, self._nak) if buffer.startswith(each, position)), b"")
            rest = buffer[position:]
            if not word and len(rest) < longest and (self._ack.startswith(rest) or self._nak.startswith(rest)):
                break
            if word:
                found.append(word)
            else:
                self._ignored = (self._ignored + rest[:1])[:_IGNORED_KEPT]
            position += max(1, len(word))
        self._partial = buffer[position:]
        return found

    def _answer(self, answer: bytes, now: float) -> list[Step]:
        self._unanswered = max(0, self._unanswered - 1)
        if self._state == "settling":
            return self._transmit(now) if not self._unanswered else []
        if self._state == "idle":
            return []
        if answer == self._ack:
            return [self._end("acknowledged", now)]
        return self._refused(now) if self._state == "waiting" else []

    def _refused(self, now: float) -> list[Step]:
        """NAK: repeat at once, then every second (surgard.md 6.2)."""
        self._naks += 1
        if self._attempts >= self._most:
            return [self._end("refused", now)]
        if self._naks == 1:
            return self._transmit(now)
        self._state, self.deadline = "pausing", now + NAK_PAUSE_S
        return []

    def _transmit(self, now: float) -> list[Step]:
        self._state, self.deadline = "waiting", now + self._wait_s
        self._attempts += 1
        self._unanswered += 1
        self._partial = b""
        return [Transmit(self._data)]

    def _end(self, outcome: Outcome, now: float) -> Ended:
        self._state, self.deadline = "idle", None
        self._settled_at = now + self._wait_s
        return Ended(outcome, self._attempts, self._ignored)
