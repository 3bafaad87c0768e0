"""Who may do what: tokens, scopes, narrowing, and this machine while there is no token."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from serving import Served, served

from tocsin.api.access import Access, Doorkeeper, Token, digest, local_problem
from tocsin.api.limits import Limits
from tocsin.api.problems import Problem


def token(
    name: str, *scopes: str, areas: tuple[str, ...] | None = None, devices: tuple[str, ...] | None = None
) -> Token:
    return Token(
        name,
        frozenset(scopes),
        None if areas is None else frozenset(areas),
        None if devices is None else frozenset(devices),
        digest=digest(f"secret-of-{name}"),
    )


ACCESS = Access(
    (
        token("boss", "admin"),
        token("looker", "read"),
        token("sender", "events:write"),
        token("north", "read", "events:write", "devices:write", "operate", areas=("North",)),
        token("only-d2", "read", "events:write", devices=("d2",)),
    )
)


def bearer(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer secret-of-{name}"}


@pytest.fixture
async def gw(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, access=ACCESS) as it:
        yield it


async def status(gw: Served, method: str, path: str, name: str = "", **more: object) -> int:
    headers = bearer(name) if name else {}
    async with gw.http.request(method, path, headers=headers, **more) as answer:  # type: ignore[arg-type]
        if answer.status >= 400 and path.startswith("/api"):
            assert answer.content_type == "application/problem+json"
            assert (await answer.json())["detail"]
        return answer.status


async def test_without_a_known_token_nothing_is_shown(gw: Served) -> None:
    assert await status(gw, "GET", "/api/v1/events") == 401
    assert await status(gw, "GET", "/api/v1/events", "stranger") == 401
    async with gw.http.get("/api/v1/events") as answer:
        assert answer.headers["www-authenticate"] == "Bearer"


EVENT = {"kind": "motion", "device_id": "d1"}


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/events", "read"),
        ("GET", "/destinations", "read"),
        ("GET", "/devices", "read"),
        ("GET", "/deliveries", "read"),
        ("GET", "/stream", "read"),
        ("POST", "/rpc", "read"),
        ("GET", "/systems", "read"),
        ("GET", "/runs/x", "read"),
        ("GET", "/inventory", "read"),
        ("POST", "/systems/xp/sync", "operate"),
        ("POST", "/events", "events:write"),
        ("PATCH", "/events/x", "events:write"),
        ("POST", "/events/x/photos", "events:write"),
        ("PUT", "/devices/x", "devices:write"),
        ("DELETE", "/devices/x", "devices:write"),
        ("POST", "/destinations/arc/test", "operate"),
        ("POST", "/destinations/arc/pause", "operate"),
        ("POST", "/destinations/arc/resume", "operate"),
        ("POST", "/deliveries/1.arc/retry", "operate"),
        ("POST", "/deliveries/1.arc/discard", "operate"),
    ],
)
async def test_every_route_demands_its_scope(gw: Served, method: str, path: str, scope: str) -> None:
    wrong = "sender" if scope == "read" else "looker"
    assert await status(gw, method, f"/api/v1{path}", wrong) == 403


async def test_a_token_sends_under_its_name(gw: Served) -> None:
    assert await status(gw, "POST", "/api/v1/events", "sender", json=EVENT) == 202
    async with gw.http.get("/api/v1/events", headers=bearer("looker")) as answer:
        assert [event["source"] for event in (await answer.json())["items"]] == ["sender"]


async def ids(gw: Served, name: str, path: str = "/api/v1/events") -> list[str]:
    async with gw.http.get(path, headers=bearer(name)) as answer:
        return [item.get("device_id") or item["id"] for item in (await answer.json())["items"]]


async def test_a_narrowed_token_sees_and_sends_only_its_own(gw: Served) -> None:
    for device in ("d1", "d2", "nowhere"):
        assert await status(gw, "POST", "/api/v1/events", "boss", json={"kind": "motion", "device_id": device}) == 202
    assert await ids(gw, "boss") == ["nowhere", "d2", "d1"]
    assert await ids(gw, "north") == ["d1"], "Depot lies in North"
    assert await ids(gw, "only-d2") == ["d2"]
    assert await ids(gw, "north", "/api/v1/devices") == ["d1"]
    assert await status(gw, "POST", "/api/v1/events", "north", json={"kind": "motion", "device_id": "d2"}) == 403
    assert await status(gw, "POST", "/api/v1/events", "only-d2", json={"kind": "motion", "device_id": "d1"}) == 403
    assert await status(gw, "POST", "/api/v1/events", "only-d2", json={"kind": "motion", "device_id": "d2"}) == 202


async def test_what_a_narrowed_token_may_not_see_is_not_there_for_it(gw: Served) -> None:
    async with gw.http.post("/api/v1/events", json={**EVENT, "device_id": "d2"}, headers=bearer("boss")) as answer:
        event_id = (await answer.json())["id"]
    for path in (f"/events/{event_id}", f"/events/{event_id}/photos/1", f"/events/{event_id}/deliveries/arc/trace"):
        assert await status(gw, "GET", f"/api/v1{path}", "north") == 404
    assert await status(gw, "PATCH", f"/api/v1/events/{event_id}", "north", json={}) == 404
    assert await status(gw, "POST", "/api/v1/deliveries/1.arc/discard", "north") == 404
    async with gw.http.get("/api/v1/deliveries", headers=bearer("north")) as answer:
        assert (await answer.json())["items"] == []


async def test_a_narrowed_token_is_not_told_of_the_last_delivery_of_others(gw: Served) -> None:
    async def last(name: str) -> list[str | None]:
        """The event last delivered, by both ways of asking."""
        call = {"jsonrpc": "2.0", "id": 1, "method": "gateway.status"}
        async with gw.http.get("/api/v1/destinations", headers=bearer(name)) as answer:
            listed = (await answer.json())["items"]
        async with gw.http.post("/api/v1/rpc", json=call, headers=bearer(name)) as answer:
            told = (await answer.json())["result"]["destinations"]
        return [(arc["last_delivered"] or {}).get("event_id") for (arc,) in (listed, told)]

    async with gw.http.post("/api/v1/events", json={"kind": "motion", "device_id": "d2"}, headers=bearer("boss")) as it:
        event_id = (await it.json())["id"]
    async with asyncio.timeout(30):
        while await last("boss") != [event_id, event_id]:
            await asyncio.sleep(0.01)
    assert await last("only-d2") == [event_id, event_id]
    assert await last("north") == [None, None]


async def test_a_narrowed_token_does_not_operate_what_serves_everybody(gw: Served) -> None:
    for act in ("test", "pause", "resume"):
        assert await status(gw, "POST", f"/api/v1/destinations/arc/{act}", "north") == 403


async def test_a_narrowed_token_writes_devices_of_its_areas_only(gw: Served) -> None:
    assert await status(gw, "PUT", "/api/v1/devices/new", "north", json={"area": "Yard"}) == 403
    assert await status(gw, "PUT", "/api/v1/devices/new", "north", json={"area": "Depot"}) == 200
    assert await status(gw, "PUT", "/api/v1/devices/yard", "boss", json={"area": "Yard"}) == 200
    assert await status(gw, "PUT", "/api/v1/devices/yard", "north", json={"area": "Depot"}) == 403, "no taking over"
    assert await status(gw, "DELETE", "/api/v1/devices/yard", "north") == 404


async def test_lines_of_foreign_devices_are_refused_one_by_one(gw: Served) -> None:
    body = b'{"kind":"motion","device_id":"d1"}\n{"kind":"motion","device_id":"d2"}'
    headers = {"content-type": "application/x-ndjson", **bearer("north")}
    async with gw.http.post("/api/v1/events", data=body, headers=headers) as answer:
        found = await answer.json()
    assert found["accepted"] == 1
    assert [refused["line"] for refused in found["refused"]] == [2]


async def test_guessing_is_slowed_down(tmp_path: Path) -> None:
    async with served(tmp_path, access=ACCESS, limits=Limits(failed_tokens_per_minute=3)) as gw:
        found = [await status(gw, "GET", "/api/v1/events", f"guess{n}") for n in range(5)]
        assert found == [401, 401, 401, 429, 429]


def guess(keeper: Doorkeeper, peer: str) -> int:
    with pytest.raises(Problem) as refused:
        keeper.admit(peer, bearer("stranger"))
    return refused.value.status


def test_after_a_minute_guesses_are_forgotten() -> None:
    now = [0.0]
    keeper = Doorkeeper(ACCESS, 1, lambda: now[0])
    assert guess(keeper, "192.0.2.1") == 401
    assert guess(keeper, "192.0.2.1") == 429
    assert guess(keeper, "192.0.2.2") == 401, "others are not held up"
    assert keeper.admit("192.0.2.1", bearer("boss")).name == "boss", "nor is a known token beside the guesser"
    now[0] = 61.0
    assert guess(keeper, "192.0.2.1") == 401


def test_a_token_cannot_be_printed() -> None:
    shown = f"{token('boss')!r} {token('boss')}"
    assert "secret" not in shown
    assert digest("secret-of-boss").hex() not in shown
    assert repr(digest("secret-of-boss")) not in shown


@pytest.mark.parametrize(
    ("peer", "headers", "fine"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:8080"}, True),
        ("::1", {"host": "[::1]:8080"}, True),
        ("127.0.0.1", {"host": "localhost", "origin": "http://localhost"}, True),
        ("192.0.2.7", {"host": "localhost"}, False),
        ("127.0.0.1", {"host": "rebound.example.net:8080"}, False),
        ("127.0.0.1", {"host": "localhost:8080", "origin": "http://evil.example.net"}, False),
        ("127.0.0.1", {"host": "localhost", "origin": "null"}, False),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-for": "192.0.2.7"}, False),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-for": "127.0.0.1"}, False),
        ("127.0.0.1", {"host": "localhost", "x-real-ip": "127.0.0.1"}, False),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-proto": "https"}, False),
        ("", {"host": "localhost"}, False),
        ("127.0.0.1", {}, False),
    ],
)
def test_without_tokens_only_this_machine_itself_is_served(peer: str, headers: dict[str, str], fine: bool) -> None:
    assert (local_problem(peer, headers) == "") is fine


async def test_an_open_gateway_says_so_and_refuses_foreign_names(tmp_path: Path) -> None:
    async with served(tmp_path) as gw:
        async with gw.http.get("/healthz") as answer:
            assert "no token is configured" in (await answer.json())["access"]
        async with gw.http.get("/api/v1/events", headers={"host": "rebound.example.net"}) as answer:
            assert answer.status == 403


async def test_health_tells_reasons_only_to_readers(gw: Served) -> None:
    async with gw.http.get("/healthz") as answer:
        assert all(part["detail"] == "" for part in (await answer.json())["components"])
    for path in ("/livez", "/readyz", "/metrics"):
        assert await status(gw, "GET", path) == 200
