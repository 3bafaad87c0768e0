"""Systems, runs and inventory over the real server."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from serving import Served, served
from tests.inventory.conftest import CUSTOMER, RULES, ScriptedSystem, camera, state

from tocsin.api.access import Access, Token, digest
from tocsin.engine.inventory.rules import CustomerRule

MINE = replace(RULES, customers=(CustomerRule("acct-5521", name_glob="B *"),))


@pytest.fixture
def system() -> ScriptedSystem:
    return ScriptedSystem(camera(1, address="http://192.0.2.7/"), camera(2, name="B Dock"))


@pytest.fixture
async def gw(tmp_path: Path, system: ScriptedSystem) -> AsyncIterator[Served]:
    async with served(tmp_path, systems=[(system, MINE)]) as it:
        await _ended(it)
        yield it


async def _ended(gw: Served) -> dict[str, Any]:
    async def ended() -> bool:
        run = (await gw.get("/systems"))["items"][0]["run"]
        return bool(run and run["finished_at"])

    await gw.until(ended)
    run: dict[str, Any] = (await gw.get("/systems"))["items"][0]["run"]
    return run


async def call(gw: Served, path: str, body: Any, **more: Any) -> tuple[int, Any]:
    async with gw.http.post(f"/api/v1{path}", json=body, **more) as answer:
        return answer.status, await answer.json()


async def test_the_inventory_in_the_briefs_shape_whole_or_of_one_customer(gw: Served) -> None:
    assert await gw.get("/inventory", customer_id=CUSTOMER) == {
        "devices": [
            {"id": "xp:camera:1", "name": "Camera 1", "type": "camera", "customer_id": CUSTOMER, "ip": "192.0.2.7"}
        ]
    }
    assert [one["id"] for one in (await gw.get("/inventory"))["devices"]] == ["xp:camera:1", "xp:camera:2"]
    assert await gw.get("/inventory", customer_id="nobody") == {"devices": []}


async def test_systems_and_devices_are_listed(gw: Served) -> None:
    (found,) = (await gw.get("/systems"))["items"]
    assert (found["name"], found["status"], found["devices"], found["held"]) == ("xp", "ok", {"unknown": 2}, 0)
    assert found["run"]["counts"]["added"] == 2
    device = await gw.get("/devices/xp:camera:1")
    assert (device["name"], device["customer_id"], device["origin"]) == ("Camera 1", CUSTOMER, "xp")


async def test_a_run_is_asked_for_and_followed(gw: Served, system: ScriptedSystem) -> None:
    system.listed.append(camera(3))
    status, run = await call(gw, "/systems/xp/sync", {"dry_run": True})
    assert (status, run["joined"], run["dry_run"]) == (202, False, True)

    async def ended() -> bool:
        return (await gw.get(f"/runs/{run['id']}"))["finished_at"] is not None

    await gw.until(ended)
    after = await gw.get(f"/runs/{run['id']}")
    assert after["state"] == "succeeded"
    assert after["differences"] == [{"what": "+", "id": "xp:camera:3", "name": "Camera 3", "detail": "camera"}]
    assert len((await gw.get("/inventory"))["devices"]) == 2
    audited = await gw.gateway.store.audit_entries(5)
    assert [(entry.action, entry.subject, entry.result) for entry in audited] == [("dry run", "xp", run["id"])]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/systems/nothing/sync", {}, 404),
        ("/systems/xp/sync", {"dry": True}, 422),
        ("/systems/xp/sync", {"dry_run": "yes"}, 422),
        ("/systems/xp/sync", [], 422),
    ],
)
async def test_what_cannot_be_asked_is_said(gw: Served, path: str, body: Any, status: int) -> None:
    assert (await call(gw, path, body))[0] == status


async def test_an_unknown_run_is_not_there(gw: Served) -> None:
    async with gw.http.get("/api/v1/runs/nothing") as answer:
        assert answer.status == 404


async def rpc(gw: Served, params: Any, **more: Any) -> Any:
    asked = {"jsonrpc": "2.0", "id": "r-17", "method": "inventory.sync", "params": params}
    return (await call(gw, "/rpc", asked, **more))[1]


async def test_a_program_asks_by_rpc_once_a_minute(gw: Served) -> None:
    reply = await rpc(gw, {"systems": ["xp"], "reason": "ticket 88121"})
    (run,) = reply["result"]["runs"]
    assert (reply["id"], run["system_id"], run["joined"]) == ("r-17", "xp", False)
    ended = await _ended(gw)
    assert (ended["id"], ended["trigger"], ended["why"]) == (run["run_id"], "rpc", "ticket 88121")
    again = await rpc(gw, {})
    assert again["error"]["code"] == -32002
    assert "again in" in again["error"]["message"]


@pytest.mark.parametrize("params", [{"systems": ["nothing"]}, {"system": "xp"}, {"systems": "xp"}, [1], {"fresh": 1}])
async def test_wrong_params_are_named(gw: Served, params: Any) -> None:
    assert (await rpc(gw, params))["error"]["code"] == -32602


async def test_who_may_only_read_starts_nothing(tmp_path: Path, system: ScriptedSystem) -> None:
    narrowed = frozenset({"read", "operate"})
    tokens = (
        Token("reader", frozenset({"read"}), digest=digest("r" * 20)),
        Token("narrow", narrowed, frozenset({"Depot"}), digest=digest("n" * 20)),
    )
    async with served(tmp_path, access=Access(tokens), systems=[(system, MINE)]) as gw:
        for word in ("r" * 20, "n" * 20):
            reply = await rpc(gw, {}, headers={"authorization": f"Bearer {word}"})
            assert reply["error"]["code"] == -32001
        async with gw.http.get("/api/v1/inventory", headers={"authorization": f"Bearer {'n' * 20}"}) as answer:
            assert answer.status == 403


async def test_one_system_with_its_last_runs(gw: Served, system: ScriptedSystem) -> None:
    system.listed.append(camera(3))
    _, dry = await call(gw, "/systems/xp/sync", {"dry_run": True, "fresh": True})

    async def over() -> bool:
        return bool((await gw.get(f"/runs/{dry['id']}"))["finished_at"])

    await gw.until(over)
    found = await gw.get("/systems/xp")
    assert [(run["dry_run"], run["counts"]["added"], run["differences"]) for run in found["runs"]] == [
        (True, 1, []), (False, 2, []),
    ]  # fmt: skip
    told = found["system"]
    assert (told["run"]["id"], told["last_sync"]["id"]) == (dry["id"], found["runs"][1]["id"])
    assert told["next_sync"] > told["last_sync"]["finished_at"]
    async with gw.http.get("/api/v1/systems/none") as answer:
        assert answer.status == 404


async def test_a_device_says_what_its_system_knows_of_it(gw: Served, system: ScriptedSystem) -> None:
    assert (await gw.get("/devices/xp:camera:1"))["health"] is None
    system.now = [state(1, "degraded", detail="tamper"), state(2, "offline")]
    system.stream.put_nowait("new_session")

    async def known() -> bool:
        return (await gw.get("/devices/xp:camera:1"))["status"] == "degraded"

    await gw.until(known)
    assert (await gw.get("/devices/xp:camera:1"))["health"]["detail"] == "tamper"
    found = [one["id"] for one in (await gw.get("/devices", system="xp", status="offline"))["items"]]
    assert found == ["xp:camera:2"]
