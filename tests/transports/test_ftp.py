"""Uploads against real servers at their usual TLS settings, and against peers that misbehave."""

import asyncio
import contextlib
import ipaddress
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.ftpd import PASSWORD, USER, Ftpd, needs, proftpd, vsftpd
from tests.ports import free_port

from tocsin.config.listening import split_listen
from tocsin.transports.contract import Endpoint, LinkBroken, NoAnswer, TlsOptions, Unreachable
from tocsin.transports.ftp import FtpPool, NotStored, Progress, Try
from tocsin.transports.ftp_entry import DiskFull, File, FileSet, FtpOptions, LoginRefused, PutOff, UploadRefused

SERVERS = {"vsftpd": vsftpd, "proftpd": proftpd}
EVERY_SERVER = [
    pytest.param(name, tls, marks=needs(name), id=f"{name} {tls}") for name in SERVERS for tls in ("TLSv1.2", "TLSv1.3")
]


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA(organization_name="Example Monitoring", organization_unit_name="Example Root")


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return str(tmp_path / "ca.pem")


@pytest.fixture
def pair(ca: trustme.CA, tmp_path: Path) -> tuple[str, str]:
    return issued(ca, tmp_path, "127.0.0.1", "localhost")


def issued(ca: trustme.CA, folder: Path, *names: str, **how: Any) -> tuple[str, str]:
    """vsftpd wants an RSA key."""
    file = folder / f"{names[0]}.pem"
    leaf = ca.issue_cert(*names, key_type=trustme.KeyType.RSA, **how)
    leaf.private_key_and_cert_chain_pem.write_to_path(str(file))
    return str(file), str(file)


class Bench:
    """Pools and what they told; closed at the end."""

    def __init__(self) -> None:
        self.tries: list[Try] = []
        self._pools: list[FtpPool] = []

    def pool(self, *hosts: str, **options: Any) -> FtpPool:
        settings = {"user": USER, "password": PASSWORD, "timeout_s": 8.0, **options}
        made = FtpPool([Endpoint(*split_listen(host)) for host in hosts], FtpOptions(**settings))
        self._pools.append(made)
        return made

    def results(self) -> list[str]:
        return [type(one.error).__name__ if one.error else "stored" for one in self.tries]

    async def aclose(self) -> None:
        for pool in self._pools:
            await pool.aclose()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    made = Bench()
    yield made
    await made.aclose()
    assert await gone(), [thread.name for thread in threading.enumerate()]


async def gone() -> bool:
    """No thread of a pool is left after a moment."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(5):
            while any(thread.name.startswith("ftp") for thread in threading.enumerate()):
                await asyncio.sleep(0.01)
            return True
    return False


def files(*names: str, folder: str = "in", size: int = 15_000) -> FileSet:
    return FileSet(tuple(File(f"{folder}/{name}", name.encode() * (size // len(name))) for name in names))


@contextlib.contextmanager
def started(name: str, folder: Path, cert: tuple[str, str] | None, **how: Any) -> Iterator[Ftpd]:
    place = folder / f"{name}-{free_port()}"
    place.mkdir()
    with SERVERS[name](place, cert, **how) as server:
        yield server


# Real servers


@pytest.mark.parametrize(("name", "tls"), EVERY_SERVER)
async def test_sets_go_up_over_resumed_sessions(
    bench: Bench, tmp_path: Path, pair: tuple[str, str], ca_file: str, name: str, tls: Any
) -> None:
    with started(name, tmp_path, pair, tls=tls) as server:
        pool = bench.pool(server.host, tls=TlsOptions(ca_file=ca_file))
        sets = [files(f"{n}_1.jpg", f"{n}_2.jpg", f"{n}.txt") for n in range(12)]
        await asyncio.gather(*(pool.store(one, bench.tries.append) for one in sets))
        assert server.names() == sorted(file.name for one in sets for file in one.files)
        assert (server.inbox / "3_1.jpg").read_bytes() == sets[3].files[0].data
        assert bench.results() == ["stored"] * 12
        said = [line for one in bench.tries for line in one.log]
        assert said.count("C: AUTH TLS") <= 4
        assert PASSWORD not in str(bench.tries)


@pytest.mark.parametrize(("name", "tls"), EVERY_SERVER)
async def test_a_repeat_overwrites_and_missing_folders_are_made_only_if_asked_for(
    bench: Bench, tmp_path: Path, pair: tuple[str, str], ca_file: str, name: str, tls: Any
) -> None:
    with started(name, tmp_path, pair, tls=tls) as server:
        pool = bench.pool(server.host, tls=TlsOptions(ca_file=ca_file))
        await pool.store(files("a.jpg", size=200_000), bench.tries.append)
        await pool.store(files("a.jpg", size=3_000), bench.tries.append)
        assert (server.inbox / "a.jpg").stat().st_size == 3_000
        deep = files("b.jpg", folder="in/new/deep")
        with pytest.raises(NotStored, match="Check that the folder exists") as caught:
            await pool.store(deep, bench.tries.append)
        assert caught.value.refused
        await pool.store(FileSet(deep.files, create_folders=True), bench.tries.append)
        assert server.names("new/deep") == ["b.jpg"]
        assert await pool.try_folder(*await pool.targets(Endpoint(*split_listen(server.host))), "in/new", []) is None


@needs("vsftpd")
@pytest.mark.parametrize("mode", ["off", "opportunistic"])
async def test_without_tls_where_that_is_allowed(bench: Bench, tmp_path: Path, mode: Any) -> None:
    with started("vsftpd", tmp_path, None) as server:
        await bench.pool(server.host, mode=mode).store(files("a.jpg"), bench.tries.append)
        assert server.names() == ["a.jpg"]
        with pytest.raises(NotStored, match=r"does not offer TLS .* no password was sent") as caught:
            await bench.pool(server.host).store(files("b.jpg"), bench.tries.append)
        assert caught.value.unreachable


@needs("vsftpd")
async def test_tls_from_the_first_byte(bench: Bench, tmp_path: Path, pair: tuple[str, str], ca_file: str) -> None:
    with started("vsftpd", tmp_path, pair, implicit=True) as server:
        trusted = TlsOptions(ca_file=ca_file)
        await bench.pool(server.host, mode="implicit", tls=trusted).store(files("a.jpg"), bench.tries.append)
        assert server.names() == ["a.jpg"]
        with pytest.raises(NotStored) as caught:
            await bench.pool(server.host, tls=trusted, timeout_s=0.5).store(files("b.jpg"), bench.tries.append)
        assert caught.value.unreachable


@needs("vsftpd")
async def test_one_of_two_mirrors_stops_halfway_and_nothing_is_lost(
    bench: Bench, tmp_path: Path, pair: tuple[str, str], ca_file: str
) -> None:
    with started("vsftpd", tmp_path, pair) as first, started("vsftpd", tmp_path, pair) as second:
        pool = bench.pool(first.host, second.host, tls=TlsOptions(ca_file=ca_file))
        sets = [files(f"{n}_1.jpg", f"{n}.txt") for n in range(24)]
        await asyncio.gather(*(pool.store(one, bench.tries.append) for one in sets[:8]))
        assert first.names()
        assert second.names()
        storing = [asyncio.create_task(pool.store(one, bench.tries.append)) for one in sets[8:]]
        await storing[0]
        first.stop()
        await asyncio.gather(*storing)
        complete = {
            mirror.host: {name[:-4] for name in mirror.names() if name.endswith(".txt")} for mirror in (first, second)
        }
        assert complete[first.host] | complete[second.host] == {str(n) for n in range(24)}
        for mirror in (first, second):
            assert {f"{stem}_1.jpg" for stem in complete[mirror.host]} <= set(mirror.names())


@needs("vsftpd")
async def test_mirrors_take_turns_and_a_name_stands_for_all_its_addresses(
    bench: Bench, tmp_path: Path, ca: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, port = issued(ca, tmp_path, "mirrors.example.net"), free_port()

    async def resolved(host: str, port: int, **_: Any) -> list[Any]:
        assert host == "mirrors.example.net"
        return [(0, 0, 0, "", (address, port)) for address in ("127.0.0.1", "127.0.0.2", "127.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolved)
    with (
        started("vsftpd", tmp_path, cert, port=port) as first,
        started("vsftpd", tmp_path, cert, port=port, address="127.0.0.2") as second,
    ):
        pool = bench.pool(f"mirrors.example.net:{port}", tls=TlsOptions(ca_file=ca_file))
        targets = [str((await pool.store(files(f"{n}.jpg"), bench.tries.append)).target) for n in range(4)]
        assert targets == [f"mirrors.example.net:{port} (127.0.0.{n})" for n in (1, 2, 1, 2)]
        assert (first.names(), second.names()) == (["0.jpg", "2.jpg"], ["1.jpg", "3.jpg"])


@needs("vsftpd")
async def test_a_kept_connection_that_has_died_is_replaced(
    bench: Bench, tmp_path: Path, pair: tuple[str, str], ca_file: str
) -> None:
    port = free_port()
    pool = bench.pool(f"127.0.0.1:{port}", tls=TlsOptions(ca_file=ca_file))
    for n in range(2):
        with started("vsftpd", tmp_path, pair, port=port) as server:
            await pool.store(files(f"{n}.jpg"), bench.tries.append)
            assert server.names() == [f"{n}.jpg"]
    assert bench.results() == ["stored", "stored"]


@needs("vsftpd")
async def test_connections_are_not_kept_when_that_is_not_wanted(
    bench: Bench, tmp_path: Path, pair: tuple[str, str], ca_file: str
) -> None:
    with started("vsftpd", tmp_path, pair) as server:
        pool = bench.pool(server.host, tls=TlsOptions(ca_file=ca_file), keep=False)
        for n in range(2):
            await pool.store(files(f"{n}.jpg"), bench.tries.append)
        assert [line for one in bench.tries for line in one.log].count("C: PASS ***") == 2


# Certificates and logins


def by_hand(ca_key: Any, ca_cert: Any, folder: Path, subject: str, *entries: x509.GeneralName) -> tuple[str, str]:
    """A certificate with exactly these entries."""
    key = rsa.generate_private_key(65537, 2048)
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(ca_cert.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
    if entries:
        made = made.add_extension(x509.SubjectAlternativeName(entries), critical=False)
    file = folder / "hand.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM) + private)
    return str(file), str(file)


ADDRESS = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
CERTIFICATES = [
    ("arc.example.net", [ADDRESS], "127.0.0.1", ""),
    ("arc.example.net", [x509.DNSName("127.0.0.1")], "127.0.0.1", "only as a DNS entry.*as an IP entry"),
    ("arc.example.net", [x509.DNSName("arc.example.net")], "127.0.0.1", "does not carry the expected name"),
    ("arc.example.net", [ADDRESS], "localhost", "does not carry the expected name"),
    ("localhost", [], "localhost", ""),
    ("127.0.0.1", [], "127.0.0.1", "only as a DNS entry"),
]


@needs("vsftpd")
@pytest.mark.parametrize(("subject", "entries", "host", "part"), CERTIFICATES)
async def test_the_certificate_must_identify_the_configured_host(
    bench: Bench, tmp_path: Path, ca: trustme.CA, ca_file: str, subject: str, entries: list[Any], host: str, part: str
) -> None:
    key = serialization.load_pem_private_key(ca.private_key_pem.bytes(), None)
    cert = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    with started("vsftpd", tmp_path, by_hand(key, cert, tmp_path, subject, *entries)) as server:
        pool = bench.pool(f"{host}:{split_listen(server.host)[1]}", tls=TlsOptions(ca_file=ca_file))
        if not part:
            await pool.store(files("a.jpg"), bench.tries.append)
        else:
            with pytest.raises(NotStored, match=part) as caught:
                await pool.store(files("a.jpg"), bench.tries.append)
            assert caught.value.unreachable
            assert "PASS" not in str(bench.tries)


@needs("vsftpd")
async def test_foreign_and_expired_certificates_and_pins(
    bench: Bench, tmp_path: Path, ca: trustme.CA, ca_file: str, pair: tuple[str, str]
) -> None:
    trusted = TlsOptions(ca_file=ca_file)
    with started("vsftpd", tmp_path, pair) as server:
        with pytest.raises(NotStored, match=r"Example Root.*not trusted here"):
            await bench.pool(server.host).store(files("a.jpg"), bench.tries.append)
        whole = Path(pair[0]).read_bytes()
        der = x509.load_pem_x509_certificate(whole[whole.index(b"-----BEGIN CERT") :])
        pin = sha256(der.public_bytes(serialization.Encoding.DER)).hexdigest()
        await bench.pool(server.host, tls=TlsOptions(ca_file=ca_file, pin=pin)).store(
            files("a.jpg"), bench.tries.append
        )
        other = bench.pool(server.host, tls=TlsOptions(ca_file=ca_file, pin="0" * 64))
        with pytest.raises(NotStored, match="another certificate than the pinned one"):
            await other.store(files("b.jpg"), bench.tries.append)
        with pytest.raises(NotStored, match="cannot be read"):
            await bench.pool(server.host, tls=TlsOptions(ca_file="none.pem")).store(files("b.jpg"), bench.tries.append)
        assert server.names() == ["a.jpg"]
    old = issued(ca, tmp_path, "127.0.0.1", not_after=datetime(2020, 1, 2, tzinfo=UTC))
    with started("vsftpd", tmp_path, old) as server, pytest.raises(NotStored, match="expired on 2020-01-02"):
        await bench.pool(server.host, tls=trusted).store(files("b.jpg"), bench.tries.append)


@needs("proftpd")
async def test_a_client_certificate_where_the_server_wants_one(
    bench: Bench, tmp_path: Path, ca: trustme.CA, ca_file: str, pair: tuple[str, str]
) -> None:
    own = issued(ca, tmp_path, "gateway.example.net")
    with started("proftpd", tmp_path, pair, client_ca=ca_file) as server:
        shown = TlsOptions(ca_file=ca_file, cert=own[0], key=own[1])
        await bench.pool(server.host, tls=shown).store(files("a.jpg"), bench.tries.append)
        with pytest.raises(NotStored) as caught:
            await bench.pool(server.host, tls=TlsOptions(ca_file=ca_file)).store(files("b.jpg"), bench.tries.append)
        assert caught.value.unreachable
        assert server.names() == ["a.jpg"]


@pytest.mark.parametrize("name", [pytest.param(name, marks=needs(name)) for name in SERVERS])
async def test_a_wrong_password_is_said_plainly(
    bench: Bench, tmp_path: Path, pair: tuple[str, str], ca_file: str, name: str
) -> None:
    with started(name, tmp_path, pair) as server:
        pool = bench.pool(server.host, tls=TlsOptions(ca_file=ca_file), password="not-the-password")
        with pytest.raises(NotStored, match=f"refuses the user {USER} or its password") as caught:
            await pool.store(files("a.jpg"), bench.tries.append)
        assert isinstance(caught.value.failures[0], LoginRefused)
        assert "not-the-password" not in str(bench.tries)


# Peers that misbehave


Answer = Callable[[str], str | None]


@asynccontextmanager
async def scripted(answer: Answer, greeting: str = "220 hello\r\n") -> AsyncIterator[tuple[str, list[str]]]:
    """A control connection that answers each command as told; None cuts. Empty: says nothing. Data goes nowhere."""
    heard: list[str] = []
    talking: set[asyncio.Task[None]] = set()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                pass
            writer.close()

    data = await asyncio.start_server(swallow, "127.0.0.1", 0)
    data_port = data.sockets[0].getsockname()[1]

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talking.add(asyncio.current_task())  # type: ignore[arg-type]
        writer.write(greeting.encode())
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while line := (await reader.readline()).decode().strip():
                heard.append(line)
                said = answer(line)
                if said is None:
                    break
                ports = {"PORT": str(data_port), "P1": str(data_port // 256), "P2": str(data_port % 256)}
                for mark, port in ports.items():
                    said = said.replace(f"<{mark}>", port)
                writer.write(said.encode("latin-1"))
        writer.transport.abort()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", heard
    finally:
        server.close()
        data.close()
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)


USUAL = {
    "USER": "331 password\r\n", "PASS": "230 in\r\n", "TYPE": "200 ok\r\n", "PWD": '257 "/"\r\n', "CWD": "250 ok\r\n",
    "EPSV": "229 (|||<PORT>|)\r\n", "STOR": "150 go\r\n226 done\r\n", "RNFR": "350 to\r\n", "RNTO": "250 ok\r\n",
    "DELE": "550 no\r\n", "QUIT": "221 bye\r\n", "NOOP": "200 ok\r\n",
}  # fmt: skip


def usual(**other: str | None) -> Answer:
    return lambda line: ({**USUAL, **other}).get(line.split()[0], "502 what\r\n")


FAILURES = [
    ({"STOR": "452 full\r\n"}, DiskFull, "disk or quota is full"),
    ({"STOR": "150 go\r\n552 quota\r\n"}, DiskFull, "disk or quota is full"),
    ({"STOR": "553 name\r\n"}, UploadRefused, "553 name"),
    ({"RNTO": "550 no\r\n"}, UploadRefused, "550 no"),
    ({"STOR": "450 busy\r\n"}, PutOff, "450 busy"),
    ({"STOR": "425 no data connection\r\n"}, PutOff, "passive ports"),
    ({"STOR": "421 closing\r\n"}, LinkBroken, "421 closing"),
    ({"STOR": None}, LinkBroken, "cut the connection"),
    ({"RNFR": None}, LinkBroken, "cut the connection"),
    ({"STOR": ""}, NoAnswer, "silent"),
    ({"STOR": "150 go\r\n"}, NoAnswer, "silent"),
    ({"STOR": "150-" + "x\r\n" * 500}, PutOff, "without end"),
    ({"STOR": "150 " + "x" * 20_000 + "\r\n"}, PutOff, "got more than"),
    ({"EPSV": "229 (|||nine|)\r\n"}, PutOff, "no port in"),
    ({"EPSV": "229 (|||70000|)\r\n"}, PutOff, "no port in"),
    ({"STOR": "\xff\xfe garbage\r\n"}, PutOff, "garbage"),
    ({"USER": "530 go away\r\n"}, LoginRefused, "530 go away"),
    ({"PASS": None}, Unreachable, "cut the connection before the login"),
    ({"USER": ""}, Unreachable, "in time"),
]


@pytest.mark.parametrize(("other", "error", "part"), FAILURES)
async def test_every_failure_says_who_must_wait(
    bench: Bench, other: dict[str, str | None], error: type[Exception], part: str
) -> None:
    async with scripted(usual(**other)) as (host, _):
        with pytest.raises(NotStored, match=part) as caught:
            await bench.pool(host, mode="off", timeout_s=0.3).store(files("a.jpg"), bench.tries.append)
    assert type(caught.value.failures[0]) is error
    assert PASSWORD not in str(bench.tries)


@pytest.mark.parametrize("greeting", ["", "SSH-2.0-x\r\n", "421 too many\r\n", "220-" + "x\r\n" * 300])
async def test_what_does_not_greet_like_an_ftp_server_is_unreachable(bench: Bench, greeting: str) -> None:
    async with scripted(usual(), greeting) as (host, heard):
        with pytest.raises(NotStored) as caught:
            await bench.pool(host, mode="off", timeout_s=0.3).store(files("a.jpg"), bench.tries.append)
    assert caught.value.unreachable
    assert heard == []


async def test_a_password_that_cannot_be_said_is_a_reason_too(bench: Bench) -> None:
    async with scripted(usual()) as (host, heard):
        pool = bench.pool(host, mode="off", password="of two\r\nlines")
        with pytest.raises(NotStored, match="cannot be entered with these settings") as caught:
            await pool.store(files("a.jpg"), bench.tries.append)
    assert caught.value.unreachable
    assert heard == ["USER " + USER]
    assert "two" not in str(bench.tries) + str(caught.value)


async def test_a_silent_server_costs_one_timeout_and_then_is_asked_last(bench: Bench) -> None:
    async with scripted(usual(), "") as (silent, _), scripted(usual()) as (good, heard):
        pool = bench.pool(silent, good, mode="off", timeout_s=0.3)
        for n in range(4):
            await pool.store(files(f"{n}.jpg"), bench.tries.append)
    assert bench.results() == ["Unreachable", "stored", "stored", "stored", "stored"]
    assert heard.count("RNTO 3.jpg") == 1


async def test_without_epsv_it_is_pasv_whose_private_address_is_ignored(bench: Bench) -> None:
    answers = usual(EPSV="500 what\r\n", PASV="227 Entering (10,9,8,7,<P1>,<P2>)\r\n")
    async with scripted(answers) as (host, heard):
        pool = bench.pool(host, mode="off")
        await pool.store(files("a.jpg", "b.jpg"), bench.tries.append)
    assert [line for line in heard if line in ("EPSV", "PASV")] == ["EPSV", "PASV", "PASV"]


async def test_what_an_attempt_before_has_left_is_removed_where_overwriting_is_refused(bench: Bench) -> None:
    refusals = iter(["550 is there\r\n", "250 ok\r\n"])
    answers = usual(DELE="250 gone\r\n")
    async with scripted(lambda line: next(refusals) if line.startswith("RNTO") else answers(line)) as (host, heard):
        await bench.pool(host, mode="off").store(files("a.jpg"), bench.tries.append)
    after = heard[heard.index("RNTO a.jpg") :]
    assert after == ["RNTO a.jpg", "DELE a.jpg", "RNFR a.jpg.part", "RNTO a.jpg"]


async def test_a_broken_set_goes_on_with_what_is_missing(bench: Bench) -> None:
    cuts: list[str | None] = [None]
    answers = usual()
    cut = lambda line: cuts.pop() if line == "STOR b.jpg.part" and cuts else answers(line)  # noqa: E731
    async with scripted(cut) as (host, heard):
        progress: Progress = {}
        pool = bench.pool(host, mode="off")
        with pytest.raises(NotStored):
            await pool.store(files("a.jpg", "b.jpg", "c.txt"), bench.tries.append, progress)
        await pool.store(files("a.jpg", "b.jpg", "c.txt"), bench.tries.append, progress)
    assert [line for line in heard if line.startswith("RNTO")] == ["RNTO a.jpg", "RNTO b.jpg", "RNTO c.txt"]


async def test_a_session_the_server_no_longer_resumes_costs_one_new_connection(bench: Bench) -> None:
    answers = iter(["150 go\r\n226 done\r\n", "522 session reuse required\r\n", "150 go\r\n226 done\r\n"])
    plain = usual()
    async with scripted(lambda line: next(answers) if line.startswith("STOR") else plain(line)) as (host, heard):
        pool = bench.pool(host, mode="off")
        await pool.store(files("a.jpg"), bench.tries.append)
        await pool.store(files("b.jpg"), bench.tries.append)
    assert bench.results() == ["stored", "PutOff", "stored"]
    assert heard.count("PASS a-very-secret-word") == 2


@pytest.mark.parametrize(("said", "error"), [("452 full\r\n", DiskFull), ("", NoAnswer)])
async def test_a_full_or_silent_server_is_not_asked_twice_over_a_kept_connection(
    bench: Bench, said: str, error: type[Exception]
) -> None:
    answers = iter(["150 go\r\n226 done\r\n", said])
    plain = usual()
    async with scripted(lambda line: next(answers) if line.startswith("STOR") else plain(line)) as (host, heard):
        pool = bench.pool(host, mode="off", timeout_s=0.3)
        await pool.store(files("a.jpg"), bench.tries.append)
        with pytest.raises(NotStored) as caught:
            await pool.store(files("b.jpg"), bench.tries.append)
    assert [type(one) for one in caught.value.failures] == [error]
    assert heard.count("STOR b.jpg.part") == 1


@pytest.mark.parametrize("where", ["greeting", "USER", "STOR", "RNTO"])
async def test_cancelled_it_ends_at_once_and_leaves_nothing_behind(bench: Bench, where: str) -> None:
    reached = asyncio.Event()
    plain = usual()

    def answer(line: str) -> str | None:
        if line.split()[0] != where:
            return plain(line)
        reached.set()
        return ""

    async with scripted(answer, "" if where == "greeting" else "220 hello\r\n") as (host, _):
        pool = bench.pool(host, mode="off", timeout_s=60)
        task = asyncio.create_task(pool.store(files("a.jpg"), bench.tries.append))
        if where != "greeting":
            await reached.wait()
        await asyncio.sleep(0)
        task.cancel()
        async with asyncio.timeout(2):
            with pytest.raises(asyncio.CancelledError):
                await task
    async with asyncio.timeout(3):
        await pool.aclose()


async def test_a_dripping_server_meets_the_deadline_of_the_whole(bench: Bench) -> None:
    dripping: set[asyncio.Task[None]] = set()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        dripping.add(asyncio.current_task())  # type: ignore[arg-type]
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while True:
                writer.write(b"2")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.transport.abort()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    pool = bench.pool(host, mode="off", timeout_s=0.2, connect_timeout_s=0.2)
    async with asyncio.timeout(5):
        with pytest.raises(NotStored, match="was not done within"):
            await pool.store(files("a.jpg"), bench.tries.append)
    server.close()
    for task in dripping:
        task.cancel()
    await asyncio.gather(*dripping, return_exceptions=True)


async def test_names_with_line_ends_never_reach_the_wire(bench: Bench) -> None:
    async with scripted(usual()) as (host, heard):
        with pytest.raises(NotStored, match="cannot be told this file name"):
            await bench.pool(host, mode="off").store(files("a\r\nDELE b"), bench.tries.append)
    assert not any(line.startswith("DELE") for line in heard)


async def test_a_name_nobody_knows_and_a_closed_port_are_told_apart(bench: Bench) -> None:
    pool = bench.pool("no-such-host.invalid:21", f"127.0.0.1:{free_port()}", mode="off")
    with pytest.raises(NotStored, match=r"no-such-host\.invalid cannot be found.*refuses the connection"):
        await pool.store(files("a.jpg"), bench.tries.append)
    assert bench.results() == ["Unreachable", "Unreachable"]


async def test_quiet_connections_are_asked_for_a_sign_of_life(bench: Bench) -> None:
    asked = asyncio.Event()
    plain = usual()

    def answer(line: str) -> str | None:
        if line == "NOOP":
            asked.set()
        return plain(line)

    async with scripted(answer) as (host, _):
        clock = [0.0]
        made = FtpPool(
            [Endpoint(*split_listen(host))], FtpOptions(USER, PASSWORD, "off", noop_s=0.05), lambda: clock[0]
        )
        await made.store(files("a.jpg"), bench.tries.append)
        clock[0] = 100.0
        async with asyncio.timeout(5):
            await asked.wait()
        await made.aclose()


@given(st.sampled_from(["greeting", *USUAL]), st.binary(max_size=120))
@hypothesis_settings(max_examples=30, deadline=None)
def test_any_bytes_are_an_answer_or_our_error(where: str, said: bytes) -> None:
    async def run() -> None:
        text = said.decode("latin-1")
        answer = usual(**({} if where == "greeting" else {where: text}))
        async with scripted(answer, text if where == "greeting" else "220 hello\r\n") as (host, _):
            options = FtpOptions(USER, PASSWORD, "off", timeout_s=0.05, connect_timeout_s=1.0)
            pool = FtpPool([Endpoint(*split_listen(host))], options)
            with contextlib.suppress(NotStored):
                await pool.store(files("a.jpg"), lambda _: None)
            await pool.aclose()

    asyncio.run(run())
