"""Contexts for connecting: made once, and again as soon as what they were read from has changed."""

import asyncio
import hashlib
import os
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.transports.test_sockets import listening

from tocsin.transports import keeping
from tocsin.transports.contract import Endpoint, TlsOptions, Unreachable
from tocsin.transports.http import HttpClient
from tocsin.transports.pinned import checking_context
from tocsin.transports.sockets import SocketNetwork
from tocsin.transports.tls import TlsFileError, client_context, server_context

HERE = Endpoint("192.0.2.7", 443)


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    keeping.forget_contexts()


def test_links_with_the_same_options_share_one_context(authority: Any) -> None:
    first = client_context(TlsOptions(ca_file=authority.ca))
    assert client_context(TlsOptions(ca_file=authority.ca)) is first
    assert client_context(TlsOptions(ca_file=authority.ca, server_name="arc.example.net", pin="0" * 64)) is first
    assert checking_context(TlsOptions(ca_file=authority.ca), HERE) is first
    assert client_context(TlsOptions()) is not first
    assert client_context(TlsOptions(insecure=True)) is not client_context(TlsOptions())


def test_a_pin_never_leaves_its_endpoint(authority: Any) -> None:
    pinned = TlsOptions(ca_file=authority.ca, pin="0" * 64)
    first = checking_context(pinned, HERE)
    assert checking_context(pinned, HERE) is first
    assert checking_context(pinned, Endpoint("192.0.2.8", 443)) is not first
    assert client_context(TlsOptions(ca_file=authority.ca)).sslobject_class is ssl.SSLObject


def test_a_reload_reads_everything_anew(authority: Any) -> None:
    first = client_context(TlsOptions(ca_file=authority.ca))
    keeping.forget_contexts()
    assert client_context(TlsOptions(ca_file=authority.ca)) is not first


async def test_a_new_authority_in_the_same_file_counts_from_the_next_connection(authority: Any) -> None:
    other = trustme.CA()
    async with listening(context=server_context(*authority.issue("127.0.0.1"))) as endpoint:
        options = TlsOptions(ca_file=authority.ca)
        await (await SocketNetwork().connect(endpoint, options, 5)).aclose()
        right = Path(authority.ca).read_bytes()
        Path(authority.ca).write_bytes(other.cert_pem.bytes())
        with pytest.raises(Unreachable, match=r"tls\.ca_file"):
            await SocketNetwork().connect(endpoint, options, 5)
        Path(authority.ca).write_bytes(right)
        await (await SocketNetwork().connect(endpoint, options, 5)).aclose()


def test_a_file_put_in_anothers_place_is_seen_though_it_is_as_long_and_as_old(authority: Any) -> None:
    cert, key = authority.issue("a.example.net")
    first = client_context(TlsOptions(ca_file=authority.ca, cert=cert, key=key))
    seen, copy = os.stat(cert), Path(cert + ".new")
    copy.write_bytes(Path(cert).read_bytes())
    os.utime(copy, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    copy.replace(cert)
    assert client_context(TlsOptions(ca_file=authority.ca, cert=cert, key=key)) is not first


def test_a_file_that_is_gone_is_told_also_after_it_was_read(authority: Any) -> None:
    client_context(TlsOptions(ca_file=authority.ca))
    Path(authority.ca).unlink()
    with pytest.raises(TlsFileError, match="cannot be read: No such file"):
        client_context(TlsOptions(ca_file=authority.ca))


def test_the_systems_own_authorities_are_looked_at_too(
    authority: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "system.pem"
    theirs.write_bytes(Path(authority.ca).read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(theirs))
    first = client_context(TlsOptions())
    assert client_context(TlsOptions()) is first
    theirs.write_bytes(theirs.read_bytes() + trustme.CA().cert_pem.bytes())
    again = client_context(TlsOptions())
    assert again is not first
    assert len(again.get_ca_certs()) == len(first.get_ca_certs()) + 1


class Readers:
    """Which threads read authorities, the real reading left as it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.threads: list[int] = []
        real = ssl.SSLContext.load_verify_locations

        def noted(context: ssl.SSLContext, *given: Any, **named: Any) -> None:
            self.threads.append(threading.get_ident())
            real(context, *given, **named)

        monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", noted)


async def test_links_read_authorities_in_a_thread_and_only_once(
    authority: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening(context=server_context(*authority.issue("127.0.0.1"))) as endpoint:
        readers = Readers(monkeypatch)
        for _ in range(2):
            await (await SocketNetwork().connect(endpoint, TlsOptions(ca_file=authority.ca), 5)).aclose()
    assert len(readers.threads) == 1
    assert threading.get_ident() not in readers.threads


@pytest.mark.parametrize("with_pin", [False, True])
async def test_web_requests_read_authorities_in_a_thread_and_only_once(
    with_pin: bool, authority: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()

    cert, key = authority.issue("127.0.0.1")
    shown = hashlib.sha256(ssl.PEM_cert_to_DER_cert(Path(cert).read_text().partition("-----END")[0] + _END))
    options = TlsOptions(ca_file=authority.ca, pin=shown.hexdigest() if with_pin else "")
    async with listening(answer, server_context(cert, key)) as endpoint:
        readers = Readers(monkeypatch)
        for _ in range(2):
            client = HttpClient(f"https://{endpoint}/in", options, 5, 1)
            assert (await client.get([])).status == 204
            await client.aclose()
    assert len(readers.threads) == 1
    assert threading.get_ident() not in readers.threads


_END = "-----END CERTIFICATE-----\n"
