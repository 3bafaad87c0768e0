"""The server itself: addresses, TLS, hostile clients, and its end."""

import asyncio
import socket
import ssl
from pathlib import Path

import aiohttp
import pytest
import trustme
from fastapi import FastAPI
from serving import served

from tocsin.api import serve as serving_module
from tocsin.api.serve import Tls, serve


def small_app() -> FastAPI:
    app = FastAPI()

    class Room:
        closing = asyncio.Event()

    app.state.room = Room()

    @app.get("/")
    async def hello() -> str:
        return "hello"

    return app


async def test_a_taken_port_is_an_error_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        async with serve(small_app(), "127.0.0.1", taken.getsockname()[1]):
            pass


async def test_a_missing_certificate_is_an_error_at_once() -> None:
    with pytest.raises(OSError, match="No such file"):
        async with serve(small_app(), "127.0.0.1", 0, Tls("nowhere.pem", "nowhere.key")):
            pass


async def test_tls_with_the_given_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "c.pem")
    issued.private_key_pem.write_to_path(tmp_path / "k.pem")
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    async with serve(small_app(), "127.0.0.1", 0, Tls(str(tmp_path / "c.pem"), str(tmp_path / "k.pem"))) as port:
        connector = aiohttp.TCPConnector(ssl=trust)
        async with aiohttp.ClientSession(connector=connector) as http, http.get(f"https://localhost:{port}/") as answer:
            assert await answer.json() == "hello"


async def raw(port: int, data: bytes) -> bytes:
    """What a client gets that sends these bytes and then listens to the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_endless_headers_are_cut_off() -> None:
    async with serve(small_app(), "127.0.0.1", 0) as port:
        assert b" 400 " in await raw(port, b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 70_000)


async def test_headers_that_do_not_come_close_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "_HEADER_S", 0.05)
    async with serve(small_app(), "127.0.0.1", 0) as port:
        assert await raw(port, b"") == b""
        assert await raw(port, b"GET / HT") == b""
        finished = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
        assert (await raw(port, finished + b"GET / HT")).endswith(b'"hello"')


async def test_garbage_is_answered_and_the_next_client_served() -> None:
    async with serve(small_app(), "127.0.0.1", 0) as port:
        assert b" 400 " in await raw(port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
        assert b" 200 " in await raw(port, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")


async def test_signals_stay_the_gateways(tmp_path: Path) -> None:
    import signal

    before = signal.getsignal(signal.SIGTERM)
    async with served(tmp_path):
        assert signal.getsignal(signal.SIGTERM) is before
