"""The two built-in packets, as they are seen from outside; both unconfirmed (receivers.md 6.3, stations.md 7.9)."""

from pathlib import Path
from typing import Literal

from msgspec import Struct

from tocsin.destinations.templates import Template, compiled
from tocsin.protocols.manitou import Framing

KEYS = frozenset({"packet_id", "pictures"})
"""What a packet's template knows besides the words of every template."""
PacketName = Literal["receivers", "observed"]


class Packet(Struct, frozen=True):
    """A layout with what goes with it; `binary` has places for {type}, {name} and {data}."""

    template: Template
    framing: Framing
    heartbeat: str
    ack: str
    nak: str
    binary: str


def _template(name: str) -> Template:
    text = Path(__file__).with_name(f"{name}.xml").read_text(encoding="utf-8")
    return compiled(text, "xml", f"packets/{name}.xml", KEYS)


PACKETS: dict[PacketName, Packet] = {
    "receivers": Packet(
        _template("receivers"),
        "crlf",
        '<Packet ID="{seq}"><Heartbeat/></Packet>',
        '<Ack*ID="{seq}"',
        '<Nak*ID="{seq}"',
        '<Binary Type="{type}" Name="{name}">{data}</Binary>',
    ),
    "observed": Packet(
        _template("observed"),
        "stx-etx",
        '<Packet ID="{account}"><Heartbeat/></Packet>',
        "*",
        "<Nak",
        "<Binary><Data>{data}</Data></Binary>",
    ),
}
