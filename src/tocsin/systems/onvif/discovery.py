"""Looking for devices in the network by WS-Discovery. What is found is only proposed: nothing is asked of it, and no
login goes there, before an operator lists it (connectors.md 6.2).
"""

import asyncio
import contextlib
import socket
import struct
import uuid
from collections.abc import Collection, Sequence

from yarl import URL

from tocsin.engine.contracts import Randomness
from tocsin.systems.onvif.probing import TYPES, Proposed, matches, probe

PORT = 3702
GROUPS = ((socket.AF_INET, "239.255.255.250"), (socket.AF_INET6, "ff02::c"))
TIMES = 3
APART_S = 0.2
LISTENING_S = 5.0
MOST_ANSWERS = 2000
MOST_DEVICES = 500
MOST_INTERFACES = 32
Sent = tuple[socket.socket, tuple[str, int]]


class _Answers(asyncio.DatagramProtocol):
    """What comes in, bounded; `asked` are the questions it may answer."""

    def __init__(self, asked: Collection[str]) -> None:
        self._asked = asked
        self._left = MOST_ANSWERS
        self.found: dict[str, Proposed] = {}

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._left -= 1
        if self._left < 0:
            return
        for one in matches(data, self._asked):
            if len(self.found) < MOST_DEVICES:
                self.found.setdefault(one.endpoint, one)

    def error_received(self, exc: Exception) -> None:
        """An interface without a way out hears nothing; the others do."""


async def look_around(randomness: Randomness, listening_s: float = LISTENING_S, port: int = PORT) -> list[Proposed]:
    """The devices that answer on any interface, by name."""
    questions = {f"urn:uuid:{uuid.UUID(int=randomness.getrandbits(128), version=4)}": types for types in TYPES}
    answers = _Answers(questions)
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        ways = []
        for sender, group in _senders(port):
            transport, _ = await loop.create_datagram_endpoint(lambda: answers, sock=sender)
            stack.callback(transport.close)
            ways.append((transport, group))
        for _ in range(TIMES):
            for transport, group in ways:
                for message_id, types in questions.items():
                    transport.sendto(probe(message_id, types), group)
            await asyncio.sleep(APART_S)
        await asyncio.sleep(max(0.0, listening_s - TIMES * APART_S))
    return sorted(answers.found.values(), key=lambda one: (one.name, one.endpoint))


def interfaces() -> list[int]:
    """The numbers of this machine's."""
    return [index for index, _ in socket.if_nameindex()[:MOST_INTERFACES]]


def _senders(port: int) -> list[Sent]:
    """One for each interface and protocol; those that cannot multicast are left out."""
    made: list[Sent] = []
    for index in interfaces():
        for family, group in GROUPS:
            with contextlib.suppress(OSError):
                made.append((_sender(family, index), (group, port)))
    return made


def _sender(family: socket.AddressFamily, index: int) -> socket.socket:
    sender = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sender.setblocking(False)
        if family == socket.AF_INET:
            sender.setsockopt(
                socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("@4s4si", bytes(4), bytes(4), index)
            )
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
        else:
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    except OSError:
        sender.close()
        raise
    return sender


def unlisted(found: Sequence[Proposed], hosts: Collection[str]) -> list[str]:
    """A line for each device that is not listed: what it is called and what to write."""
    return [_line(one) for one in found if not any(_host(address) in hosts for address in one.addresses)]


def _line(one: Proposed) -> str:
    called = " ".join(filter(None, (one.name, one.hardware))) or one.endpoint
    return (
        f'found in the network and not listed: {called}; to use it, add {{ address = "{one.addresses[0]}" }} to devices'
    )


def _host(address: str) -> str:
    return str(URL(address).host)
