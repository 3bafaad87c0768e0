"""Who asks, seen through reverse proxies: a table, any bytes, and real requests through a real one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Literal

import aiohttp
import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from serving import Served, served

from tocsin.api.access import Access, Rights, Token, digest
from tocsin.api.control.app import create_control_app
from tocsin.api.control.keeper import StationUser
from tocsin.api.control.keeper import digest as password_digest
from tocsin.api.limits import Limits
from tocsin.api.proxies import by_https, caller
from tocsin.api.serve import serve
from tocsin.console.people import Person
from tocsin.model.device import Device

TRUSTED = tuple(map(ip_network, ("127.0.0.1", "192.0.2.0/24", "2001:db8:1::/48")))
PASSWORD = "correct horse"
EVA = Person(Rights("eva", frozenset({"read"})), PasswordHasher(1, 8, 1).hash(PASSWORD))


@pytest.mark.parametrize(
    ("peer", "lines", "found"),
    [
        ("198.51.100.7", [], "198.51.100.7"),
        ("198.51.100.7", ["203.0.113.9"], "198.51.100.7"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["10.0.0.1, 203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["10.0.0.1,203.0.113.9 ,\t192.0.2.8"], "203.0.113.9"),
        ("127.0.0.1", ["10.0.0.1", "203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["192.0.2.9, 192.0.2.8"], "192.0.2.9"),
        ("127.0.0.1", ["203.0.113.9, unknown, 192.0.2.8"], "192.0.2.8"),
        ("127.0.0.1", ["203.0.113.9,, 192.0.2.8"], "192.0.2.8"),
        ("127.0.0.1", ["203.0.113.9,"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9:51234"], "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9:port"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9:"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9:123456"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.09"], "127.0.0.1"),
        ("127.0.0.1", ["2001:DB8:2:0::7"], "2001:db8:2::7"),
        ("127.0.0.1", ["[2001:db8:2::7]"], "2001:db8:2::7"),
        ("127.0.0.1", ["[2001:db8:2::7]:51234"], "2001:db8:2::7"),
        ("127.0.0.1", ["[2001:db8:2::7]51234"], "127.0.0.1"),
        ("127.0.0.1", ["[2001:db8:2::7"], "127.0.0.1"),
        ("127.0.0.1", ["[203.0.113.9]"], "127.0.0.1"),
        ("127.0.0.1", ["2001:db8:2::7, [2001:db8:1::1]:443"], "2001:db8:2::7"),
        ("127.0.0.1", ["fe80::1%eth0"], "127.0.0.1"),
        ("127.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9" + " " * 500], "203.0.113.9"),
        ("127.0.0.1", ["0" * 100 + "203.0.113.9"], "127.0.0.1"),
        ("127.0.0.1", [", ".join(["203.0.113.9"] + ["192.0.2.8"] * 25)], "192.0.2.8"),
        ("::ffff:127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("::ffff:198.51.100.7", ["203.0.113.9"], "198.51.100.7"),
        ("2001:db8:1::5", ["203.0.113.9"], "203.0.113.9"),
        ("fe80::1%eth0", ["203.0.113.9"], "fe80::1%eth0"),
        ("", ["203.0.113.9"], ""),
    ],
)
def test_the_first_from_the_right_that_is_no_trusted_proxy_asks(peer: str, lines: list[str], found: str) -> None:
    assert caller(peer, lines, TRUSTED) == found


def test_nobody_is_believed_unless_named() -> None:
    assert caller("127.0.0.1", ["203.0.113.9"], ()) == "127.0.0.1"
    assert not by_https("127.0.0.1", "https", ())


@pytest.mark.parametrize(
    ("peer", "said", "https"),
    [
        ("127.0.0.1", "https", True),
        ("127.0.0.1", "HTTPS, http", True),
        ("127.0.0.1", "http, https", False),
        ("127.0.0.1", "", False),
        ("198.51.100.7", "https", False),
        ("", "https", False),
    ],
)
def test_only_a_trusted_proxy_tells_of_https(peer: str, said: str, https: bool) -> None:
    assert by_https(peer, said, TRUSTED) is https


HOPS = st.sampled_from(["127.0.0.1", "192.0.2.8", "203.0.113.9:80", "[2001:db8:2::7]:1", "::ffff:10.0.0.1", "", "x"])
LINES = st.lists(st.one_of(st.binary(max_size=80), st.lists(HOPS).map(lambda hops: ", ".join(hops).encode())))


@given(st.sampled_from(["127.0.0.1", "192.0.2.8", "198.51.100.7", "::1", "fe80::1%eth0", ""]), LINES)
def test_any_header_gives_the_peer_or_an_address_that_stands_in_it(peer: str, lines: list[bytes]) -> None:
    found = caller(peer, [line.decode("latin-1") for line in lines], TRUSTED)
    if found != peer:
        assert peer in ("127.0.0.1", "192.0.2.8"), "only these are trusted"
        entries = b",".join(lines).decode("latin-1").split(",")
        assert any(stands_for(entry.strip(" \t"), found) for entry in entries)


def stands_for(entry: str, found: str) -> bool:
    forms = (entry, entry.strip("[]"), entry.rpartition(":")[0].strip("[]"), entry.removeprefix("::ffff:"))
    return any(is_address(form) and ip_address(form) == ip_address(found) for form in forms)


def is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


Manner = Literal["appends", "adds a line"]


class ReverseProxy:
    """Passes requests on, one per connection, and says whom it got them from: at the end of the line that is there,
    as nginx does, or in a line of its own, as HAProxy does.
    """

    def __init__(self, port: int, manner: Manner, proto: str = "") -> None:
        self._target = port
        self._manner = manner
        self._proto = proto

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        back.write(self._with_caller(head, writer.get_extra_info("peername")[0].encode()))
        onward = asyncio.create_task(_pumped(reader, back))
        await _pumped(there, writer)
        onward.cancel()
        for end in (back, writer):
            end.close()

    def _with_caller(self, head: bytes, caller: bytes) -> bytes:
        request, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        lines = [line for line in lines if not line.lower().startswith((b"connection:", b"x-forwarded-proto:"))]
        said = [line for line in lines if line.lower().startswith(b"x-forwarded-for:")]
        if said and self._manner == "appends":
            lines[lines.index(said[-1])] += b", " + caller
        else:
            lines.append(b"X-Forwarded-For: " + caller)
        proto = [b"X-Forwarded-Proto: " + self._proto.encode()] if self._proto else []
        return b"\r\n".join([request, *lines, *proto, b"Connection: close", b"", b""])


async def _pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def behind_proxy(port: int, manner: Manner = "appends", proto: str = "") -> AsyncIterator[str]:
    """The proxy's URL; it reaches the gateway from 127.0.0.1."""
    server = await asyncio.start_server(ReverseProxy(port, manner, proto).connected, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def visiting(url: str, address: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that has this address of the loopback network."""
    connector = aiohttp.TCPConnector(local_addr=(address, 0))
    async with aiohttp.ClientSession(url, connector=connector) as http:
        yield http


async def log_in(http: aiohttp.ClientSession, password: str = "guess", **headers: str) -> aiohttp.ClientResponse:
    form = {"name": "eva", "password": password, "next": "/"}
    async with http.post("/login", data=form, headers=headers, allow_redirects=False) as answer:
        return answer


PROXY_HERE = (ip_network("127.0.0.1"),)


@pytest.fixture
async def gw(tmp_path: Path) -> AsyncIterator[Served]:
    access = Access((Token("boss", frozenset({"admin", "control"}), digest=digest("secret-of-boss")),))
    async with served(
        tmp_path, access=access, people=[EVA], limits=Limits(failed_tokens_per_minute=1), proxies=PROXY_HERE
    ) as it:
        yield it


def port_of(gw: Served) -> int:
    return int(gw.url.rpartition(":")[2])


@pytest.mark.parametrize("manner", ["appends", "adds a line"])
async def test_callers_behind_a_proxy_have_limits_of_their_own_whatever_they_say(gw: Served, manner: Manner) -> None:
    async with behind_proxy(port_of(gw), manner) as url, visiting(url, "127.0.0.2") as guesser:
        forged = [{"X-Forwarded-For": f"203.0.113.{n}"} for n in range(4)]
        assert [(await log_in(guesser, **said)).status for said in forged] == [401, 401, 401, 429]
        async with visiting(url, "127.0.0.3") as eva:
            assert (await log_in(eva, PASSWORD)).status == 303


async def test_who_does_not_come_by_the_proxy_is_not_believed(gw: Served) -> None:
    async with visiting(gw.url, "127.0.0.2") as guesser:
        forged = [{"X-Forwarded-For": f"203.0.113.{n}"} for n in range(4)]
        assert [(await log_in(guesser, **said)).status for said in forged] == [401, 401, 401, 429]


async def test_without_the_setting_this_machine_is_not_believed_either(tmp_path: Path) -> None:
    async with (
        served(tmp_path, people=[EVA]) as gw,
        behind_proxy(port_of(gw)) as url,
        visiting(url, "127.0.0.2") as one,
        visiting(url, "127.0.0.3") as other,
    ):
        assert [(await log_in(one)).status for _ in range(4)] == [401, 401, 401, 429]
        assert (await log_in(other)).status == 429


async def test_guessed_tokens_count_for_their_caller(gw: Served) -> None:
    async def guess(http: aiohttp.ClientSession) -> int:
        async with http.get("/api/v1/events", headers={"authorization": "Bearer guess"}) as answer:
            return answer.status

    async with behind_proxy(port_of(gw)) as url, visiting(url, "127.0.0.2") as one, visiting(url, "127.0.0.3") as other:
        assert [await guess(one), await guess(one), await guess(other)] == [401, 429, 401]


async def test_links_are_counted_and_audited_by_caller(gw: Served) -> None:
    async def opened(http: aiohttp.ClientSession) -> int:
        async with http.get(f"/e/{'x' * 32}") as answer:
            return answer.status

    async with behind_proxy(port_of(gw)) as url, visiting(url, "127.0.0.2") as one, visiting(url, "127.0.0.3") as other:
        assert [await opened(one), await opened(one), await opened(other)] == [404, 429, 404]
    audited = await gw.gateway.store.audit_entries(2)
    assert [entry.source_address for entry in audited] == ["127.0.0.3", "127.0.0.2"]


async def test_orders_are_audited_with_their_caller(tmp_path: Path) -> None:
    access = Access((Token("boss", frozenset({"admin"}), digest=digest("secret-of-boss")),))
    siren = Device("s1", "Siren", "siren_v1", "Depot")
    headers = {"authorization": "Bearer secret-of-boss", "X-Forwarded-For": "203.0.113.9"}
    async with (
        served(tmp_path, access=access, devices=[siren], proxies=PROXY_HERE) as gw,
        behind_proxy(port_of(gw)) as url,
        visiting(url, "127.0.0.2") as http,
        http.post("/api/v1/devices/s1/commands", json={"order": "siren"}, headers=headers) as answer,
    ):
        assert answer.status == 202, await answer.text()
        assert (await answer.json())["source_address"] == "127.0.0.2"


async def test_stations_that_reach_back_through_a_proxy_are_told_apart(gw: Served) -> None:
    station = StationUser(
        "arc", password_digest("secret"), Rights("control:arc", frozenset()), frozenset({"list", "siren"})
    )
    app = create_control_app(gw.gateway, [station], gw.occurrences.append, (), PROXY_HERE)

    async def order(http: aiohttp.ClientSession, password: str) -> int:
        headers = {"authorization": aiohttp.encode_basic_auth("arc", password)}
        async with http.post("/control/v1/trigger_siren/nowhere", headers=headers) as answer:
            return answer.status

    async with (
        serve(app, "127.0.0.1", 0) as port,
        behind_proxy(port) as url,
        visiting(url, "127.0.0.2") as guesser,
        visiting(url, "127.0.0.3") as arc,
    ):
        assert [await order(guesser, "guess") for _ in range(6)] == [401] * 5 + [429]
        assert await order(arc, "secret") == 404
    (entry,) = await gw.gateway.store.audit_entries(1)
    assert (entry.who, entry.source_address) == ("control:arc", "127.0.0.3")


async def test_a_cookie_got_by_https_never_travels_without(gw: Served) -> None:
    async def secure(url: str) -> bool:
        async with visiting(url, "127.0.0.2") as http:
            answer = await log_in(http, PASSWORD, **{"X-Forwarded-Proto": "https"})
            return "secure" in answer.headers["set-cookie"].lower()

    async with behind_proxy(port_of(gw), proto="https") as by_tls, behind_proxy(port_of(gw), proto="http") as plain:
        assert await secure(by_tls)
        assert not await secure(plain)
        assert not await secure(gw.url), "a stranger's own word"


async def test_without_tokens_nobody_behind_a_proxy_is_this_machine(tmp_path: Path) -> None:
    """Also where the caller is in a trusted network, so that what it says of itself is believed."""
    everybody_here, forged = (ip_network("127.0.0.0/8"),), {"X-Forwarded-For": "127.0.0.1", "host": "localhost"}
    async with (
        served(tmp_path, proxies=everybody_here) as gw,
        behind_proxy(port_of(gw)) as url,
        visiting(url, "127.0.0.2") as http,
    ):
        for path in ("/api/v1/events", "/"):
            async with http.get(path, headers=forged) as answer:
                assert answer.status == 403
