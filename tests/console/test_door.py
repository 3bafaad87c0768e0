"""Logging in and out, sessions, and what a foreign page cannot do."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from serving import Served, Station, member, served

from tocsin.api.access import Rights
from tocsin.api.control.lockouts import Lockouts
from tocsin.console.people import People, Person, TooManyTries, Waits
from tocsin.console.sessions import COOKIE, Sessions
from tocsin.console.visitor import safe_next

HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse"
HASH = HASHER.hash(PASSWORD)
EVA = Person(Rights("eva", frozenset({"read", "operate"})), HASH)
LEO = Person(Rights("leo", frozenset({"read"}), frozenset({"North"})), HASH)
HTML = {"accept": "text/html"}


@pytest.fixture
async def gw(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, [member(Station("arc"))], people=[EVA, LEO]) as it:
        yield it


async def log_in(gw: Served, name: str = "eva", password: str = PASSWORD, **more: Any) -> tuple[int, str]:
    form = {"name": name, "password": password, "next": "/"}
    async with gw.http.post("/login", data=form, allow_redirects=False, **more) as answer:
        return answer.status, await answer.text()


async def csrf(gw: Served) -> str:
    async with gw.http.get("/", headers=HTML) as answer:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', await answer.text())
        assert found
        return found[1]


async def test_without_login_every_page_leads_to_the_door(gw: Served) -> None:
    for path in ("/", "/aside", "/events/x"):
        async with gw.http.get(path, headers=HTML, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["location"].split("?")[0]) == (303, "/login")
    for path in ("/live", "/events/x/photos/1"):
        async with gw.http.get(path, allow_redirects=False) as answer:
            assert answer.status == 401
    async with gw.http.get("/events/x/panel", headers={"hx-request": "true"}) as answer:
        assert (answer.status, answer.headers["hx-redirect"]) == (401, "/login")


async def test_the_right_password_opens_and_the_cookie_is_guarded(gw: Served) -> None:
    form = {"name": "eva", "password": PASSWORD, "next": "/aside"}
    async with gw.http.post("/login", data=form, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["location"]) == (303, "/aside")
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
    async with gw.http.get("/", headers=HTML) as answer:
        assert answer.status == 200
        assert "script-src 'self';" in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"


async def test_wrong_name_and_wrong_password_look_the_same(gw: Served) -> None:
    wrong, unknown = await log_in(gw, password="guess"), await log_in(gw, "nobody", "guess")
    assert wrong[0] == unknown[0] == 401
    assert "Name or password is wrong." in wrong[1]
    assert wrong[1].replace("eva", "") == unknown[1].replace("nobody", "")


async def test_tries_are_slowed_down_and_the_wait_is_said(gw: Served) -> None:
    found = [(await log_in(gw, password="guess"))[0] for _ in range(4)]
    assert found == [401, 401, 401, 429]
    status, text = await log_in(gw)
    assert status == 429, "also for the right password"
    assert "Too many wrong tries from your address. Wait 1 second, then try again" in text


async def test_waits_double_and_end() -> None:
    now = [0.0]
    people = People([EVA], lambda: now[0])
    waits = []
    for _ in range(5):
        while True:
            try:
                assert await people.log_in("eva", "guess", "192.0.2.1") is None
                break
            except TooManyTries as refused:
                waits.append(refused.wait_s)
                now[0] += refused.wait_s + 0.001
    assert waits == pytest.approx([1.0, 2.0])
    now[0] += 300
    assert await people.log_in("eva", PASSWORD, "192.0.2.1") == EVA.rights


async def guess(people: People, peer: str, name: str = "eva") -> TooManyTries | None:
    """One wrong try: None when it was looked at."""
    try:
        assert await people.log_in(name, "guess", peer) is None
    except TooManyTries as refused:
        return refused
    return None


async def test_who_guesses_elsewhere_keeps_nobody_out() -> None:
    people = People([EVA], lambda: 0.0)
    while not await guess(people, "198.51.100.7"):
        pass
    assert await people.log_in("eva", PASSWORD, "192.0.2.1") == EVA.rights


@pytest.mark.parametrize("name", ["eva", "nobody"])
async def test_guesses_from_everywhere_are_slowed_down_too(name: str) -> None:
    now = [0.0]
    people = People([EVA], lambda: now[0])
    assert await people.log_in("eva", PASSWORD, "192.0.2.1") == EVA.rights
    for number in range(100):
        assert await guess(people, f"198.51.100.{number}", name) is None
    refused = await guess(people, "203.0.113.1", name)
    assert refused
    assert refused.elsewhere
    assert refused.wait_s == 1
    assert await people.log_in("eva", PASSWORD, "192.0.2.1") == EVA.rights, "where she has been before"
    now[0] += 1.001
    assert await people.log_in("eva", PASSWORD, "203.0.113.2") == EVA.rights, "and elsewhere after a short wait"


async def test_a_neighbourhood_counts_as_one_place() -> None:
    people = People([EVA], lambda: 0.0)
    refused = [await guess(people, f"2001:db8:1:1::{number:x}") for number in range(4)]
    assert [one is None for one in refused] == [True, True, True, False]
    assert await guess(people, "2001:db8:1:2::1") is None


async def test_tries_sent_all_at_once_are_no_way_around(gw: Served) -> None:
    found = await asyncio.gather(*(log_in(gw, password=f"guess {number}") for number in range(20)))
    assert sum(status == 401 for status, _ in found) <= 4
    assert {status for status, _ in found} == {401, 429}


async def test_names_that_nobody_has_push_nothing_out_and_fill_no_memory() -> None:
    waits = Waits(lambda: 0.0)
    for number in range(100):
        waits.failed("eva", f"198.51.100.{number}", True)
    for number in range(10_000):
        waits.failed(f"made up {number}", f"place {number}", False)
        waits.succeeded("leo", f"home {number}")
    with pytest.raises(TooManyTries):
        waits.refuse_hasty("eva", "203.0.113.1", True)
    held = [*(vars(one)["_failures"] for one in vars(waits).values() if isinstance(one, Lockouts)), waits._at_home]
    assert [len(one) for one in held if len(one) > 4096] == []


async def test_a_post_without_the_pages_token_does_nothing(gw: Served) -> None:
    await log_in(gw)
    for data in ({}, {"csrf": "0" * 64}, {"csrf": "é"}):
        async with gw.http.post("/destinations/arc/pause", data=data) as answer:
            assert answer.status == 403
    assert gw.gateway.live_state("arc")[0] != "paused"
    async with gw.http.post("/destinations/arc/pause", data={"csrf": await csrf(gw)}, allow_redirects=False) as answer:
        assert answer.status == 303
    assert gw.gateway.live_state("arc")[0] == "paused"


async def test_another_persons_token_is_not_mine(gw: Served) -> None:
    await log_in(gw)
    evas = await csrf(gw)
    gw.http.cookie_jar.clear()
    await log_in(gw, "leo")
    async with gw.http.post("/destinations/arc/pause", data={"csrf": evas}) as answer:
        assert answer.status == 403


async def test_who_may_only_look_sees_no_buttons_and_cannot_act(gw: Served) -> None:
    await log_in(gw, "leo")
    async with gw.http.get("/", headers=HTML) as answer:
        text = await answer.text()
    assert "/destinations/arc/pause" not in text
    async with gw.http.post("/destinations/arc/pause", data={"csrf": await csrf(gw)}) as answer:
        assert answer.status == 403
        assert "operate" in (await answer.json())["detail"]


async def test_a_person_narrowed_to_areas_sees_only_those(gw: Served) -> None:
    mine, other = await gw.post(device_id="d1"), await gw.post(device_id="d2")
    await log_in(gw, "leo")
    async with gw.http.get("/", headers=HTML) as answer:
        text = await answer.text()
    assert mine["id"] in text
    assert other["id"] not in text
    for path in ("", "/panel", "/photos/1", "/trace/arc"):
        async with gw.http.get(f"/events/{other['id']}{path}", headers=HTML) as answer:
            assert answer.status == 404


async def test_after_logging_out_the_cookie_is_worthless(gw: Served) -> None:
    await log_in(gw)
    (cookie,) = gw.http.cookie_jar
    stolen = {"cookie": f"{COOKIE}={cookie.value}", **HTML}
    async with gw.http.post("/logout", data={"csrf": await csrf(gw)}, allow_redirects=False) as answer:
        assert answer.headers["location"] == "/login"
    async with gw.http.get("/", headers=stolen, allow_redirects=False) as answer:
        assert answer.status == 303


async def test_a_form_of_another_site_does_not_log_in(gw: Served) -> None:
    assert (await log_in(gw, headers={"origin": "http://evil.example.net"}))[0] == 403


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ("/events/x?y=1", "/events/x?y=1"),
        ("//evil.example.net", "/"),
        ("/\\evil.example.net", "/"),
        ("https://evil.example.net", "/"),
        ("/\r\nset-cookie: a=b", "/"),
        ("", "/"),
    ],
)
def test_after_login_the_way_leads_to_our_own_pages_only(given: str, where: str) -> None:
    assert safe_next(given) == where


class Time:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def sessions(time: Time, key: bytes = b"k") -> Sessions:
    return Sessions(key, 100.0, time, lambda n: b"r" * n)


def test_only_what_was_signed_here_is_a_session() -> None:
    time = Time()
    ours = sessions(time)
    cookie = ours.cookie(ours.fresh("eva"))
    assert ours.read(cookie) == ours.fresh("eva")
    assert sessions(time, b"other").read(cookie) is None
    for forged in ("", ".", "x.y", cookie[:-1] + "0", "A" + cookie, cookie + "é", "x" * 5000):
        assert ours.read(forged) is None


def test_a_session_ends_when_it_is_not_used() -> None:
    time = Time()
    ours = sessions(time)
    cookie = ours.cookie(ours.fresh("eva"))
    time.now += timedelta(seconds=60)
    session = ours.read(cookie)
    assert session
    assert ours.stale(session)
    renewed = ours.cookie(ours.renewed(session))
    time.now += timedelta(seconds=60)
    assert ours.read(cookie) is None
    assert ours.read(renewed)


async def test_without_people_only_this_machine_itself_is_served(tmp_path: Path) -> None:
    async with served(tmp_path) as gw:
        async with gw.http.get("/", headers=HTML) as answer:
            assert answer.status == 200
        async with gw.http.get("/", headers={**HTML, "host": "rebound.example.net"}) as answer:
            assert answer.status == 403
            assert "No console user is configured" in await answer.text()
        async with gw.http.post("/destinations/arc/pause") as answer:
            assert answer.status == 403, "a foreign page has no token here either"


def test_a_person_cannot_be_printed() -> None:
    assert HASH not in f"{EVA!r} {EVA}"
