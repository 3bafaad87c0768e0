"""Connections over real sockets: plain, TLS and UDP, and every way they fail as a sentence."""

import asyncio
import contextlib
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tocsin.transports.contract import Endpoint, LinkBroken, TlsOptions, Unreachable
from tocsin.transports.sockets import SocketNetwork
from tocsin.transports.tls import TlsFileError, client_context, explain, server_context

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(1000):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def listening(handler: Handler = echo, context: ssl.SSLContext | None = None) -> AsyncIterator[Endpoint]:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        try:
            await handler(reader, writer)
        finally:
            writer.transport.abort() if context else writer.close()

    tasks: set[asyncio.Task[None] | None] = set()
    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=context)
    try:
        yield Endpoint("127.0.0.1", server.sockets[0].getsockname()[1])
    finally:
        server.close()
        running = [task for task in tasks if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def refusal(endpoint: Endpoint, tls: TlsOptions | None = None, timeout_s: float = 5.0) -> str:
    with pytest.raises(Unreachable) as caught:
        await SocketNetwork().connect(endpoint, tls, timeout_s)
    return str(caught.value)


async def test_plain_connection_carries_bytes_both_ways() -> None:
    async with listening() as endpoint:
        link = await SocketNetwork().connect(endpoint, None, 5)
        await link.send(b"alarm")
        assert await link.receive() == b"alarm"
        assert link.alive()
        await link.aclose()
        assert not link.alive()


class Hearing:
    def __init__(self) -> None:
        self.heard = b""
        self.over = asyncio.Event()
        self.news = asyncio.Event()

    def received(self, data: bytes) -> None:
        self.heard += data
        self.news.set()

    def ended(self) -> None:
        self.over.set()


async def test_what_is_posted_goes_out_in_order_and_its_answer_is_heard() -> None:
    async with listening() as endpoint, asyncio.timeout(10):
        link, hearing = await SocketNetwork().connect(endpoint, None, 5), Hearing()
        assert link.post(b"one ", hearing)
        assert link.post(b"two", hearing)
        while hearing.heard != b"one two":
            hearing.news.clear()
            await hearing.news.wait()
        link.quiet()
        await link.send(b"three")
        assert await link.receive() == b"three"
        await link.aclose()
        assert not link.post(b"late", hearing)
        assert hearing.heard == b"one two"


async def test_what_is_posted_on_a_connection_that_closes_in_the_same_turn_is_told_as_ended() -> None:
    seen = asyncio.get_running_loop().create_future()

    async def until_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.set_result(await reader.read())

    wrong: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
    async with listening(until_the_end) as endpoint, asyncio.timeout(10):
        link, hearing = await SocketNetwork().connect(endpoint, None, 5), Hearing()
        assert link.post(b"never sent", hearing)
        await link.aclose()
        await hearing.over.wait()
        assert await seen == b""
    assert wrong == []


async def test_more_than_the_read_limit_arrives_whole() -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(1_000_000))
        writer.close()

    async with listening(pour) as endpoint:
        link = await SocketNetwork().connect(endpoint, None, 5)
        received = 0
        while data := await link.receive():
            assert len(data) <= 65536
            received += len(data)
        assert received == 1_000_000
        assert not link.alive()
        await link.aclose()


async def test_receive_may_be_cancelled_without_losing_what_comes_later() -> None:
    async with listening() as endpoint:
        link = await SocketNetwork().connect(endpoint, None, 5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await link.receive()
        await link.send(b"later")
        assert await link.receive() == b"later"
        await link.aclose()


async def test_a_peer_that_has_closed_is_noticed_without_sending() -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with listening(leave) as endpoint:
        link = await SocketNetwork().connect(endpoint, None, 5)
        assert await link.receive() == b""
        assert not link.alive()
        with pytest.raises(LinkBroken, match="has closed the connection"):
            await link.send(b"x")
        await link.aclose()


async def test_a_reset_is_a_broken_link() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async with listening(reset) as endpoint:
        link = await SocketNetwork().connect(endpoint, None, 5)
        await link.send(b"x")
        with pytest.raises(LinkBroken, match="cut the connection"):
            await link.receive()
        await link.aclose()


async def test_closed_port() -> None:
    async with listening() as endpoint:
        pass
    assert "refuses the connection" in await refusal(endpoint)


async def test_unknown_name() -> None:
    assert "The name station.invalid cannot be found" in await refusal(Endpoint("station.invalid", 4001))


async def test_a_name_that_cannot_be_a_name() -> None:
    assert "no valid host name" in await refusal(Endpoint("a" * 80 + ".example.net", 4001))


async def test_a_peer_that_takes_the_connection_but_never_answers_the_handshake(authority: Any) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with listening(silent) as endpoint:
        assert "No answer from" in await refusal(endpoint, TlsOptions(ca_file=authority.ca), 0.2)


async def test_all_addresses_of_a_name_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as endpoint:
        loop = asyncio.get_running_loop()
        asked: list[str] = []

        async def two_addresses(host: str, port: int, **_: Any) -> list[Any]:
            asked.append(host)
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", endpoint.port)),
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", endpoint.port)),
            ]

        with monkeypatch.context() as patched:
            patched.setattr(loop, "getaddrinfo", two_addresses)
            for _ in range(2):
                link = await SocketNetwork().connect(Endpoint("arc.example.net", endpoint.port), None, 5)
                await link.aclose()
        assert asked.count("arc.example.net") == 2, "resolved anew for each connection"


async def test_tls_with_the_authority_at_hand(authority: Any) -> None:
    async with listening(context=server_context(*authority.issue("127.0.0.1"))) as endpoint:
        link = await SocketNetwork().connect(endpoint, TlsOptions(ca_file=authority.ca), 5)
        await link.send(b"alarm")
        assert await link.receive() == b"alarm"
        await link.aclose()


async def test_a_foreign_certificate_names_the_missing_authority(authority: Any) -> None:
    async with listening(context=server_context(*authority.issue("127.0.0.1"))) as endpoint:
        told = await refusal(endpoint, TlsOptions())
    assert "issued by “Example Root, Example Monitoring”" in told
    assert "tls.ca_file" in told


async def test_a_wrong_name_tells_the_names_the_certificate_carries(authority: Any) -> None:
    async with listening(context=server_context(*authority.issue("arc.example.net"))) as endpoint:
        assert "it is for arc.example.net" in await refusal(endpoint, TlsOptions(ca_file=authority.ca))
        named = TlsOptions(ca_file=authority.ca, server_name="arc.example.net")
        await (await SocketNetwork().connect(endpoint, named, 5)).aclose()


async def test_an_expired_certificate_says_since_when(authority: Any) -> None:
    async with listening(context=server_context(*authority.issue("127.0.0.1", expired=True))) as endpoint:
        assert "expired on 2020-01-02" in await refusal(endpoint, TlsOptions(ca_file=authority.ca))


async def test_a_pin_accepts_only_its_certificate(authority: Any) -> None:
    cert, key = authority.issue("127.0.0.1")
    seen = hashlib.sha256(ssl.PEM_cert_to_DER_cert(Path(cert).read_text().split("-----END")[0] + _END)).hexdigest()
    async with listening(context=server_context(cert, key)) as endpoint:
        link = await SocketNetwork().connect(endpoint, TlsOptions(ca_file=authority.ca, pin=seen.upper()), 5)
        await link.aclose()
        told = await refusal(endpoint, TlsOptions(ca_file=authority.ca, pin="0" * 64))
    assert seen in told
    assert "tls.pin" in told


_END = "-----END CERTIFICATE-----\n"


async def test_insecure_is_explicit_and_works(authority: Any) -> None:
    async with listening(context=server_context(*authority.issue("other.example.net"))) as endpoint:
        await (await SocketNetwork().connect(endpoint, TlsOptions(insecure=True), 5)).aclose()


async def test_a_client_certificate_is_asked_for_and_accepted(authority: Any) -> None:
    context = server_context(*authority.issue("127.0.0.1"), client_ca=authority.ca)
    async with listening(context=context) as endpoint:
        cert, key = authority.issue("gw.example.net")
        link = await SocketNetwork().connect(endpoint, TlsOptions(ca_file=authority.ca, cert=cert, key=key), 5)
        await link.send(b"alarm")
        assert await link.receive() == b"alarm"
        await link.aclose()


async def test_a_missing_client_certificate_is_told_by_the_peers_alert(authority: Any) -> None:
    def refuse(server: socket.socket) -> None:
        with server.accept()[0] as accepted, contextlib.suppress(ssl.SSLError):
            context.wrap_socket(accepted, server_side=True)

    context = server_context(*authority.issue("127.0.0.1"), client_ca=authority.ca)
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint = Endpoint("127.0.0.1", server.getsockname()[1])
        refusing = asyncio.create_task(asyncio.to_thread(refuse, server))
        link = await SocketNetwork().connect(endpoint, TlsOptions(ca_file=authority.ca), 5)
        with pytest.raises(LinkBroken, match=r"tls\.cert"):
            await link.receive()
        await link.aclose()
        await refusing


async def test_a_plain_port_is_recognised(authority: Any) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 plain\r\n")
        await reader.read()
        writer.close()

    async with listening(greet) as endpoint:
        assert "does not speak TLS" in await refusal(endpoint, TlsOptions(ca_file=authority.ca))


async def test_old_tls_is_refused_with_its_reason(authority: Any) -> None:
    context = server_context(*authority.issue("127.0.0.1"))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert client_context(TlsOptions()).minimum_version == ssl.TLSVersion.TLSv1_2
    error = ssl.SSLError(1, "[SSL: TLSV1_ALERT_PROTOCOL_VERSION] tlsv1 alert protocol version")
    assert "enable TLS 1.2" in explain(error, Endpoint("192.0.2.1", 1))


def test_files_that_cannot_be_used_are_named(authority: Any, tmp_path: Path) -> None:
    cert, key = authority.issue("a.example.net")
    other = authority.issue("b.example.net")[1]
    cases = [
        (TlsOptions(ca_file=str(tmp_path / "none.pem")), "none.pem cannot be read: No such file"),
        (TlsOptions(ca_file=key), "holds no certificate in PEM form"),
        (TlsOptions(cert=cert, key=other), "does not belong to the certificate"),
        (TlsOptions(cert=key, key=key), "no usable pair"),
    ]
    for options, expected in cases:
        with pytest.raises(TlsFileError, match=expected):
            client_context(options)


def test_wrapped_errors_are_looked_through() -> None:
    outer = RuntimeError("library says no")
    outer.__cause__ = ConnectionRefusedError(111, "refused")
    assert "refuses the connection" in explain(outer, Endpoint("192.0.2.1", 25))
    assert explain(RuntimeError("odd"), Endpoint("192.0.2.1", 25)).endswith("failed: odd")
    assert "no route" in explain(OSError(113, "No route to host"), Endpoint("192.0.2.1", 25))


async def test_datagrams_go_and_come_one_by_one() -> None:
    station = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    station.bind(("127.0.0.1", 0))
    station.settimeout(5)
    with station:
        link = await SocketNetwork().datagrams(Endpoint("127.0.0.1", station.getsockname()[1]), 5)
        await link.send(b"one")
        data, peer = await asyncio.to_thread(station.recvfrom, 100)
        assert data == b"one"
        station.sendto(b"first", peer)
        station.sendto(b"second", peer)
        assert [await link.receive(), await link.receive()] == [b"first", b"second"]
        await link.aclose()
        assert not link.alive()


async def test_datagrams_go_to_the_first_address_of_the_name_that_has_a_way(monkeypatch: pytest.MonkeyPatch) -> None:
    station = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    station.bind(("127.0.0.1", 0))
    station.settimeout(5)
    port = station.getsockname()[1]

    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def resolved(host: str, asked: int, **more: Any) -> list[Any]:
        if host != "arc.example.net":
            return await resolve(host, asked, **more)
        return [
            (socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("255.255.255.255", port)),  # the system refuses to go there
            (socket.AF_INET, socket.SOCK_DGRAM, 17, "", ("127.0.0.1", port)),
        ]

    with station, monkeypatch.context() as patched:
        patched.setattr(loop, "getaddrinfo", resolved)
        link = await SocketNetwork().datagrams(Endpoint("arc.example.net", port), 5)
        await link.send(b"alarm")
        assert await asyncio.to_thread(station.recv, 100) == b"alarm"
        await link.aclose()


async def test_a_closed_udp_port_is_a_broken_link() -> None:
    station = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    station.bind(("127.0.0.1", 0))
    port = station.getsockname()[1]
    station.close()
    link = await SocketNetwork().datagrams(Endpoint("127.0.0.1", port), 5)
    await link.send(b"one")
    with pytest.raises(LinkBroken, match="refuses the connection"):
        await link.receive()
    await link.aclose()
