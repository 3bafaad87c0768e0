"""A stand-in Manitou XML receiver: strict about the layout that is assumed, and misbehaves on request."""

import asyncio
import base64
import binascii
import re
import ssl
from collections.abc import Callable, Sequence
from typing import Any

from lxml import etree
from msgspec import Struct

from tocsin.config.listening import split_listen
from tocsin.engine.contracts import Clock
from tocsin.media.jpeg import JpegFacts, jpeg_facts
from tocsin.protocols.manitou import Framing, framed
from tocsin.standins.connections import Connections
from tocsin.standins.serving import until_cancelled

Out = Callable[[dict[str, Any]], None]
IDLE_S = 600.0
PACKET_LIMIT = 32 * 1024 * 1024
ORDER = ("TXID", "Event", "Area", "Zone", "PointID", "DateTime", "URL", "Binary")
_FORMS = {
    "TXID": re.compile("[0-9A-Za-z]{1,32}"),
    "Event": re.compile("[0-9A-Za-z]{1,10}"),
    "Area": re.compile("[0-9A-Za-z]{1,16}"),
    "Zone": re.compile("[0-9A-Za-z]{1,16}"),
    "DateTime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
}
_ENDS: dict[Framing, bytes] = {"crlf": b"\n", "stx-etx": b"\x03", "null": b"\0", "close": b"</Packet>"}


class Assumed(Struct, frozen=True):
    """What is assumed of the receiver, each a switch. `answers`: what acknowledges and refuses, {seq} the number."""

    framing: Framing = "crlf"
    observed: bool = False
    ack: str = '<Ack ID="{seq}"/>'
    nak: str = '<Nak ID="{seq}"/>'


class Switches:
    """What the receiver does instead of answering at once; may be changed while it runs."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.silent = 0
        """So many packets get no answer; -1: none ever."""
        self.nak = 0
        """So many packets are refused; -1: all."""
        self.cut_once = False
        """Close in the middle of the answer."""
        self.wrong_number = False
        """Acknowledge a number that was not sent."""
        self.noise = b""
        """Sent before each answer."""
        self.close_after_answer = False


DEFAULTS = Assumed()


class ManitouStandin:
    """Listens on TCP. `out` gets one dict per packet; `packets` keeps them."""

    def __init__(
        self, clock: Clock, out: Out | None = None, assumed: Assumed = DEFAULTS, tls: ssl.SSLContext | None = None
    ) -> None:
        self.switches = Switches()
        self.packets: list[dict[str, Any]] = []
        self._clock = clock
        self._out = out
        self._assumed = assumed
        self._seen: set[bytes] = set()
        self._connections = Connections(self._converse, tls, PACKET_LIMIT)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Returns the port. Raises OSError."""
        return await self._connections.listen(host, port)

    @property
    def connections(self) -> int:
        """How many there have been."""
        return self._connections.made

    def drop_connections(self) -> None:
        """Cut every standing connection, as a restarting receiver does."""
        self._connections.drop()

    async def aclose(self) -> None:
        await self._connections.aclose()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await self._packet(reader, writer):
            pass

    async def _packet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Take one packet and answer it; whether the connection stays."""
        async with asyncio.timeout(IDLE_S):
            data = await self._read(reader)
        told = self._examined(data, str(writer.get_extra_info("peername")[0]))
        answer = self._answer(told)
        self.packets.append({**told, "answer": answer})
        if self._out is not None:
            self._out(self.packets[-1])
        await asyncio.sleep(self.switches.delay_s)
        return await self._send(writer, answer, str(told["number"]))

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        framing = self._assumed.framing
        if framing == "length4":
            return await reader.readexactly(min(int.from_bytes(await reader.readexactly(4), "big"), PACKET_LIMIT))
        data = await reader.readuntil(_ENDS[framing])
        return data if framing == "close" else data[: -len(_ENDS[framing])].strip(b"\r\x02")

    async def _send(self, writer: asyncio.StreamWriter, answer: str, number: str) -> bool:
        if answer == "none":
            return True
        form = self._assumed.nak if answer == "nak" else self._assumed.ack
        given = "1" if answer == "wrong number" else number
        frame = framed(form.replace("{seq}", given).encode(), self._assumed.framing)
        writer.write(self.switches.noise + (frame[: len(frame) // 2] if answer == "cut" else frame))
        await writer.drain()
        return answer != "cut" and not self.switches.close_after_answer and self._assumed.framing != "close"

    def _answer(self, told: dict[str, Any]) -> str:
        switches = self.switches
        if switches.silent:
            switches.silent -= switches.silent > 0
            return "none"
        if switches.nak:
            switches.nak -= switches.nak > 0
            return "nak"
        if switches.cut_once:
            switches.cut_once = False
            return "cut"
        if switches.wrong_number:
            return "wrong number"
        return "nak" if told["problems"] else "ack"

    def _examined(self, data: bytes, peer: str) -> dict[str, Any]:
        told: dict[str, Any] = {"station": "manitou", "at": self._clock.now().isoformat(), "peer": peer}
        told |= {"bytes": len(data), "number": "", "repeat": data in self._seen}
        self._seen.add(data)
        return told | read_packet(data, self._assumed.observed)


def read_packet(data: bytes, observed: bool = False) -> dict[str, Any]:
    """What a packet says, and in `problems` what is wrong with it."""
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError as error:
        return {"problems": [f"no XML: {error}"]}
    number, heartbeat = root.get("ID", ""), root.find("Heartbeat") is not None
    told: dict[str, Any] = {"number": number, "heartbeat": heartbeat}
    if root.tag != "Packet" or len(root) != 1 or root[0].tag not in ("Signal", "Heartbeat"):
        return told | {"problems": ["no Packet with one Signal or Heartbeat"]}
    problems = [] if observed or re.fullmatch("[1-9][0-9]{0,5}", number) else ["ID is not 1 to 999999"]
    if heartbeat:
        return told | {"problems": problems}
    values = {str(child.tag): child.text or "" for child in root[0] if child.tag != "Binary"}
    pictures, broken = _pictures(root[0], observed)
    problems += broken + (_observed_problems(root[0]) if observed else _problems(root[0], values))
    return told | {"signal": {**dict(root[0].attrib), **values}, "pictures": pictures, "problems": problems}


def _problems(signal: "etree._Element", values: dict[str, str]) -> list[str]:
    names = [str(child.tag) for child in signal]
    problems = [f"{name} is not known" for name in names if name not in ORDER]
    known = [name for name in names if name in ORDER]
    if known != sorted(known, key=ORDER.index):
        problems.append(f"the order is {', '.join(known)}")
    problems += [f"{name} is missing" for name in ("TXID", "Event", "PointID", "DateTime") if name not in names]
    problems += [f"{name} comes twice" for name in set(names) - {"Binary"} if names.count(name) > 1]
    forms = ((name, value) for name, value in values.items() if name in _FORMS)
    return problems + [f"{name} is {value!r}" for name, value in forms if not _FORMS[name].fullmatch(value)]


def _observed_problems(signal: "etree._Element") -> list[str]:
    problems = [] if signal.get("EvType") == "SIA" else ["EvType is not SIA"]
    if not re.fullmatch("[0-9A-Za-z]{1,10}", signal.get("Event", "")):
        problems.append("Event is no code")
    return problems + [f"{child.tag} is not known" for child in signal if child.tag not in ("Zone", "URL", "Binary")]


def _pictures(signal: "etree._Element", observed: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """Sizes of the pictures, and what is wrong with them."""
    found: list[dict[str, Any]] = []
    problems = []
    for element in signal.findall("Binary"):
        text = element.findtext("Data", "") if observed else element.text or ""
        try:
            data = base64.b64decode(text, validate=True)
        except binascii.Error:
            problems.append("Binary is no base64")
            continue
        facts = jpeg_facts(data)
        size = {"width": facts.width, "height": facts.height} if isinstance(facts, JpegFacts) else {}
        found.append({"type": element.get("Type", ""), "name": element.get("Name", ""), "bytes": len(data), **size})
    return found, problems


async def serve(
    listen: str,
    out: Out,
    clock: Clock,
    assumed: Assumed,
    switches: Switches,
    tls: ssl.SSLContext | None = None,
    started: Callable[[int], None] | None = None,
) -> None:
    """Run a receiver until cancelled; `started` is told the port. Raises OSError if it cannot listen there."""
    standin = ManitouStandin(clock, out, assumed, tls)
    standin.switches = switches
    await until_cancelled(lambda: standin.start(*split_listen(listen)), standin.aclose, started)


FRAMINGS: Sequence[Framing] = ("crlf", "stx-etx", "null", "length4", "close")
