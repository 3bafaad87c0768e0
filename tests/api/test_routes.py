"""What can be asked and done besides handing over events."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from serving import Served, Station, member, served

from tocsin.engine.routing import Filter


@pytest.fixture
async def gw(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as it:
        yield it


async def call(gw: Served, method: str, path: str, **more: Any) -> tuple[int, Any]:
    async with gw.http.request(method, f"/api/v1{path}", **more) as answer:
        text = await answer.read()
        return answer.status, await answer.json() if text else None


async def test_pages_of_events_join_without_gap_or_repeat(gw: Served) -> None:
    sent = [(await gw.post("test", text=str(n)))["id"] for n in range(7)]
    seen, cursor = [], ""
    while True:
        page = await gw.get("/events", limit="3", cursor=cursor)
        seen += [event["id"] for event in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sent[::-1]


async def test_events_are_filtered(gw: Served) -> None:
    first = await gw.post("motion", "d1")
    await gw.post("tamper", "d2")
    for query in ({"kind": "motion"}, {"device_id": "d1"}, {"area": "Depot"}):
        assert [event["id"] for event in (await gw.get("/events", **query))["items"]] == [first["id"]]
    assert (await gw.get("/events", since="2999-01-01T00:00:00Z"))["items"] == []
    assert (await gw.get("/events", source="elsewhere"))["items"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/events?limit=0",
        "/events?limit=501",
        "/events?cursor=x",
        "/events?since=2024-01-01T00:00:00",
        "/deliveries?state=lost",
        "/events?kind=motoin",
    ],
)
async def test_bad_parameters_are_named(gw: Served, path: str) -> None:
    status, problem = await call(gw, "GET", path)
    assert status == 422
    assert path.split("?")[1].split("=")[0] in problem["field"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/events/nothing", 404),
        ("GET", "/events/nothing/photos/1", 404),
        ("GET", "/events/nothing/deliveries/arc/trace", 404),
        ("GET", "/devices/nothing", 404),
        ("DELETE", "/devices/nothing", 404),
        ("POST", "/destinations/nothing/test", 404),
        ("POST", "/destinations/nothing/pause", 404),
        ("POST", "/destinations/nothing/resume", 404),
        ("POST", "/deliveries/1.nothing/retry", 404),
        ("POST", "/deliveries/nonsense/discard", 404),
        ("GET", "/nothing", 404),
        ("DELETE", "/events", 405),
    ],
)
async def test_what_is_not_there_is_said(gw: Served, method: str, path: str, status: int) -> None:
    found, problem = await call(gw, method, path)
    assert (found, problem["status"]) == (status, status)
    assert problem["detail"]


async def test_a_path_of_several_routes_names_all_its_methods(gw: Served) -> None:
    for path, allowed in (("/events", "GET, POST"), ("/devices/d1", "GET, PUT, DELETE"), ("/rpc", "POST")):
        async with gw.http.request("OPTIONS", f"/api/v1{path}") as answer:
            assert (answer.status, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/metrics"])
async def test_load_balancers_may_ask_by_head(gw: Served, path: str) -> None:
    async with gw.http.request("HEAD", path) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
        assert int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize(
    ("event", "detail"),
    [
        ({"kind": "motoin", "device_id": "d1"}, "kind: Invalid enum value 'motoin'; did you mean \"motion\"?"),
        (
            {"kind": "motion", "device_id": "d1", "actors": [{"class": "persons"}]},
            "actors[0].class: Invalid enum value 'persons'; did you mean \"person\"?",
        ),
    ],
)
async def test_a_misspelt_word_of_a_closed_list_is_met_with_the_nearest(gw: Served, event: Any, detail: str) -> None:
    status, problem = await call(gw, "POST", "/events", json=event)
    assert (status, problem["detail"]) == (422, detail)


async def test_a_reason_does_not_repeat_a_megabyte(gw: Served) -> None:
    status, problem = await call(gw, "POST", "/events", json={"kind": "x" * 1_000_000, "device_id": "d1"})
    assert status == 422
    assert len(problem["detail"]) < 2000
    status, counts = await call(
        gw,
        "POST",
        "/events",
        data=b'{"kind": "%s"}' % (b"x" * 100_000),
        headers={"content-type": "application/x-ndjson"},
    )
    assert (status, len(counts["refused"])) == (202, 1)
    assert len(counts["refused"][0]["reason"]) < 400


async def test_the_trace_shows_what_was_sent_and_answered(gw: Served) -> None:
    taken = await gw.post()
    await gw.settles(taken["id"], "arc", "delivered")
    trace = await gw.get(f"/events/{taken['id']}/deliveries/arc/trace")
    assert trace["delivery"]["receipt"] == "ACK 0042"
    (exchange,) = trace["exchanges"]
    assert exchange["sent"].startswith("<LF>6C2A0071")
    assert '"ACK"' in exchange["answer"]
    assert (await call(gw, "GET", f"/events/{taken['id']}/deliveries/other/trace"))[0] == 404


async def test_what_a_station_refused_is_tried_again_or_discarded(tmp_path: Path) -> None:
    station = Station("arc", "refuses")
    async with served(tmp_path, [member(station)]) as gw:
        first, second = await gw.post(), await gw.post()
        for taken in (first, second):
            await gw.settles(taken["id"], "arc", "rejected")
        aside = await gw.get("/deliveries", state="rejected", destination="arc")
        assert {item["reason"] for item in aside["items"]} == {"the station does not know account 9280"}
        keys = {item["event_id"]: item["id"] for item in aside["items"]}
        station.mood = "takes"
        assert (await call(gw, "POST", f"/deliveries/{keys[first['id']]}/retry"))[0] == 202
        await gw.settles(first["id"], "arc", "delivered")
        status, discarded = await call(gw, "POST", f"/deliveries/{keys[second['id']]}/discard")
        assert (status, discarded["state"]) == (200, "discarded")
        for act in ("retry", "discard"):
            status, problem = await call(gw, "POST", f"/deliveries/{keys[first['id']]}/{act}")
            assert (status, "delivered" in problem["detail"]) == (409, True)


async def test_pages_of_deliveries_join(tmp_path: Path) -> None:
    async with served(tmp_path, [member(Station("a")), member(Station("b"))]) as gw:
        for _ in range(3):
            await gw.post()
        everything = {item["id"] for item in (await gw.get("/deliveries"))["items"]}
        seen, cursor = [], ""
        for _ in range(9):
            page = await gw.get("/deliveries", limit="2", cursor=cursor)
            seen += [item["id"] for item in page["items"]]
            cursor = page["next_cursor"] or ""
            if not cursor:
                break
        assert sorted(seen) == sorted(everything)
        assert len(everything) == 6


async def test_a_filtered_event_says_which_rule_said_no(tmp_path: Path) -> None:
    only_fire = member(Station("arc"), filter_=Filter(kinds=frozenset({"fire"})))
    async with served(tmp_path, [only_fire]) as gw:
        taken = await gw.post("motion")
        assert taken["destinations"] == []
        (delivery,) = (await gw.get(f"/events/{taken['id']}"))["deliveries"]
        assert (delivery["state"], delivery["reason"]) == ("filtered", "filter.kinds: motion is not among fire")


async def test_a_paused_destination_keeps_everything_until_it_goes_on(gw: Served) -> None:
    status, view = await call(gw, "POST", "/destinations/arc/pause")
    assert (status, view["state"]) == (200, "paused")
    taken = await gw.post()
    (view,) = (await gw.get("/destinations"))["items"]
    assert view["pending"]["alarm"] == 1
    assert view["oldest_pending"] is not None
    assert (await call(gw, "POST", "/destinations/arc/resume"))[1]["state"] != "paused"
    await gw.settles(taken["id"], "arc", "delivered")
    (view,) = (await gw.get("/destinations"))["items"]
    assert (view["state"], view["host"], sum(view["pending"].values())) == ("up", "192.0.2.5:4001", 0)
    assert view["last_delivered"]["event_id"] == taken["id"]


async def test_a_test_event_is_marked_and_goes_to_one_destination(tmp_path: Path) -> None:
    async with served(tmp_path, [member(Station("a")), member(Station("b"))]) as gw:
        status, taken = await call(gw, "POST", "/destinations/a/test")
        assert (status, taken["destinations"]) == (202, ["a"])
        await gw.settles(taken["id"], "a", "delivered")
        assert (await gw.get(f"/events/{taken['id']}"))["flags"] == ["test"]


DEVICE = {"name": "Gate", "area": "Depot", "type": "panel", "routine": "24h", "time_zone": "Europe/Tallinn"}


async def test_a_device_is_written_read_used_and_forgotten(gw: Served) -> None:
    addressed = {**DEVICE, "addresses": {"arc": {"account": "0042", "area": "01", "zone": "001"}}}
    status, device = await call(gw, "PUT", "/devices/n1", json=addressed)
    assert (status, device["routine_s"], device["addresses"]) == (200, 86400.0, {"arc": "#0042|01-001"})
    taken = await gw.post(device_id="n1")
    assert (await gw.get(f"/events/{taken['id']}"))["place"]["name"] == "Gate"
    assert [item["id"] for item in (await gw.get("/devices", type="panel", area="Depot"))["items"]] == ["n1"]
    assert (await call(gw, "DELETE", "/devices/n1"))[0] == 204
    assert (await call(gw, "GET", "/devices/n1"))[0] == 404


async def test_customer_and_time_zone_come_from_the_area(gw: Served) -> None:
    areas = [
        {"name": "South", "customer_id": "acct-77", "time_zone": "Europe/Tallinn"},
        {"name": "South gate", "parent": "South"},
    ]
    assert (await call(gw, "POST", "/import", json={"areas": areas}))[0] == 200
    await call(gw, "PUT", "/devices/n1", json={"area": "South gate"})
    await call(gw, "PUT", "/devices/n2", json={"area": "South gate", "customer_id": "acct-1"})
    device = await gw.get("/devices/n1")
    assert (device["customer_id"], device["time_zone"]) == ("acct-77", "Europe/Tallinn")
    assert device["inherited"] == ["customer_id", "time_zone"]
    for asked, found in (({"customer_id": "acct-77"}, ["n1"]), ({"area": "South"}, ["n1", "n2"])):
        assert [item["id"] for item in (await gw.get("/devices", **asked))["items"]] == found


async def test_pages_of_devices_join(gw: Served) -> None:
    for n in range(4):
        await call(gw, "PUT", f"/devices/x{n}", json={})
    first = await gw.get("/devices", limit="4")
    rest = await gw.get("/devices", limit="4", cursor=first["next_cursor"])
    assert [item["id"] for item in (*first["items"], *rest["items"])] == ["d1", "d2", "x0", "x1", "x2", "x3"]
    assert rest["next_cursor"] is None


async def test_a_configured_device_cannot_be_changed_here(gw: Served) -> None:
    for method, more in (("PUT", {"json": DEVICE}), ("DELETE", {})):
        status, problem = await call(gw, method, "/devices/d1", **more)
        assert status == 409
        assert "configuration" in problem["detail"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("time_zone", "Mars/Olympus"), ("routine", "daily"), ("name", 5), ("addresses", {"arc": {"account": 42}})],
)
async def test_a_bad_device_is_refused_with_the_field(gw: Served, field: str, value: Any) -> None:
    status, problem = await call(gw, "PUT", "/devices/n1", json={field: value})
    assert status == 422
    assert problem["field"].startswith(field)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b"5", -32600),
        (b'{"jsonrpc": "1.0", "method": "gateway.status", "id": 1}', -32600),
        (b'{"jsonrpc": "2.0", "method": "nothing", "id": 1}', -32601),
        (b'{"jsonrpc": "2.0", "method": "gateway.status", "params": [1], "id": 1}', -32602),
    ],
)
async def test_bad_calls_are_answered_as_json_rpc_says(gw: Served, body: bytes, code: int) -> None:
    status, reply = await call(gw, "POST", "/rpc", data=body, headers={"content-type": "application/json"})
    assert (status, reply["error"]["code"]) == (200, code)


async def test_the_gateways_status_by_rpc_alone_in_a_batch_and_as_notification(gw: Served) -> None:
    ask = {"jsonrpc": "2.0", "method": "gateway.status", "id": "a"}
    reply = (await call(gw, "POST", "/rpc", json=ask))[1]
    assert (reply["id"], reply["result"]["name"], reply["result"]["ready"]) == ("a", "north-depot", True)
    silent = {"jsonrpc": "2.0", "method": "gateway.status"}
    assert (await call(gw, "POST", "/rpc", json=silent))[0] == 204
    replies = (await call(gw, "POST", "/rpc", json=[ask, silent, {**ask, "id": 2}]))[1]
    assert [one["id"] for one in replies] == ["a", 2]
    assert (await call(gw, "POST", "/rpc", json=[ask] * 51))[0] == 413


async def test_devices_by_their_state(gw: Served) -> None:
    written = {"routine": "24h", "thresholds": {"battery_low": 25, "battery_critical": 10}}
    status, device = await call(gw, "PUT", "/devices/n1", json=written)
    assert (status, device["thresholds"]) == (200, {"battery_low": 25, "battery_critical": 10})
    assert (device["status"], device["last_contact"], device["battery"]) == ("unknown", None, None)
    await gw.post(device_id="n1", battery=20)
    device = await gw.get("/devices/n1")
    assert (device["status"], device["battery"], device["battery_state"]) == ("online", 20, "low")
    assert datetime.fromisoformat(device["last_contact"]).tzinfo is not None
    assert [item["id"] for item in (await gw.get("/devices", status="online"))["items"]] == ["n1"]
    assert "n1" not in [item["id"] for item in (await gw.get("/devices", status="unknown"))["items"]]
    assert (await gw.get("/devices", status="offline"))["items"] == []
    assert (await call(gw, "GET", "/devices?status=dead"))[0] == 422
    for wrong in ({"battery_low": 10, "battery_critical": 10}, {"battery_low": 0}, {"low": 1}):
        assert (await call(gw, "PUT", "/devices/n1", json={"thresholds": wrong}))[0] == 422
    assert (await call(gw, "PUT", "/devices/n1", json={"routine": "0s"}))[0] == 422
