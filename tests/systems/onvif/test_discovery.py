"""Looking for devices: real multicast on the loopback, with a peer that says what a test wants. A virtual camera of
another hand is found in test_peers.py.
"""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from tests.systems.onvif.conftest import Scenes, cameras

from tocsin.model.inventory import Note
from tocsin.systems.onvif import discovery, system
from tocsin.systems.onvif.discovery import look_around, unlisted
from tocsin.systems.onvif.probing import Proposed, matches, probe

LOOPBACK = socket.if_nametoindex("lo") if hasattr(socket, "if_nametoindex") else 1
MATCH = (
    "<d:ProbeMatch><a:EndpointReference><a:Address>{0}</a:Address></a:EndpointReference>"
    "<d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>onvif://www.onvif.org/name/North%20gate "
    "onvif://www.onvif.org/hardware/AC-2200 onvif://www.onvif.org/type/video_encoder</d:Scopes>"
    "<d:XAddrs>{1}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch>"
)
ANSWER = (
    '<?xml version="1.0" encoding="UTF-8"?>{2}<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
    'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
    'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><s:Header><a:RelatesTo>{0}</a:RelatesTo></s:Header>'
    "<s:Body><d:ProbeMatches>{1}</d:ProbeMatches></s:Body></s:Envelope>"
)
Reply = Callable[[str], list[bytes]]


def answer(asked: str, endpoint: str = "urn:uuid:1", address: str = "http://192.0.2.30/onvif/device_service") -> bytes:
    return ANSWER.format(asked, MATCH.format(endpoint, address), "").encode()


class Peer(asyncio.DatagramProtocol):
    """Takes probes and sends `reply(message id)`."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.probes: list[tuple[str, str]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        root = etree.fromstring(data)
        said = {str(one.tag).rpartition("}")[2]: one.text or "" for one in root.iter()}
        assert said["To"] == "urn:schemas-xmlsoap-org:ws:2005:04:discovery"
        assert said["Action"] == "http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe"
        self.probes.append((said["MessageID"], said.get("Types", "")))
        for one in self.reply(said["MessageID"]):
            self.transport.sendto(one, addr)  # type: ignore[attr-defined]


@asynccontextmanager
async def peer(reply: Reply) -> AsyncIterator[tuple[Peer, int]]:
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("239.255.255.250", 0))
    group = struct.pack("@4s4si", socket.inet_aton("239.255.255.250"), bytes(4), LOOPBACK)
    listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    listener.setblocking(False)
    transport, made = await asyncio.get_running_loop().create_datagram_endpoint(lambda: Peer(reply), sock=listener)
    try:
        yield made, listener.getsockname()[1]
    finally:
        transport.close()


@pytest.fixture(autouse=True)
def _only_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test asks beyond this machine."""
    monkeypatch.setattr(discovery, "interfaces", lambda: [LOOPBACK])


async def test_three_probes_of_each_kind_under_one_number_and_each_device_once() -> None:
    async with peer(lambda asked: [answer(asked), answer(asked, "urn:uuid:2")]) as (it, port):
        found = await look_around(random.Random(1), 0.8, port)
    assert [one.endpoint for one in found] == ["urn:uuid:1", "urn:uuid:2"]
    assert found[0] == Proposed("urn:uuid:1", ("http://192.0.2.30/onvif/device_service",), "North gate", "AC-2200")
    assert sorted(it.probes) == sorted(list(dict.fromkeys(it.probes)) * 3)
    assert [types for _, types in dict.fromkeys(it.probes)] == ["dn:NetworkVideoTransmitter", ""]


async def test_hostile_answers_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaaaaaa">]>'
    hostile: Reply = lambda asked: [  # noqa: E731
        b"", b"\xff" * 60_000, b"<", answer("urn:uuid:of-nobody", "urn:uuid:9"),
        ANSWER.format(asked, MATCH.format("&a;", "http://192.0.2.31/"), bomb).encode(),
        answer(asked, "urn:uuid:3", "file:///etc/passwd javascript:alert(1) http:// rtsp://192.0.2.9/"),
        answer(asked, "", "http://192.0.2.32/"),
        *(answer(asked, f"urn:uuid:many-{n}") for n in range(30)),
    ]  # fmt: skip
    monkeypatch.setattr(discovery, "MOST_DEVICES", 10)
    async with peer(hostile) as (_, port):
        found = await look_around(random.Random(1), 0.8, port)
    assert len(found) == 10
    assert all(one.endpoint.startswith("urn:uuid:many-") for one in found)


async def test_only_so_many_answers_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "MOST_ANSWERS", 3)
    async with peer(lambda asked: [b"<", b"<", b"<", answer(asked)]) as (_, port):
        assert await look_around(random.Random(1), 0.8, port) == []


async def test_what_is_not_listed_is_named_in_run_and_check_and_never_asked(
    scene: Scenes, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed, stranger = cameras(2)
    strange = await scene([stranger])
    monkeypatch.setattr(discovery, "LISTENING_S", 0.8)
    address = f"http://localhost:{strange.ports[0]}/onvif/device_service"

    def reply(asked: str) -> list[bytes]:
        return [
            answer(asked, "urn:uuid:1", address),
            answer(asked, "urn:uuid:2", "http://127.0.0.1/onvif/device_service"),
        ]

    async with peer(reply) as (_, port):

        async def here(randomness: random.Random) -> list[Proposed]:
            return await look_around(randomness, 0.8, port)

        monkeypatch.setattr(system, "look_around", here)
        it = await scene([listed], discovery=True)
        line = (
            "found in the network and not listed: North gate AC-2200; "
            f'to use it, add {{ address = "{address}" }} to devices'
        )
        devices, notes = await it.read()
        assert [one.name for one in devices if one.kind == "camera"] == ["Gate 1"]
        assert notes[-1] == Note(line, partial=False)
        assert [(step.what, step.detail) for step in await it.system.check()][-1] == ("discovery", line)
        off = await scene(cameras(1))
        assert not any("network" in one.text for one in (await off.read())[1])
    assert stranger.requests == []


def test_a_device_is_known_by_its_host() -> None:
    found = [
        Proposed("a", ("http://192.0.2.30/x", "http://[2001:db8::1]:81/x")),
        Proposed("b", ("http://192.0.2.31/",)),
    ]
    assert len(unlisted(found, {"192.0.2.31"})) == 1
    assert unlisted(found, {"192.0.2.31", "2001:db8::1"}) == []


@given(st.binary(max_size=300), st.text(max_size=60), st.text(max_size=60))
def test_any_answer_proposes_something_or_nothing(data: bytes, scope: str, address: str) -> None:
    assert matches(data, {"m"}) == ()
    envelope = etree.Element("Envelope")
    etree.SubElement(envelope, "RelatesTo").text = "m"
    match = etree.SubElement(envelope, "ProbeMatch")
    try:
        etree.SubElement(match, "Address").text = "urn:uuid:1"
        etree.SubElement(match, "Scopes").text = scope
        etree.SubElement(match, "XAddrs").text = address
    except ValueError:  # no XML
        return
    for one in matches(etree.tostring(envelope), {"m"}):
        assert all(each.isprintable() for each in (*one.addresses, one.name, one.hardware))


def test_a_probe_is_what_a_device_reads() -> None:
    assert b"<d:Types>dn:NetworkVideoTransmitter</d:Types>" in probe("urn:uuid:1", "dn:NetworkVideoTransmitter")
    assert b"<d:Probe></d:Probe>" in probe("urn:uuid:1", "")
