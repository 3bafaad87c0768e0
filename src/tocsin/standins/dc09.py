"""A strict stand-in DC-09 station: checks every frame, says what is wrong with it, and misbehaves on request."""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from tocsin.config.listening import split_listen
from tocsin.engine.contracts import Clock, Randomness
from tocsin.protocols.dc09.cipher import make_pad
from tocsin.protocols.dc09.errors import Dc09Error
from tocsin.protocols.dc09.frames import Dropped, FrameReader, RawFrame, read_datagram
from tocsin.protocols.dc09.message import Header, Message, header, read_payload
from tocsin.protocols.dc09.replies import ACK_PAD, ack, duh, nak
from tocsin.protocols.dc09.timestamps import in_window
from tocsin.standins.connections import Connections
from tocsin.standins.serving import until_cancelled

Out = Callable[[dict[str, Any]], None]
IDLE_S = 600.0
_EVENT_TOKENS = frozenset({"SIA-DCS", "ADM-CID"})


class Switches:
    """What the station does instead of answering at once; may be changed while it runs."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.nak_once = False
        self.duh: set[str] = set()
        """Accounts answered with DUH; `*` for all."""
        self.silent = False
        self.cut = False
        """Close in the middle of the answer."""
        self.cut_once = False
        self.wrong_sequence = False
        """Answer a number that was not asked, and nothing more."""
        self.plain_ack = False
        """Acknowledge encrypted messages in clear, which a transmitter must not believe."""
        self.close_after_answer = False


class Answer(NamedTuple):
    """`frame` empty: say nothing. `cut`: send half of it and close."""

    frame: bytes
    word: str
    cut: bool = False


class Station:
    """Listens on TCP and UDP at one port. `out` gets one dict per message; `messages` keeps what was taken."""

    def __init__(
        self,
        clock: Clock,
        randomness: Randomness,
        out: Out | None = None,
        keys: Mapping[str, bytes] | None = None,
        tls: ssl.SSLContext | None = None,
        switches: Switches | None = None,
    ) -> None:
        """`keys`: by account as it stands in the frame, `*` for all others. An account with a key takes no plain
        messages.
        """
        self.switches = switches or Switches()
        self.messages: list[dict[str, Any]] = []
        self._clock = clock
        self._randomness = randomness
        self._out = out
        self._keys = {account.lower(): key for account, key in (keys or {}).items()}
        self._tls = tls
        self._seen: set[tuple[str, str, bytes, Any]] = set()
        self._connections = Connections(self._converse, tls)
        self._udp: asyncio.DatagramTransport | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Returns the port."""
        bound = await self._connections.listen(host, port)
        if self._tls is None:
            self._udp, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: _Datagrams(self), local_addr=(host, bound)
            )
        return bound

    @property
    def connections(self) -> int:
        """How many there have been."""
        return self._connections.made

    def drop_connections(self) -> None:
        """Cut every standing connection, as a restarting receiver does."""
        self._connections.drop()

    async def aclose(self) -> None:
        if self._udp is not None:
            self._udp.close()
        await self._connections.aclose()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = FrameReader()
        peer = str(writer.get_extra_info("peername")[0])
        while not frames.broken:
            async with asyncio.timeout(IDLE_S):
                data = await reader.read(8192)
            if not data:
                return
            for frame in frames.feed(data):
                answer = self.judge(frame, peer)
                await asyncio.sleep(self.switches.delay_s)
                if answer.cut:
                    writer.write(answer.frame[: len(answer.frame) // 2])
                    await writer.drain()
                    return
                writer.write(answer.frame)
                await writer.drain()
                if answer.frame and self.switches.close_after_answer:
                    return

    def judge(self, frame: RawFrame | Dropped, peer: str = "") -> Answer:
        """Check one frame, report it, and say what is answered."""
        report: dict[str, Any] = {"station": "dc09", "at": self._clock.now().isoformat(), "peer": peer}
        if isinstance(frame, Dropped):
            return self._report(report | {"faults": [f"{frame.reason}: {frame.detail}"]}, Answer(b"", "none"))
        try:
            head = header(frame)
        except Dc09Error as error:
            return self._report(report | {"faults": [str(error)]}, Answer(b"", "none"))
        key = self._keys.get(head.account.lower(), self._keys.get("*"))
        if (key is not None) != head.encrypted:
            return self._report(report | _named(head) | {"faults": [_KEY_FAULT[head.encrypted]]}, self._duh(head))
        try:
            message = read_payload(head, frame, key)
        except Dc09Error as error:
            return self._report(report | _named(head) | {"faults": [str(error)]}, self._duh(head))
        return self._judge_message(message, report | _described(message), key)

    def _judge_message(self, message: Message, report: dict[str, Any], key: bytes | None) -> Answer:
        now = self._clock.now()
        faults = _faults(message)
        if message.encrypted and (message.timestamp is None or not in_window(message.timestamp, now)):
            faults.append("the time is outside the window of 20 s ahead and 40 s behind")
        if faults and message.encrypted and "window" in faults[-1]:
            return self._report(report | {"faults": faults}, Answer(nak(now), "NAK"))
        report = report | {"faults": faults, "repeat": self._repeated(message)}
        return self._report(report, self._misbehave(message, now, key) or self._ack(message, now, key))

    def _misbehave(self, message: Message, now: datetime, key: bytes | None) -> Answer | None:
        switches = self.switches
        if switches.silent:
            return Answer(b"", "none")
        if switches.nak_once:
            switches.nak_once = False
            return Answer(nak(now), "NAK")
        if switches.duh & {"*", message.account}:
            return self._duh(message)
        if switches.cut or switches.cut_once:
            switches.cut_once = False
            return self._ack(message, now, key)._replace(cut=True)
        if switches.wrong_sequence:
            other = f"{(int(message.seq) + 1) % 10000:04d}"
            return self._ack(_renumbered(message, other), now, key)
        return None

    def _ack(self, message: Message, now: datetime, key: bytes | None) -> Answer:
        if not message.encrypted or self.switches.plain_ack:
            return Answer(ack(_plain(message), now), "ACK")
        return Answer(ack(message, now, key, make_pad(ACK_PAD, self._randomness)), "ACK")

    def _duh(self, asked: Message | Header) -> Answer:
        return Answer(duh(asked), "DUH")

    def _repeated(self, message: Message) -> bool:
        if message.token not in _EVENT_TOKENS:
            return False
        key = (message.account, message.seq, message.data, message.extended)
        known = key in self._seen
        self._seen.add(key)
        return known

    def _report(self, report: dict[str, Any], answer: Answer) -> Answer:
        report = report | {"answer": "cut" if answer.cut else answer.word}
        self.messages.append(report)
        if self._out is not None:
            self._out(report)
        return answer


_KEY_FAULT = {True: "encrypted, but there is no key for this account", False: "plain, but this account has a key"}


def _named(head: Header | Message) -> dict[str, Any]:
    return {
        "token": head.token,
        "seq": head.seq,
        "receiver": head.receiver,
        "prefix": head.prefix,
        "account": head.account,
        "encrypted": head.encrypted,
    }


def _described(message: Message) -> dict[str, Any]:
    fields = [[each.letter, each.value.decode("utf-8", "replace")] for each in message.extended]
    return _named(message) | {
        "data": message.data.decode("utf-8", "replace"),
        "fields": fields,
        "timestamp": message.timestamp.isoformat() if message.timestamp else None,
    }


def _faults(message: Message) -> list[str]:
    """What a strict receiver would object to and a lenient one lets pass."""
    faults = []
    if message.token not in _EVENT_TOKENS | {"NULL"}:
        faults.append(f"token {message.token} is none of NULL, SIA-DCS, ADM-CID")
    if message.token in _EVENT_TOKENS and message.seq == "0000":
        faults.append("an event has a number from 0001 to 9999")
    if message.prefix is None:
        faults.append("L is missing")
    if not (3 <= len(message.account) <= 16):
        faults.append("an account has 3 to 16 hexadecimal digits")
    if message.timestamp is None:
        faults.append("the timestamp is missing or cannot be read")
    return faults


def _renumbered(message: Message, seq: str) -> Message:
    return Message(message.token, seq, message.account, message.prefix, message.receiver, message.encrypted)


def _plain(message: Message) -> Message:
    return Message(message.token, message.seq, message.account, message.prefix, message.receiver)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, station: Station) -> None:
        self._station = station
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        answer = self._station.judge(read_datagram(data), str(addr[0]))
        if answer.frame and not answer.cut and self._transport is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(self._station.switches.delay_s, self._transport.sendto, answer.frame, addr)


async def serve(
    listen: str,
    out: Out,
    clock: Clock,
    randomness: Randomness,
    keys: Mapping[str, bytes] | None = None,
    tls: ssl.SSLContext | None = None,
    started: Callable[[int], None] | None = None,
    switches: Switches | None = None,
) -> None:
    """Run a station until cancelled; `out` gets one JSON-able dict per message, `started` the port."""
    station = Station(clock, randomness, out, keys, tls, switches)
    await until_cancelled(lambda: station.start(*split_listen(listen)), station.aclose, started)
