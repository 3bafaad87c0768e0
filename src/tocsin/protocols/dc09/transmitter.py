"""The sender's side of one message: the frame, and what each incoming frame means for it (dc09.md 13.1)."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from tocsin.protocols.dc09.cipher import Randomness, make_pad, pad_length
from tocsin.protocols.dc09.errors import Dc09Error
from tocsin.protocols.dc09.frames import RawFrame
from tocsin.protocols.dc09.message import Extended, Header, Message, clear_length, header, read_payload, write

_ACK, _NAK = "ACK", "NAK"
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_NO_OFFSET = timedelta(0)
_TOKEN_AT = len('\nCCCC0LLL"')
LARGEST_OFFSET = timedelta(days=1)
OFFSET_LIFE = timedelta(hours=24)
ALARMING_OFFSET = timedelta(minutes=5)
"""An offset beyond this is to be raised as a fault: a NAK is not authenticated."""


class Acknowledged(Struct, frozen=True):
    """The receiver has the event. `data` and `extended` are what a RSP brought, for the operator."""

    kind: Literal["ack", "rsp"]
    data: bytes = b""
    extended: tuple[Extended, ...] = ()


_ACKNOWLEDGED = Acknowledged("ack")


class Resync(Struct, frozen=True):
    """The receiver's clock differs: send again at once, same number, with the time shifted by `offset`."""

    offset: timedelta


class Refused(Struct, frozen=True):
    """DUH: the receiver cannot process this message; do not send it there again."""


class Failed(Struct, frozen=True):
    """This attempt is over; `reason` is for people."""

    reason: str


class Ignored(Struct, frozen=True):
    """Not an answer to this message; go on waiting. `reason` is for people."""

    reason: str


Verdict = Acknowledged | Resync | Refused | Failed | Ignored


class Transmission:
    """One attempt to bring one message to one receiver. `message` has its number; its time is set by `frame`."""

    def __init__(self, message: Message, key: bytes | None = None) -> None:
        self._message = message
        self._key = key
        self._resynced = False
        self._usual: bytes | None = None

    @property
    def pad_length(self) -> int:
        """Pad bytes that `frame` needs; 0 for a plain message."""
        return pad_length(clear_length(self._at(_ANY_TIME))) if self._message.encrypted else 0

    def pad(self, randomness: Randomness) -> bytes:
        """A fresh pad for one frame."""
        return make_pad(self.pad_length, randomness) if self._message.encrypted else b""

    def frame(self, now: datetime, offset: timedelta = _NO_OFFSET, pad: bytes = b"") -> bytes:
        """The complete frame, dated `now` (aware) by the receiver's clock. Raises KeyMissing, TooLong, Unwritable."""
        frame = write(self._at(now + offset if offset else now), self._key, pad)
        if not self._message.encrypted:
            self._usual = _plain_ack(frame)
        return frame

    def is_usual(self, raw: RawFrame) -> bool:
        """Whether a frame is the acknowledgement a plain message nearly always gets; `judge` would say the same."""
        return raw.body == self._usual

    def _at(self, moment: datetime) -> Message:
        return replace(self._message, timestamp=moment)

    def judge(self, raw: RawFrame, now: datetime) -> Verdict:
        """What an incoming frame means for this message. `now` is our clock, aware."""
        try:
            head = header(raw)
            stranger = self._stranger(head)
            if stranger:
                return Ignored(stranger)
            if head.token == _ACK and not head.encrypted:
                return _ACKNOWLEDGED  # there is nothing more in it
            answer = read_payload(head, raw, self._key)
        except Dc09Error as error:
            return Ignored(str(error))
        match answer.token:
            case "NAK":
                return self._resync(answer, now)
            case "DUH":
                return Refused()
            case "ACK":
                return Acknowledged("ack")
            case _:
                return Acknowledged("rsp", answer.data, answer.extended)

    def _stranger(self, head: Header) -> str:
        """Why a frame is no answer to this message; empty where it is one."""
        if head.token not in ("ACK", "NAK", "DUH", "RSP"):
            return f"{head.token} is not an answer"
        ours = self._message
        nak = head.token == _NAK
        if head.seq != ours.seq and not (nak and head.seq == "0000"):
            return f"{head.token} for number {head.seq}; ours is {ours.seq}"
        if head.account.upper() != ours.account.upper() and not (nak and not head.marked):
            return f"{head.token} for account {head.account}; ours is {ours.account}"
        if head.token in ("ACK", "RSP") and head.encrypted != ours.encrypted:
            return f"{'an encrypted' if head.encrypted else 'a plain'} {head.token} does not fit the message"
        return ""

    def _resync(self, answer: Message, now: datetime) -> Resync | Failed:
        if answer.timestamp is None:
            return Failed("the receiver refuses our time and does not say its own")
        offset = answer.timestamp - now.replace(microsecond=0)
        if self._resynced:
            return Failed("the receiver refuses its own time too")
        if abs(offset) > LARGEST_OFFSET:
            return Failed(f"the receiver's clock is {offset.total_seconds():+.0f} s from ours, more than a day")
        self._resynced = True
        return Resync(offset)


def _plain_ack(frame: bytes) -> bytes:
    """The body of the ACK that repeats number and address of a plain frame as they stand in it (dc09.md 12)."""
    start = frame.index(b'"', _TOKEN_AT) + 1
    return b'"ACK"%b[]' % frame[start : frame.index(b"[", start)]


class ClockOffsets:
    """How far each receiver's clock is from ours. Limited, and forgotten after a day (dc09.md 13.1)."""

    def __init__(self, largest: timedelta = LARGEST_OFFSET, life: timedelta = OFFSET_LIFE) -> None:
        self._largest = largest
        self._life = life
        self._offsets: dict[str, tuple[timedelta, datetime]] = {}

    def note(self, host: str, offset: timedelta, now: datetime) -> bool:
        """Keep what a NAK of `host` told; False: too large, not kept."""
        if abs(offset) > self._largest:
            return False
        self._offsets[host] = offset, now
        return True

    def of(self, host: str, now: datetime) -> timedelta:
        """What to add to our clock for `host`; zero where nothing is known."""
        if host not in self._offsets:
            return _NO_OFFSET
        offset, since = self._offsets[host]
        if abs(now - since) < self._life:
            return offset
        self._offsets.pop(host, None)
        return _NO_OFFSET
