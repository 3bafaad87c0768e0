"""Putting on test over the API: always with an end and a reason, only what one may touch."""

from collections.abc import AsyncIterator
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from serving import Served, Station, member, served

from tocsin.api.access import Access, Token, digest
from tocsin.model.device import Device

OPERATE = frozenset({"read", "operate", "events:write"})
TOKENS = Access(
    (
        Token("ops", OPERATE, digest=digest("the token of ops")),
        Token("looks", frozenset({"read"}), digest=digest("the token that looks")),
        Token("depot", OPERATE, frozenset({"Depot"}), digest=digest("the token of depot")),
        Token("yard", OPERATE, frozenset({"Yard"}), digest=digest("the token of yard")),
        Token("one", OPERATE, None, frozenset({"d1"}), digest=digest("the token of one")),
    )
)
OPS, LOOKS, DEPOT, YARD, ONE = (
    {"authorization": f"Bearer the token {name}"} for name in ("of ops", "that looks", "of depot", "of yard", "of one")
)


@pytest.fixture
async def gw(tmp_path: Path) -> AsyncIterator[Served]:
    stations = [member(Station("arc")), member(Station("web"), says_test=True)]
    async with served(tmp_path, stations, access=TOKENS, headers=OPS) as it:
        yield it


async def call(gw: Served, method: str, path: str, as_: dict[str, str] = OPS, **body: Any) -> tuple[int, Any]:
    json = body if method == "POST" else None
    async with gw.http.request(method, f"/api/v1{path}", json=json, headers=as_) as answer:
        return answer.status, await answer.json()


async def test_begun_seen_ended(gw: Served) -> None:
    status, test = await call(gw, "POST", "/areas/Depot/test", **{"for": "2h", "reason": " battery\nchange "})
    assert (status, test["area"], test["by"], test["reason"]) == (201, "Depot", "ops", "battery change")
    assert (await call(gw, "GET", "/tests"))[1]["items"] == [test]
    taken = await gw.post("tamper")
    assert taken["destinations"] == ["web"]
    event = await gw.get(f"/events/{taken['id']}")
    assert event["flags"] == ["on_test"]
    (held,) = [one for one in event["deliveries"] if one["destination"] == "arc"]
    assert (held["state"], held["reason"][:29]) == (
        "filtered",
        "held back: on test until " + str(gw.gateway.clock.now().year),
    )
    status, ended = await call(gw, "DELETE", "/areas/Depot/test")
    assert (status, ended["items"]) == (200, [test])
    assert (await call(gw, "GET", "/tests"))[1]["items"] == []
    assert sorted((await gw.post("tamper"))["destinations"]) == ["arc", "web"]
    assert (await call(gw, "DELETE", "/areas/Depot/test"))[0] == 404


@pytest.mark.parametrize(
    ("area", "body", "status", "said"),
    [
        ("Depot", {"reason": "x"}, 422, "Say when it ends"),
        ("Depot", {"reason": "x", "for": "2h", "until": "2030-01-01T00:00:00Z"}, 422, "one of the two"),
        ("Depot", {"for": "2h"}, 422, "reason"),
        ("Depot", {"for": "2h", "reason": ""}, 422, "reason"),
        ("Depot", {"for": "two hours", "reason": "x"}, 422, "expected a duration"),
        ("Depot", {"for": "8d", "reason": "x"}, 422, "at most 7 days"),
        ("Depot", {"for": "999999999w", "reason": "x"}, 422, "for:"),
        ("Depot", {"until": "2020-01-01T00:00:00Z", "reason": "x"}, 422, "past"),
        ("Depot", {"until": "2030-01-01T00:00:00", "reason": "x"}, 422, "until"),
        ("Nowhere", {"for": "2h", "reason": "x"}, 404, "no area 'Nowhere'"),
        ("Depot", {"for": "2h", "reason": "x", "devices": ["d2"]}, 422, "'d2' is not a device of Depot"),
        ("Depot", {"for": "2h", "reason": "x", "destinations": ["arcc"]}, 422, "no destination 'arcc'"),
        ("Depot", {"for": "2h", "reason": "x", "include": ["tamper"]}, 422, "include"),
    ],
)
async def test_what_cannot_be_is_said(gw: Served, area: str, body: dict[str, Any], status: int, said: str) -> None:
    found, problem = await call(gw, "POST", f"/areas/{area}/test", **body)
    assert found == status
    assert said in problem["detail"]
    assert (await call(gw, "GET", "/tests"))[1]["items"] == []


async def test_rights_reach_as_far_as_they_do(gw: Served) -> None:
    body = {"for": "2h", "reason": "work"}
    assert (await call(gw, "POST", "/areas/Depot/test", LOOKS, **body))[0] == 403
    assert (await call(gw, "POST", "/areas/Depot/test", YARD, **body))[0] == 403
    assert (await call(gw, "POST", "/areas/North/test", DEPOT, **body))[0] == 403
    assert (await call(gw, "POST", "/areas/Depot/test", ONE, **body))[0] == 403
    assert (await call(gw, "POST", "/areas/Depot/test", ONE, devices=["d1"], **body))[0] == 201
    assert (await call(gw, "POST", "/areas/North/test", **body))[0] == 201
    seen = {name: len((await call(gw, "GET", "/tests", who))[1]["items"])
            for name, who in (("ops", OPS), ("depot", DEPOT), ("yard", YARD))}  # fmt: skip
    assert seen == {"ops": 2, "depot": 2, "yard": 0}
    assert (await call(gw, "DELETE", "/areas/North/test", DEPOT))[0] == 404
    assert (await call(gw, "DELETE", "/areas/Depot/test?device=d2"))[0] == 404
    assert (await call(gw, "DELETE", "/areas/Depot/test?device=d1"))[0] == 200
    audit = [(one.who, one.action, one.subject) for one in await gw.gateway.store.audit_entries(10)]
    assert audit[0] == ("ops", "off test", "d1 in Depot")


async def test_only_one_destination_and_fire_when_chosen(gw: Served) -> None:
    end = gw.gateway.clock.now() + timedelta(hours=1)
    soon = end.astimezone(timezone(timedelta(hours=5))).isoformat()
    body = {"until": soon, "reason": "smoke heads", "destinations": ["arc"],
            "include": ["fire", "connection_lost"]}  # fmt: skip
    status, test = await call(gw, "POST", "/areas/Depot/test", **body)
    assert (status, test["until"]) == (201, end.isoformat().replace("+00:00", "Z"))
    assert test["include"] == ["connection_lost", "fire"]
    real = ("panic", "connection_restored", "supervision_lost")
    for kind, told in (*((kind, ["arc", "web"]) for kind in real), ("fire", ["web"]), ("connection_lost", ["web"])):
        assert sorted((await gw.post(kind))["destinations"]) == told, kind
    assert (await gw.post("tamper"))["destinations"] == ["web"]


async def test_an_area_with_a_slash_in_its_name(tmp_path: Path) -> None:
    async with served(tmp_path, devices=[Device("x", area="Hall 1/2")]) as gw:
        status, test = await call(gw, "POST", "/areas/Hall%201%2F2/test", {}, **{"for": "1h", "reason": "x"})
        assert (status, test["area"]) == (201, "Hall 1/2")
        assert (await call(gw, "DELETE", "/areas/Hall%201%2F2/test", {}))[0] == 200
