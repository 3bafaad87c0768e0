"""Outbound HTTP: addresses exactly as given, proxies with and without a login, private authorities, and no error that
tells more of an address than its host.
"""

import asyncio
import base64
import ssl
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import trustme

from tocsin.transports.contract import LinkBroken, NoAnswer, TlsOptions, TransportError, Unreachable
from tocsin.transports.outbound import Body, Outbound, Proxy

ANSWER = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nX-Seen: yes\r\n\r\nok"
AS_USUAL = TlsOptions()
SECRET = "very-secret-signature"


class Server:
    """Answers each connection's one request with `answer`; `heads` are the requests' heads, `bodies` what followed."""

    def __init__(self, answer: bytes = ANSWER) -> None:
        self.answer = answer
        self.heads: list[str] = []
        self.bodies: list[bytes] = []

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            size = next((int(line[15:]) for line in head.splitlines() if line.lower().startswith("content-length")), 0)
            self.bodies.append(await reader.readexactly(size))
            writer.write(self.answer)
            await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(
    connected: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        with suppress(asyncio.CancelledError, ConnectionError):
            await connected(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers)


@asynccontextmanager
async def outbound(
    tls: TlsOptions = AS_USUAL, proxy: Proxy | None = None, stall_s: float = 5.0
) -> AsyncIterator[Outbound]:
    link = Outbound(tls, proxy, 2, stall_s)
    try:
        yield link
    finally:
        await link.aclose()


@pytest.mark.parametrize(
    "target",
    [
        "/a/b?sv=2021-08-06&se=2026-03-04T05%3A06%3A07Z&sp=cw&sig=a%2Fb%2bc%3D",
        "/a/b?b=2&a=1&sig=x%2f",
        "/a%2fb/%7Ec/d+e?sig=x+y%20z",
        "/a?sig=%E2%82%AC&empty=&flag",
        "/a/../b/./c?sig=x",
    ],
)
async def test_an_address_goes_out_exactly_as_given(target: str) -> None:
    server = Server()
    async with serving(server.connected) as port, outbound() as link:
        await link.ask("PUT", f"http://127.0.0.1:{port}{target}", [], b"x")
    assert server.heads[0].splitlines()[0] == f"PUT {target} HTTP/1.1"


async def test_a_body_in_pieces_has_its_length_in_front() -> None:
    async def pieces() -> AsyncIterator[memoryview]:
        for letter in (b"a", b"b", b"c"):
            yield memoryview(letter * 100_000)

    server = Server()
    async with serving(server.connected) as port, outbound() as link:
        answer = await link.ask("PUT", f"http://127.0.0.1:{port}/x", [("X-A", "1")], Body(pieces(), 300_000))
    assert (answer.status, answer.body, answer.header("x-seen")) == (201, b"ok", "yes")
    assert server.bodies == [b"a" * 100_000 + b"b" * 100_000 + b"c" * 100_000]
    assert "transfer-encoding" not in server.heads[0].lower()
    assert "authorization" not in server.heads[0].lower()


async def test_a_request_is_never_sent_twice_by_itself() -> None:
    connections = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with serving(hang_up) as port, outbound() as link:
        with pytest.raises(LinkBroken):
            await link.ask("PUT", f"http://127.0.0.1:{port}/x", [], b"x")
    assert connections == 1


async def test_a_stall_ends_a_request_and_progress_does_not() -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        await reader.read()  # answers nothing until the other side gives up
        writer.close()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(8):  # together longer than one stall
            await asyncio.sleep(0.1)
            yield b"x"

    server = Server()
    async with serving(server.connected) as port, outbound(stall_s=0.5) as link:
        assert (await link.ask("PUT", f"http://127.0.0.1:{port}/x", [], Body(pieces(), 8))).status == 201
    async with serving(swallow) as port, outbound(stall_s=0.2) as link:
        with pytest.raises(NoAnswer, match="stood still"):
            await link.ask("PUT", f"http://127.0.0.1:{port}/x", [], b"x")


class ForwardProxy:
    """Passes CONNECT on, if the login is right."""

    def __init__(self, login: str = "", status: str = "") -> None:
        self._login = base64.b64encode(login.encode()).decode() if login else ""
        self._status = status
        self.asked: list[str] = []

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.splitlines()[0])
        if self._status or (self._login and f"Proxy-Authorization: Basic {self._login}" not in head):
            writer.write(f"HTTP/1.1 {self._status or '407 Proxy Authentication Required'}\r\n\r\n".encode())
            writer.close()
            return
        host, _, port = head.split()[1].rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_copied(reader, far_writer), _copied(far_reader, writer))


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, str]:
    authority, folder = trustme.CA(), tmp_path_factory.mktemp("certificates")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return context, str(folder / "ca.pem")


async def test_through_a_proxy_to_a_host_with_a_private_authority(certificates: tuple[ssl.SSLContext, str]) -> None:
    context, ca_file = certificates
    server, proxy = Server(), ForwardProxy("eva:sesame")
    async with serving(server.connected, context) as port, serving(proxy.connected) as proxy_port:
        way = Proxy(f"http://127.0.0.1:{proxy_port}", "eva", "sesame")
        async with outbound(TlsOptions(ca_file=ca_file), way) as link:
            answer = await link.ask("PUT", f"https://127.0.0.1:{port}/x?sig={SECRET}", [], b"x")
    assert answer.status == 201
    assert proxy.asked == [f"CONNECT 127.0.0.1:{port} HTTP/1.1"]
    assert "Proxy-Authorization" not in server.heads[0]


async def test_a_proxy_that_refuses_is_named(certificates: tuple[ssl.SSLContext, str]) -> None:
    for proxy, part in ((ForwardProxy("eva:sesame"), "asks for a user"), (ForwardProxy("", "403 No"), "403")):
        async with serving(proxy.connected) as port, outbound(proxy=Proxy(f"http://127.0.0.1:{port}")) as link:
            with pytest.raises(Unreachable, match=f"forward proxy 127.0.0.1:{port}.*{part}"):
                await link.ask("PUT", f"https://127.0.0.1:9/x?sig={SECRET}", [], b"x")
    assert "sesame" not in repr(Proxy("http://127.0.0.1:1", "eva", "sesame"))


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


FAILING = {
    "closes": Server(b""),
    "no HTTP": Server(b"SSH-2.0-x\r\n\r\n"),
    "bad header": Server(b"HTTP/1.1 201 Created\r\nbad header\r\n\r\n"),
    "cut": Server(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nhalf"),
}


async def pieces_of(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65536):
        yield b"x" * 65536


@pytest.mark.parametrize("what", [*FAILING, "reset", "reset in the body", "refused", "certificate", "not TLS"])
async def test_no_failure_tells_the_address(certificates: tuple[ssl.SSLContext, str], what: str) -> None:
    connected = FAILING[what].connected if what in FAILING else _reset
    context = certificates[0] if what == "certificate" else None
    scheme = "https" if what in ("certificate", "not TLS") else "http"
    async with serving(connected, context) as port, outbound() as link:
        url = f"{scheme}://127.0.0.1:{1 if what == 'refused' else port}/x?sig={SECRET}"
        body = Body(pieces_of(2**24), 2**24) if what == "reset in the body" else b"x"
        with pytest.raises(TransportError) as failed:
            await link.ask("PUT", url, [], body)
    told = "".join(traceback.format_exception(failed.value))
    assert SECRET not in told
    assert "127.0.0.1" in str(failed.value)


def test_the_authoritys_file_is_named_when_it_cannot_be_used(tmp_path: Path) -> None:
    async def run() -> None:
        async with outbound(TlsOptions(ca_file=str(tmp_path / "none.pem"))) as link:
            await link.ask("GET", "https://127.0.0.1:9/", [])

    with pytest.raises(Unreachable, match=r"none\.pem"):
        asyncio.run(run())
