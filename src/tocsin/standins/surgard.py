"""A strict stand-in of automation software that takes Sur-Gard records, and misbehaves on request."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from tocsin.config.listening import split_listen
from tocsin.engine.contracts import Clock
from tocsin.protocols.surgard.framing import Dropped, Frame, RecordReader
from tocsin.protocols.surgard.reading import read
from tocsin.protocols.surgard.records import Record
from tocsin.protocols.surgard.sender import ACK, NAK
from tocsin.standins.connections import Connections
from tocsin.standins.serving import until_cancelled

Out = Callable[[dict[str, Any]], None]
IDLE_S = 600.0
RECONNECT_S = 0.2
_RRL_LENGTH = {"contact-id": 20, "basic": 20, "sia1": 20, "heartbeat": 20}
_LONGEST_BLOCK = 66


class Switches:
    """What the station does instead of answering at once; may be changed while it runs."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.silent = False
        self.silent_to: set[str] = set()
        """Accounts whose records are not answered; heartbeats and the others are."""
        self.nak_first = 0
        """So many records, heartbeats not counted, are answered with NAK."""
        self.drop = False
        """Close the connection instead of answering."""
        self.drop_once = False
        self.ack, self.nak = ACK, NAK
        self.line_digits: int | None = None
        """Demand this header: 1 for RRL, 3 for RRLLL; None: whichever comes first."""


class Host:
    """Listens, or connects to a gateway that does. `out` gets one dict per record; `messages` keeps them."""

    def __init__(
        self,
        clock: Clock,
        out: Out | None = None,
        tls: ssl.SSLContext | None = None,
        switches: Switches | None = None,
        name: str = "surgard",
    ) -> None:
        self.switches = switches or Switches()
        self.messages: list[dict[str, Any]] = []
        self._name = name
        self._clock = clock
        self._out = out
        self._tls = tls
        self._last = b""
        self._connections = Connections(self._converse, tls)
        self._news = asyncio.Event()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen. Returns the port."""
        return await self._connections.listen(host, port)

    async def connect(self, host: str, port: int, server_name: str | None = None) -> None:
        """Connect to a gateway that listens, again and again, until cancelled."""
        while True:
            try:
                reader, writer = await asyncio.open_connection(host, port, ssl=self._tls, server_hostname=server_name)
            except OSError:
                await asyncio.sleep(RECONNECT_S)
                continue
            await self._connections.serve(reader, writer)
            await asyncio.sleep(RECONNECT_S)

    def records(self) -> list[str]:
        """What came, repeats too, heartbeats not."""
        return [each["record"] for each in self.messages if each["kind"] != "heartbeat"]

    async def until(self, holds: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait until something holds, which is looked at after each record."""
        async with asyncio.timeout(seconds):
            while not holds():
                self._news.clear()
                await self._news.wait()

    @property
    def connections(self) -> int:
        """How many there have been."""
        return self._connections.made

    def drop_connections(self) -> None:
        """Cut every standing connection, as restarting software does."""
        self._connections.drop()

    async def aclose(self) -> None:
        await self._connections.aclose()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        records = RecordReader()
        peer = str(writer.get_extra_info("peername")[0])
        while not records.broken:
            async with asyncio.timeout(IDLE_S):
                data = await reader.read(4096)
            if not data:
                return
            for frame in records.feed(data):
                answer = self.judge(frame, peer)
                if answer is None:
                    return
                await asyncio.sleep(self.switches.delay_s)
                writer.write(answer)
                await writer.drain()

    def judge(self, frame: Frame | Dropped, peer: str = "") -> bytes | None:
        """Check one frame, report it, and say what is answered; None: close."""
        report: dict[str, Any] = {"station": self._name, "at": self._clock.now().isoformat(), "peer": peer}
        if isinstance(frame, Dropped):
            self._report(report | {"kind": "dropped", "record": "", "faults": [frame.detail], "answer": "closed"})
            return None
        record = read(frame.records[0], self.switches.line_digits)
        answer, word = self._answer(record)
        faults = _faults(record) + (["several records without end marks"] if len(frame.records) > 1 else [])
        repeat = record.kind != "heartbeat" and record.raw == self._last
        self._last = self._last if record.kind == "heartbeat" else record.raw
        self._report(report | _described(record) | {"faults": faults, "repeat": repeat, "answer": word})
        return answer

    def _answer(self, record: Record) -> tuple[bytes | None, str]:
        switches = self.switches
        if switches.silent or record.account in switches.silent_to:
            return b"", "none"
        if switches.drop or switches.drop_once:
            switches.drop_once = False
            return None, "closed"
        if switches.nak_first and record.kind != "heartbeat":
            switches.nak_first -= 1
            return switches.nak, "NAK"
        return switches.ack, "ACK"

    def _report(self, report: dict[str, Any]) -> None:
        self.messages.append(report)
        self._news.set()
        if self._out is not None:
            self._out(report)


def _described(record: Record) -> dict[str, Any]:
    return {
        "kind": record.kind,
        "record": record.raw.decode("latin-1"),
        "receiver": record.receiver,
        "line": record.line,
        "account": record.account,
        "code": record.code,
        "group": record.group,
        "zone": record.zone,
        "data": record.block.decode("latin-1"),
    }


def _faults(record: Record) -> list[str]:
    """What software that reads by position would stumble over."""
    faults = ["not in the strict form"] if record.loose else []
    if record.kind == "unknown":
        faults.append("no known record")
    length = _RRL_LENGTH.get(record.kind, 0)
    plain = len(record.raw) - len(record.clock)
    if length and plain != length + len(record.line) - 1:
        faults.append(f"{plain} characters where the layout has {length + len(record.line) - 1}")
    if len(record.block) > _LONGEST_BLOCK:
        faults.append(f"a block of {len(record.block)} bytes where manuals have {_LONGEST_BLOCK}")
    if any(not 0x20 <= byte < 0x7F for byte in record.raw):
        faults.append("other characters than printable ASCII")
    return faults


async def serve(
    listen: str,
    out: Out,
    clock: Clock,
    tls: ssl.SSLContext | None = None,
    started: Callable[[int], None] | None = None,
    switches: Switches | None = None,
    name: str = "surgard",
) -> None:
    """Run a station that listens, until cancelled."""
    station = Host(clock, out, tls, switches, name)
    await until_cancelled(lambda: station.start(*split_listen(listen)), station.aclose, started)


async def connect(
    to: str,
    out: Out,
    clock: Clock,
    tls: ssl.SSLContext | None = None,
    switches: Switches | None = None,
    name: str = "surgard",
) -> None:
    """Run a station that connects, until cancelled."""
    station = Host(clock, out, tls, switches, name)
    host, port = split_listen(to)
    try:
        await station.connect(host, port, host if tls else None)
    finally:
        await station.aclose()
