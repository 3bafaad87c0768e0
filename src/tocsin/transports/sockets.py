"""Real sockets: TCP, TLS and UDP over asyncio. Names are resolved anew for each connection (stations.md 8.3)."""

import asyncio
import collections
import contextlib
import socket
import ssl
from typing import Any

from tocsin.transports.contract import Connection, Endpoint, LinkBroken, Listener, TlsOptions, Unreachable
from tocsin.transports.tls import TlsFileError, check_pin, context_apart, explain, server_name, shown_certificate

RECEIVE_LIMIT = 65536
DATAGRAMS_LIMIT = 64
SEND_DEADLINE_S = 30.0
CLOSE_DEADLINE_S = 1.5
CERTIFICATE_DEADLINE_S = 3.0

SocketAddress = tuple[Any, ...]


class SocketNetwork:
    """`transports.contract.Network` on this machine's network."""

    async def connect(self, endpoint: Endpoint, tls: TlsOptions | None, timeout_s: float) -> Connection:
        try:
            context = None if tls is None else await context_apart(tls)
        except TlsFileError as error:
            raise Unreachable(str(error)) from error
        deadline = asyncio.get_running_loop().time() + timeout_s
        addresses = await _resolve(endpoint, socket.SOCK_STREAM, timeout_s)
        try:
            return await _first_that_answers(endpoint, addresses, tls, context, deadline)
        except ssl.SSLCertVerificationError as error:
            name = endpoint.host if tls is None else server_name(tls, endpoint)
            shown = await shown_certificate(endpoint, CERTIFICATE_DEADLINE_S, name)
            raise Unreachable(explain(error, endpoint, shown)) from error
        except OSError as error:
            raise Unreachable(explain(error, endpoint)) from error

    async def datagrams(self, endpoint: Endpoint, timeout_s: float) -> Connection:
        error: OSError = OSError("the name has no address")
        for address in await _resolve(endpoint, socket.SOCK_DGRAM, timeout_s):
            try:
                return await _towards(endpoint, address)
            except OSError as failed:
                error = failed
        raise Unreachable(explain(error, endpoint)) from error


async def _towards(endpoint: Endpoint, address: SocketAddress) -> "Datagrams":
    """Nothing is sent yet: fails where this machine has no way there, as to IPv6 on a machine without it."""
    _, link = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: Datagrams(endpoint), remote_addr=address[:2], family=_family(address)
    )
    return link


async def _resolve(endpoint: Endpoint, kind: socket.SocketKind, timeout_s: float) -> list[SocketAddress]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            found = await loop.getaddrinfo(endpoint.host, endpoint.port, type=kind)
    except TimeoutError as error:
        raise Unreachable(
            f"The DNS server gave no answer for the name {endpoint.host} in time. Check the gateway's DNS server"
        ) from error
    except OSError as error:
        raise Unreachable(explain(error, endpoint)) from error
    except ValueError as error:
        raise Unreachable(f"{endpoint.host!r} is no valid host name or address: {error}") from error
    return [address for *_, address in found]


async def _first_that_answers(
    endpoint: Endpoint,
    addresses: list[SocketAddress],
    tls: TlsOptions | None,
    context: ssl.SSLContext | None,
    deadline: float,
) -> "Stream":
    """Try every address of the name; each gets its share of the time that is left."""
    loop = asyncio.get_running_loop()
    error: Exception = OSError("the name has no address")
    for tried, address in enumerate(addresses):
        share = (deadline - loop.time()) / (len(addresses) - tried)
        try:
            async with asyncio.timeout(max(share, 0.001)):
                return await _open(endpoint, address, tls, context)
        except Unreachable as refused:
            error = refused
        except OSError as failed:
            error = failed
    raise error


async def _open(
    endpoint: Endpoint, address: SocketAddress, tls: TlsOptions | None, context: ssl.SSLContext | None
) -> "Stream":
    name = None if tls is None else server_name(tls, endpoint)
    transport, link = await asyncio.get_running_loop().create_connection(
        lambda: Stream(endpoint), address[0], address[1], ssl=context, server_hostname=name, family=_family(address)
    )
    if tls is not None and tls.pin:
        try:
            check_pin(transport.get_extra_info("ssl_object").getpeercert(binary_form=True), tls.pin, endpoint)
        except Unreachable:
            transport.abort()
            raise
    link.keep_alive()
    return link


def _family(address: SocketAddress) -> int:
    return socket.AF_INET6 if len(address) == 4 else socket.AF_INET


class _Link:
    """What a stream and a peer's datagrams share: one reader waits, the end is remembered with its reason."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._transport: Any = None
        self._waiter: asyncio.Future[None] | None = None
        self._lost = asyncio.get_running_loop().create_future()
        self._writable = asyncio.Event()
        self._writable.set()
        self._ended = False
        self._error: BaseException | None = None
        self._listener: Listener | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error)
        self._writable.set()
        if not self._lost.done():
            self._lost.set_result(None)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def alive(self) -> bool:
        return not self._ended and not self._transport.is_closing()

    async def aclose(self) -> None:
        self._transport.close()
        try:
            async with asyncio.timeout(CLOSE_DEADLINE_S):
                await asyncio.shield(self._lost)
        except TimeoutError:
            self._transport.abort()
        except asyncio.CancelledError:
            self._transport.abort()
            raise

    def _end(self, error: BaseException | None) -> None:
        self._ended = True
        self._error = self._error or error
        self._wake()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.ended()

    def quiet(self) -> None:
        self._listener = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _news(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _broken(self) -> LinkBroken:
        if self._error is not None:
            return LinkBroken(explain(self._error, self.endpoint))
        return LinkBroken(f"{self.endpoint} has closed the connection")


class Stream(_Link, asyncio.Protocol):
    """One TCP or TLS connection. Reading stops while 64 KiB wait to be taken."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._buffer = bytearray()

    def keep_alive(self) -> None:
        """Have the system probe a kept connection, so that a vanished station or a forgetful firewall is noticed."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
            if hasattr(socket, option):
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def data_received(self, data: bytes) -> None:
        if self._listener is not None:
            self._listener.received(data)
            return
        self._buffer += data
        if len(self._buffer) >= RECEIVE_LIMIT:
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._end(None)

    async def send(self, data: bytes) -> None:
        if not self.alive():
            raise self._broken()
        self._transport.write(data)
        if not self._writable.is_set():
            await self._taken()
        if self._error is not None:
            raise self._broken()

    async def _taken(self) -> None:
        try:
            async with asyncio.timeout(SEND_DEADLINE_S):
                await self._writable.wait()
        except TimeoutError:
            self._transport.abort()
            raise LinkBroken(f"{self.endpoint} takes no more data") from None

    def post(self, data: bytes, listener: Listener) -> bool:
        if self._buffer or not self._writable.is_set() or not self.alive():
            return False
        self._listener = listener
        asyncio.get_running_loop().call_soon(self._write_posted, data)
        return True

    def _write_posted(self, data: bytes) -> None:
        """With all that was posted in the same turn: a peer that serves many connections is woken once for all of them,
        where each waking costs as much as making a frame.
        """
        if self.alive():
            self._transport.write(data)

    async def receive(self) -> bytes:
        while not self._buffer:
            if self._error is not None:
                raise self._broken()
            if self._ended:
                return b""
            await self._news()
        data = bytes(self._buffer[:RECEIVE_LIMIT])
        del self._buffer[:RECEIVE_LIMIT]
        if not self._ended:
            self._transport.resume_reading()
        return data


class Datagrams(_Link, asyncio.DatagramProtocol):
    """One peer's datagrams; when more than 64 wait, the oldest is lost, as on the way."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._waiting: collections.deque[bytes] = collections.deque(maxlen=DATAGRAMS_LIMIT)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if data:
            self._waiting.append(data)
            self._wake()

    def error_received(self, exc: Exception) -> None:
        self._end(exc)

    async def send(self, data: bytes) -> None:
        if not self.alive():
            raise self._broken()
        self._transport.sendto(data)

    def post(self, data: bytes, listener: Listener) -> bool:
        return False

    async def receive(self) -> bytes:
        while not self._waiting:
            if self._ended:
                raise self._broken()
            await self._news()
        return self._waiting.popleft()
