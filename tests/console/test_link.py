"""The login-free page: what it shows and what it does not, and everything a stranger may try at it."""

import base64
import html
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from argon2 import PasswordHasher
from serving import Served, Station, member, picture, served

from tocsin.api.access import Access, Rights, Token, digest
from tocsin.api.limits import Limits
from tocsin.api.rates import Rate
from tocsin.console.people import Person
from tocsin.telemetry.occurrences import LinkOpened

PUBLIC = "https://gw.example.net"
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("secret")
EVA = Person(Rights("eva", frozenset({"read", "operate"})), HASH)
ACCESS = Access((Token("ops", frozenset({"admin"}), digest=digest("the token of ops")),))
OPS = {"authorization": "Bearer the token of ops"}


@pytest.fixture
async def gw(tmp_path: Path) -> AsyncIterator[Served]:
    """With people and tokens: the page is the only thing a stranger gets."""
    stations = [member(Station("arc"), links=True)]
    limits = Limits(links_per_minute=40, failed_tokens_per_minute=5)
    more: dict[str, Any] = {"people": [EVA], "limits": limits, "headers": OPS, "public_url": PUBLIC}
    async with served(tmp_path, stations, ACCESS, **more) as it:
        yield it


@pytest.fixture
async def stranger(gw: Served) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(gw.url) as session:
        yield session


async def linked(gw: Served, **facts: Any) -> tuple[str, str]:
    """Path of the page and id of an event."""
    taken = await gw.post(**facts)
    await gw.settles(taken["id"], "arc", "delivered")
    link = await gw.get(f"/events/{taken['id']}/link")
    assert link["url"].startswith(f"{PUBLIC}/e/")
    return link["url"].removeprefix(PUBLIC), taken["id"]


async def look(stranger: aiohttp.ClientSession, path: str) -> tuple[int, str, aiohttp.ClientResponse]:
    async with stranger.get(path) as answer:
        text = await answer.text(errors="replace")
        return answer.status, html.unescape(re.sub(r"\s+", " ", text)), answer


async def test_it_shows_the_event_and_nothing_else(gw: Served, stranger: aiohttp.ClientSession) -> None:
    photo = {"content_type": "image/jpeg", "data": base64.b64encode(picture()).decode()}
    path, _ = await linked(
        gw,
        occurred_at="2024-05-30T19:15:04Z",
        text="the text <script>",
        url="https://camera.example.net/secret",
        battery=87,
        actors=[{"class": "person", "confidence": 0.93, "box": [0.1, 0.2, 0.3, 0.6]}, {"class": "car"}],
        motion_area=[[0.05, 0.1, 0.5, 0.8]],
        photos=[photo, photo],
    )
    status, text, answer = await look(stranger, path)
    assert status == 200
    for shown in ("Person detected", "Depot", "Gate camera", "22:15:04", "Europe/Tallinn (UTC+03:00)", "93%", "Car"):
        assert shown in text
    assert '<rect x="10%" y="20%" width="30%" height="60%"/>' in text
    assert '<rect class="moved" x="5%" y="10%" width="50%" height="80%"/>' in text
    for hidden in ("the text", "camera.example.net", "87", "<script", "<form", "<button", 'href="/', "d1", "arc"):
        assert hidden not in text.partition("</style>")[2], hidden
    assert "set-cookie" not in answer.headers
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    photos = re.findall(r'img src="([^"]+)"', text)
    assert photos == [f"{path}/photos/1", f"{path}/photos/2"]
    async with stranger.get(photos[1]) as one:
        assert (one.status, one.content_type, await one.read()) == (200, "image/jpeg", picture())
        assert one.headers["cache-control"] == "no-store"
    for nothing in ("3", "0", "01", "x", "1%2F2"):
        assert (await look(stranger, f"{path}/photos/{nothing}"))[0] in (404,), nothing


async def test_forged_is_404_revoked_and_expired_are_410_for_photos_too(
    gw: Served, stranger: aiohttp.ClientSession
) -> None:
    path, event_id = await linked(gw)
    other, _ = await linked(gw)
    token = path.removeprefix("/e/")
    for forged in (token[:-1] + ("A" if token[-1] != "A" else "B"), "A" * 32, "A", "%00", token + "%0a"):
        status, text, answer = await look(stranger, f"/e/{forged}")
        assert (status, "No event belongs to this address" in text) == (404, True)
        assert answer.headers["referrer-policy"] == "no-referrer"
    async with gw.http.post(f"/api/v1/events/{event_id}/link/revoke") as answer:
        assert (answer.status, (await answer.json())["state"]) == (200, "revoked")
    async with gw.http.post(f"/api/v1/events/{event_id}/link/revoke") as answer:
        assert answer.status == 409
    for page in (path, f"{path}/photos/1"):
        status, text, _ = await look(stranger, page)
        assert (status, "withdrawn" in text) == (410, True)
    now = gw.gateway.clock.now
    gw.gateway.clock.now = lambda: now() + timedelta(hours=12, seconds=1)  # type: ignore[method-assign]
    for page in (other, f"{other}/photos/1"):
        status, text, _ = await look(stranger, page)
        assert (status, "limited time, which is over" in text) == (410, True)
    assert (await look(stranger, path))[0] == 410


async def test_replayed_as_often_as_one_likes_while_it_is_good(gw: Served, stranger: aiohttp.ClientSession) -> None:
    path, _ = await linked(gw)
    assert [(await look(stranger, path))[0] for _ in range(3)] == [200] * 3


async def test_every_access_is_on_record_and_the_token_never(gw: Served, stranger: aiohttp.ClientSession) -> None:
    path, event_id = await linked(gw)
    await look(stranger, path)
    await look(stranger, "/e/" + "B" * 32)
    audit = [one for one in await gw.gateway.store.audit_entries(10) if one.action == "open link"]
    assert [(one.subject, one.source_address, one.result) for one in audit] == [
        ("", "127.0.0.1", "unknown"),
        (event_id, "127.0.0.1", "opened"),
    ]
    said = [one for one in gw.occurrences if isinstance(one, LinkOpened)]
    assert [(one.outcome, one.peer, one.event_id) for one in said] == [
        ("opened", "127.0.0.1", event_id),
        ("unknown", "127.0.0.1", ""),
    ]
    assert path.removeprefix("/e/") not in repr((audit, gw.occurrences))


async def test_a_flood_is_slowed_and_guessing_holds_no_operator_up(gw: Served, stranger: aiohttp.ClientSession) -> None:
    path, _ = await linked(gw)
    guesses = [(await look(stranger, f"/e/{n:032}"))[0] for n in range(8)]
    assert guesses == [404] * 5 + [429] * 3
    assert (await look(stranger, path))[0] == 200
    statuses = [(await look(stranger, path))[0] for _ in range(50)]
    passed = statuses.count(200)
    assert 31 <= passed < 45, "what the bucket held, and the little that came back meanwhile"
    audit = [one for one in await gw.gateway.store.audit_entries(100) if one.action == "open link"]
    assert len(audit) == 5 + 1 + passed


async def test_it_is_there_without_login_and_only_for_those_who_may_revoke(
    gw: Served, stranger: aiohttp.ClientSession
) -> None:
    path, event_id = await linked(gw)
    async with stranger.get(f"/events/{event_id}", headers={"accept": "text/html"}, allow_redirects=False) as answer:
        assert answer.status == 303
    async with stranger.post(f"/events/{event_id}/link/revoke", allow_redirects=False) as answer:
        assert answer.status in (303, 401)
    async with stranger.post(f"/api/v1/events/{event_id}/link/revoke") as answer:
        assert answer.status == 401
    async with stranger.post(path) as answer:
        assert answer.status == 405
    assert (await look(stranger, path))[0] == 200


async def test_a_foreign_event_cannot_be_revoked(gw: Served) -> None:
    async with gw.http.post("/api/v1/events/nothing/link/revoke") as answer:
        assert answer.status == 404
    async with gw.http.get("/api/v1/events/nothing/link") as answer:
        assert answer.status == 404


def test_a_bucket_fills_again_and_whoever_has_a_network_has_one_bucket() -> None:
    now = [0.0]
    rate = Rate(60, lambda: now[0])
    assert [rate.take("192.0.2.1") for _ in range(61)] == [True] * 60 + [False]
    assert rate.take("192.0.2.2")
    now[0] = 2.0
    assert [rate.take("192.0.2.1") for _ in range(3)] == [True, True, False]
    for n in range(60):
        rate.take(f"2001:db8::{n:x}")
    assert not rate.take("2001:db8::ffff")
    assert rate.take("2001:db8:0:1::1")
    for n in range(10_000):
        rate.take(f"peer-{n}")
    assert len(rate._left) <= 4096
