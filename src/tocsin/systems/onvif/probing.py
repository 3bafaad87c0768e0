"""WS-Discovery, as far as a client speaks it: the question, and what devices answer (connectors.md 6.2). Pure."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from msgspec import Struct
from yarl import URL

from tocsin.protocols import xml
from tocsin.systems.onvif import facts, soap

if TYPE_CHECKING:
    from lxml import etree

ANSWER_LIMIT = 65_536
"""A datagram is not larger."""
MOST_ADDRESSES = 8
TYPES = ("dn:NetworkVideoTransmitter", "")
"""Without types: for devices that do not call themselves so."""
_ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_DISCOVERY = "http://schemas.xmlsoap.org/ws/2005/04/discovery"


class Proposed(Struct, frozen=True):
    """A device that answered: its own name for itself, where it says its device service is, and its scopes."""

    endpoint: str
    addresses: tuple[str, ...]
    name: str = ""
    hardware: str = ""


def probe(message_id: str, types: str) -> bytes:
    """Who is there?"""
    wanted = f"<d:Types>{types}</d:Types>" if types else ""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{soap.ENVELOPE}" xmlns:a="{_ADDRESSING}" '
        f'xmlns:d="{_DISCOVERY}" xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Header>'
        f"<a:MessageID>{message_id}</a:MessageID><a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>"
        f"<a:Action>{_DISCOVERY}/Probe</a:Action></s:Header><s:Body><d:Probe>{wanted}</d:Probe></s:Body></s:Envelope>"
    ).encode()


def matches(data: bytes, asked: Collection[str]) -> tuple[Proposed, ...]:
    """What one answer proposes. Nothing where it cannot be read, or answers a question that was not asked."""
    try:
        root = xml.read(data, ANSWER_LIMIT)
    except xml.NotXml:
        return ()
    if xml.text_of(xml.first(root, "RelatesTo")) not in asked:
        return ()
    found = [_proposed(one) for one in list(soap.below(root, "ProbeMatch"))[: facts.MOST]]
    return tuple(one for one in found if one.endpoint and one.addresses)


def _proposed(one: "etree._Element") -> Proposed:
    scopes = facts.scopes_in(soap.text(one, "Scopes").split()[: facts.MOST])
    addresses = [written for written in soap.text(one, "XAddrs").split() if _is_service(written)]
    return Proposed(
        _printable(xml.text_of(xml.first(one, "Address")))[:200],
        tuple(addresses[:MOST_ADDRESSES]),
        _printable(scopes.name)[:100],
        _printable(scopes.hardware)[:100],
    )


def _is_service(written: str) -> bool:
    try:
        url = URL(written)
    except ValueError:
        return False
    return url.scheme in ("http", "https") and bool(url.host) and len(written) <= 300 and written.isprintable()


def _printable(text: str) -> str:
    return "".join(char for char in text if char.isprintable())
