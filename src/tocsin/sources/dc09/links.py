"""Connections and datagrams of panels: frames in, replies out, as lean as possible."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

from tocsin.engine.contracts import Submission
from tocsin.protocols.dc09.frames import FrameReader, read_datagram
from tocsin.protocols.dc09.message import Message

if TYPE_CHECKING:
    from tocsin.sources.dc09.source import Dc09Source

WAITING_LIMIT = 256
"""Messages of one connection that may wait for the disk before reading stops."""
DATAGRAMS_LIMIT = 2048
"""Datagrams under way at once; more are lost, as on the way."""


class Taking(Struct, frozen=True, gc=False):
    """A message to hand over, and the reply once it is on disk. `idle_s`: how long its panel may then be silent."""

    reply: bytes
    message: Message
    binary_crc: bool
    submissions: Sequence[Submission]
    idle_s: float


class Asker(Protocol):
    """Whoever handed messages over and waits for their replies."""

    peer: str

    def answered(self, replies: Sequence[bytes], later: int = 0) -> None:
        """One reply per message, empty where there is none. May be called after the link has gone. `later` replies
        are still to come.
        """

    def late(self, reply: bytes) -> None:
        """One that was still to come; empty: there is none after all."""


class StreamLink(asyncio.Protocol):
    """One panel's TCP connection. Events are acknowledged in their order, link tests at once; those that wait for a
    station as soon as it has them.
    """

    def __init__(self, source: "Dc09Source") -> None:
        self._source = source
        self._reader = FrameReader()
        self._waiting: list[Taking] = []
        self._busy = False
        self._later = 0
        self._paused = False
        self._blocked = False
        self._ended = False
        self._transport: Any = None
        self._idle_s = source.settings.idle
        self._heard = False
        self._last = source.clock.monotonic()
        self.peer = ""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        name = transport.get_extra_info("peername")
        self.peer = str(name[0]) if name else ""
        if not self._source.admits(self):
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._source.left(self)

    def eof_received(self) -> bool:
        """A panel that has said all it has to say may still wait for its replies; TLS cannot half-close."""
        self._ended = True
        return self._owes() and self._transport.get_extra_info("sslcontext") is None

    def _owes(self) -> bool:
        return self._busy or self._later > 0

    def idle(self, now: float) -> bool:
        """Asked at every sweep, which is when something heard counts as heard."""
        if self._heard:
            self._heard, self._last = False, now
        return not self._owes() and now - self._last > self._idle_s

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        source, answers = self._source, []
        self._heard = True
        for frame in self._reader.feed(data):
            found = source.judge(frame, self.peer)
            if isinstance(found, bytes):
                answers.append(found)
            else:
                self._idle_s = found.idle_s
                self._waiting.append(found)
        if answers:
            self._write(b"".join(answers))
        if self._reader.broken:
            self._transport.close()
        if self._waiting and not self._busy:
            self._busy = True
            self._hand_over()
        self._control_reading()

    def answered(self, replies: Sequence[bytes], later: int = 0) -> None:
        """The batch is on disk; what came meanwhile is the next one."""
        self._later += later
        self._write(b"".join(replies))
        self._busy = bool(self._waiting)
        if self._busy:
            self._hand_over()
        self._end_or_go_on()

    def late(self, reply: bytes) -> None:
        self._later -= 1
        self._write(reply)
        self._end_or_go_on()

    def _end_or_go_on(self) -> None:
        if self._ended and not self._owes():
            self._transport.close()
        self._control_reading()

    def _hand_over(self) -> None:
        batch, self._waiting = self._waiting, []
        self._source.hand_over(self, batch)

    def _write(self, data: bytes) -> None:
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def pause_writing(self) -> None:
        """The panel does not read its replies."""
        self._blocked = True
        self._control_reading()

    def resume_writing(self) -> None:
        self._blocked = False
        self._control_reading()

    def _control_reading(self) -> None:
        wanted = self._blocked or len(self._waiting) + self._later >= WAITING_LIMIT
        if wanted == self._paused or self._transport.is_closing():
            return
        self._paused = wanted
        if wanted:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()


class DatagramLink(asyncio.DatagramProtocol):
    """All panels that report by UDP; each reply goes to where the frame came from (dc09.md 2)."""

    def __init__(self, source: "Dc09Source") -> None:
        self._source = source
        self._transport: Any = None
        self._under_way = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        peer = str(addr[0])
        if self._under_way >= DATAGRAMS_LIMIT:
            self._source.dropped("overload", peer)
            return
        found = self._source.judge(read_datagram(data), peer)
        if isinstance(found, bytes):
            self._write(found, addr)
        else:
            self._under_way += 1
            self._source.hand_over(_Datagram(self, addr, peer), [found])

    def answered(self, reply: bytes, addr: Any) -> None:
        self._under_way -= 1
        self._write(reply, addr)

    def _write(self, data: bytes, addr: Any) -> None:
        if data and not self._transport.is_closing():
            self._transport.sendto(data, addr)


class _Datagram:
    """Where the reply to one datagram goes."""

    def __init__(self, link: DatagramLink, addr: Any, peer: str) -> None:
        self.peer = peer
        self._link = link
        self._addr = addr

    def answered(self, replies: Sequence[bytes], later: int = 0) -> None:
        for reply in replies:
            self._link.answered(reply, self._addr)

    def late(self, reply: bytes) -> None:
        self._link.answered(reply, self._addr)
