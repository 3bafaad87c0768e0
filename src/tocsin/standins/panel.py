"""A stand-in panel: sends real DC-09 frames and repeats each, with its number, until it is acknowledged."""

import asyncio
import itertools
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import Struct

from tocsin.engine.contracts import Clock, Randomness
from tocsin.protocols.dc09.frames import FrameReader, RawFrame, read_datagram
from tocsin.protocols.dc09.message import Extended, Message
from tocsin.protocols.dc09.transmitter import Acknowledged, Ignored, Refused, Resync, Transmission
from tocsin.transports.contract import Connection, Endpoint, LinkBroken, Network, TlsOptions, TransportError

Format = Literal["SIA-DCS", "ADM-CID"]
LAST_NUMBER = 9999
BURGLARY: dict[Format, str] = {"SIA-DCS": "#{account}|Nri1/BA{zone}", "ADM-CID": "#{account}|1130 01 {zone:03d}"}


class PanelOptions(Struct, frozen=True):
    """How a panel is set up. `keep` is one connection for all messages, else one for each. Times in seconds."""

    endpoint: Endpoint
    account: str
    format: Format = "SIA-DCS"
    receiver: str | None = None
    prefix: str | None = "0"
    key: bytes | None = None
    transport: Literal["tcp", "udp"] = "tcp"
    tls: TlsOptions | None = None
    keep: bool = True
    reply_timeout_s: float = 20.0
    pause_s: float = 1.0
    most_tries: int = 0
    """0: without end."""
    first_number: int = 1
    """A panel that starts at the same number again within its receiver's repeat window is taken for a repeat."""


class Sent(Struct, frozen=True):
    """How one message ended: `answer` is ACK, DUH or none; `tries` counts frames sent."""

    seq: str
    answer: str
    tries: int


class StandInPanel:
    """One panel. Not for several tasks at once: a panel has one message outstanding."""

    def __init__(self, options: PanelOptions, network: Network, clock: Clock, randomness: Randomness) -> None:
        self.options = options
        self._network = network
        self._clock = clock
        self._randomness = randomness
        self._number = options.first_number - 1
        self._link: Connection | None = None
        self._reader = FrameReader()

    async def event(self, data: str, fields: Sequence[tuple[str, str]] = ()) -> Sent:
        """Send one event, such as `#6F01|Nri1/BA17`, until it is acknowledged or refused."""
        self._number = self._number % LAST_NUMBER + 1
        extended = tuple(Extended(letter, value.encode()) for letter, value in fields)
        return await self._send(self._message(self.options.format, f"{self._number:04d}", data.encode(), extended))

    async def poll(self) -> Sent:
        """Send a link test."""
        return await self._send(self._message("NULL", "0000", b""))

    async def burglaries(
        self,
        count: int | None,
        rate: float = 0.0,
        told: Callable[[dict[str, Any]], None] | None = None,
        duration_s: float = math.inf,
    ) -> list[Sent]:
        """`count` burglary alarms (None: without end) of zones 1 to 99, at most `rate` a second (0: as fast as they are
        acknowledged); none is begun later than `duration_s`.
        """
        loop, sent = asyncio.get_running_loop(), list[Sent]()
        begun = loop.time()
        for n in itertools.count() if count is None else range(count):
            due = begun + n / rate if rate else loop.time()
            if due - begun >= duration_s:
                break
            await asyncio.sleep(max(0.0, due - loop.time()))
            data = BURGLARY[self.options.format].format(account=self.options.account, zone=n % 99 + 1)
            sent.append(await self.event(data))
            if told is not None:
                told({"panel": self.options.account, "data": data, "seq": sent[-1].seq, "answer": sent[-1].answer})
        return sent

    async def aclose(self) -> None:
        await self._hang_up()

    def _message(self, token: str, seq: str, data: bytes, extended: tuple[Extended, ...] = ()) -> Message:
        own = self.options
        return Message(
            token,
            seq,
            own.account,
            own.prefix,
            own.receiver,
            own.key is not None,
            data,
            extended,
            datetime.min.replace(tzinfo=UTC),
        )

    async def _send(self, message: Message) -> Sent:
        transmission = Transmission(message, self.options.key)
        tries, answer = 0, "none"
        while answer == "none" and (not self.options.most_tries or tries < self.options.most_tries):
            if tries:
                await asyncio.sleep(self.options.pause_s)
            tries += 1
            try:
                answer = await self._try(transmission)
            except (TransportError, TimeoutError):
                await self._hang_up()
        if not self.options.keep:
            await self._hang_up()
        return Sent(message.seq, answer, tries)

    async def _try(self, transmission: Transmission) -> str:
        async with asyncio.timeout(self.options.reply_timeout_s):
            link = await self._connected()
            await link.send(transmission.frame(self._clock.now(), pad=transmission.pad(self._randomness)))
            while True:
                verdict = transmission.judge(await self._frame(link), self._clock.now())
                match verdict:
                    case Acknowledged():
                        return "ACK"
                    case Refused():
                        return "DUH"
                    case Resync():
                        pad = transmission.pad(self._randomness)
                        await link.send(transmission.frame(self._clock.now(), verdict.offset, pad))
                    case Ignored():
                        continue
                    case _:
                        return "none"

    async def _connected(self) -> Connection:
        if self._link is None or not self._link.alive():
            await self._hang_up()
            own = self.options
            if own.transport == "udp":
                self._link = await self._network.datagrams(own.endpoint, own.reply_timeout_s)
            else:
                self._link = await self._network.connect(own.endpoint, own.tls, own.reply_timeout_s)
            self._reader = FrameReader()
        return self._link

    async def _frame(self, link: Connection) -> RawFrame:
        while True:
            data = await link.receive()
            if not data:
                raise LinkBroken("the receiver closed the connection")
            found = [read_datagram(data)] if self.options.transport == "udp" else self._reader.feed(data)
            for frame in found:
                if isinstance(frame, RawFrame):
                    return frame

    async def _hang_up(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.aclose()
