"""Areas and devices in bulk: a diff first, all or nothing, the same twice changes nothing; warnings at once."""

import random
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from serving import AREAS, Served, served

from tocsin.api.access import Access, Token, digest
from tocsin.api.merging import Merge, leave_out_hanging, merged_area, merged_device, parent_problem
from tocsin.api.problems import Problem
from tocsin.api.written import (
    AreaIn,
    DeviceIn,
    ThresholdsIn,
    device_as_written,
    duration_as_written,
    meant_area,
    meant_device,
)
from tocsin.config.fields import parse_duration
from tocsin.destinations.dc09.destination import build
from tocsin.destinations.dc09.settings import Dc09Settings
from tocsin.destinations.surroundings import Surroundings
from tocsin.engine.areas import AreaTree
from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import ORIGIN_AREA
from tocsin.engine.gateway import Member
from tocsin.model.device import Device
from tocsin.telemetry.occurrences import Trouble
from tocsin.transports.sockets import SocketNetwork


@pytest.fixture
async def gw(tmp_path: Path) -> AsyncIterator[Served]:
    """One DC-09 station that nobody reaches, and the devices d1 and d2 of the configuration."""
    given = {"name": "arc", "type": "dc09", "hosts": ["127.0.0.1:1"], "supervision": "off"}
    areas = AreaTree(AREAS)
    around = Surroundings(LoopClock(), random.Random(1), SocketNetwork(), lambda _: None, area_address=areas.address)
    station = Member(build(Dc09Settings(**given), around), "dc09", "")
    async with served(tmp_path, [station], areas=areas) as it:
        yield it


async def call(gw: Served, method: str, path: str, **more: Any) -> tuple[int, Any]:
    async with gw.http.request(method, f"/api/v1{path}", **more) as answer:
        return answer.status, await answer.json() if answer.status != 204 else None


async def imported(gw: Served, query: str = "", **rows: Any) -> Any:
    status, answer = await call(gw, "POST", f"/import{query}", json=rows)
    assert status == 200, answer
    return answer


async def test_saving_a_device_says_at_once_what_is_wrong_with_its_address(gw: Served) -> None:
    status, device = await call(gw, "PUT", "/devices/cam", json={"description": "Gate cam SIA:#12"})
    assert status == 200
    (entry,) = device["destinations"]
    assert (entry["destination"], entry["told"], entry["address"]) == ("arc", True, "")
    assert "the account has 2 characters" in entry["warning"]
    assert "there is no address for arc" in entry["problem"]
    assert len(device["warnings"]) == 2
    assert [one.component for one in gw.occurrences if isinstance(one, Trouble)] == ["device cam"] * 2
    _, device = await call(gw, "PUT", "/devices/cam", json={"description": "SIA:#9280|00-001"})
    assert device["warnings"] == []
    assert device["destinations"][0]["address"] == "#9280|00-001"
    assert (await gw.get("/devices/cam")) == device
    listed = {one["id"]: one for one in (await gw.get("/devices"))["items"]}
    assert listed["cam"] == device


async def test_a_list_may_be_written_as_the_station_writes_it_and_names_no_stranger(gw: Served) -> None:
    _, device = await call(gw, "PUT", "/devices/cam", json={"addresses": {"arc": "#0042|01-002", "arx": "#1"}})
    assert device["addresses"] == {"arc": "#0042|01-002", "arx": "#1"}
    assert device["destinations"][0]["address"] == "#0042|01-002"
    assert device["warnings"] == ["addresses: there is no destination 'arx'"]


async def test_an_area_lends_its_address_and_gives_it_to_the_areas_below(gw: Served) -> None:
    status, area = await call(gw, "PUT", "/areas/West", json={"parent": "North", "addresses": {"arc": "#4400"}})
    assert (status, area["origin"], area["addresses"]) == (200, "api", {"arc": "#4400"})
    _, device = await call(gw, "PUT", "/devices/cam", json={"area": "West"})
    assert (device["destinations"][0]["address"], device["destinations"][0]["origin"]) == ("#4400", ORIGIN_AREA)
    _, device = await call(gw, "PUT", "/devices/cam", json={"area": "North"})
    assert device["destinations"][0]["address"] == "", "upwards only"
    assert [one["name"] for one in (await gw.get("/areas"))["items"]] == ["Depot", "North", "West", "Yard"]
    assert (await call(gw, "DELETE", "/areas/West"))[0] == 204
    assert (await call(gw, "DELETE", "/areas/West"))[0] == 404


async def test_events_follow_a_change_of_areas_at_once(gw: Served) -> None:
    async def address_of_next() -> str:
        event = await gw.get(f"/events/{(await gw.post(device_id='cam'))['id']}")
        return str(event["deliveries"][0]["address"])

    await call(gw, "PUT", "/areas/West", json={"addresses": {"arc": "#4400"}})
    await call(gw, "PUT", "/areas/Inner", json={"parent": "West"})
    await call(gw, "PUT", "/devices/cam", json={"area": "Inner"})
    assert await address_of_next() == "#4400"
    await call(gw, "PUT", "/areas/West", json={"addresses": {"arc": "#4411"}})
    assert await address_of_next() == "#4411"
    await call(gw, "PUT", "/areas/Inner", json={"parent": "North"})
    assert await address_of_next() == ""


async def test_an_area_is_not_forgotten_while_something_lies_in_it(gw: Served) -> None:
    """Else what lies in it would silently fall out of every filter by an area above."""
    await call(gw, "PUT", "/areas/West", json={"parent": "North"})
    await call(gw, "PUT", "/areas/Inner", json={"parent": "West"})
    await call(gw, "PUT", "/devices/cam", json={"area": "Inner"})
    for name, inside in (("West", "the area Inner"), ("Inner", "the device cam")):
        status, answer = await call(gw, "DELETE", f"/areas/{name}")
        assert (status, inside in answer["detail"]) == (409, True)
    assert gw.gateway.devices.areas.lineage("Inner") == ("Inner", "West", "North")
    await call(gw, "DELETE", "/devices/cam")
    assert [(await call(gw, "DELETE", f"/areas/{name}"))[0] for name in ("Inner", "West")] == [204, 204]


@pytest.mark.parametrize(
    ("name", "parent", "status", "reason"),
    [
        ("West", "Nowhere", 422, "there is no area 'Nowhere'"),
        ("West", "West", 422, "within itself"),
        ("Yard", "North", 200, ""),
    ],
)
async def test_an_area_lies_in_one_that_is_there(gw: Served, name: str, parent: str, status: int, reason: str) -> None:
    found, answer = await call(gw, "PUT", f"/areas/{name}", json={"parent": parent})
    assert found == status
    assert reason in answer.get("detail", "")


ROWS = {
    "areas": [{"name": "East", "parent": "North"}, {"name": "Gate", "parent": "East"}],
    "devices": [
        {"id": "e1", "area": "Gate", "description": "SIA:#9280", "routine": "24h"},
        {"id": "e2", "addresses": {"arc": "#9281|00-002"}},
    ],
}


async def test_a_dry_run_shows_and_changes_nothing_then_all_is_written_once(gw: Served) -> None:
    dry = await imported(gw, "?dry_run=true", **ROWS)
    assert (dry["applied"], dry["areas"]["added"], dry["devices"]["added"]) == (False, ["East", "Gate"], ["e1", "e2"])
    assert [one["id"] for one in (await gw.get("/devices"))["items"]] == ["d1", "d2"]
    done = await imported(gw, **ROWS)
    assert (done["applied"], done["devices"]) == (True, dry["devices"])
    again = await imported(gw, **ROWS)
    assert again["areas"] == again["devices"] == {"added": [], "changed": [], "unchanged": 2}
    (audit,) = await gw.gateway.store.audit_entries(10)
    assert (audit.action, audit.subject) == ("import", "2 areas, 2 devices")
    kept = {area.name for area in await gw.gateway.store.areas()}
    assert (kept, gw.gateway.devices.areas.lineage("Gate")) == ({"East", "Gate"}, ("Gate", "East", "North"))


async def test_what_a_row_does_not_mention_stays_and_an_empty_address_goes(gw: Served) -> None:
    await imported(gw, **ROWS)
    found = await imported(gw, devices=[{"id": "e1", "name": "East gate"}, {"id": "e2", "addresses": {"arc": ""}}])
    assert found["devices"]["changed"] == [
        {"id": "e1", "fields": {"name": ["", "East gate"]}},
        {"id": "e2", "fields": {"addresses": ["arc #9281|00-002", ""]}},
    ]
    assert [one["text"][:32] for one in found["warnings"]] == ["arc: there is no address for arc"]
    east = await gw.get("/devices/e1")
    assert (east["description"], east["routine_s"], east["name"]) == ("SIA:#9280", 86400.0, "East gate")
    assert (await gw.get("/devices/e2"))["addresses"] == {}


BAD: list[tuple[str, Any, str]] = [
    ("devices", {"id": "no good"}, "id: expected"),
    ("devices", {}, "id: expected"),
    ("devices", {"id": ["x"]}, "id: expected"),
    ("devices", {"id": "x", "nmae": "y"}, "nmae"),
    ("devices", {"id": "x", "name": 7}, "name: Expected str"),
    ("devices", {"id": "x", "time_zone": "Mars"}, "no IANA time zone"),
    ("devices", {"id": "x", "routine": "soon"}, "routine: expected a duration"),
    ("devices", {"id": "x", "addresses": {"arc": "a b"}}, "addresses"),
    ("devices", {"id": "x", "addresses": "arc"}, "addresses: Expected object"),
    ("devices", {"id": "good"}, "given twice"),
    ("devices", {"id": "d1", "name": "Other"}, "written in the configuration file"),
    ("areas", {"name": "W", "parent": "Nowhere"}, "there is no area 'Nowhere'"),
    ("areas", {"name": "W", "parent": "W"}, "within itself"),
    ("areas", {"name": ""}, "1 to 200 characters"),
    ("areas", {"name": "a\nb"}, "1 to 200 characters"),
    ("areas", {"name": ["x"]}, "name: text is expected"),
    ("areas", {"name": "W", "parent": ["x"]}, "parent: Expected str"),
]


@pytest.mark.parametrize(("kind", "row", "reason"), BAD)
async def test_a_row_that_cannot_be_used_is_named_and_stops_all_unless_left_out(
    gw: Served, kind: str, row: Any, reason: str
) -> None:
    rows: dict[str, list[Any]] = {"areas": [], "devices": [{"id": "good"}]}
    rows[kind].append(row)
    stopped = await imported(gw, **rows)
    (refused,) = stopped["refused"]
    assert (refused["what"], refused["n"]) == (kind.removesuffix("s"), len(rows[kind]))
    assert reason in refused["reason"]
    assert (stopped["applied"], (await call(gw, "GET", "/devices/good"))[0]) == (False, 404)
    assert (await imported(gw, "?skip_bad=true", **rows))["applied"]
    assert (await call(gw, "GET", "/devices/good"))[0] == 200


async def test_what_lies_in_an_area_that_is_left_out_is_left_out_too(gw: Served) -> None:
    rows = [
        {"name": "Bad", "parent": "North", "time_zone": "Nowhere"},
        {"name": "Inner", "parent": "Bad"},
        {"name": "Innermost", "parent": "Inner"},
        {"name": "Good", "parent": "North"},
    ]
    found = await imported(gw, "?skip_bad=true", areas=rows)
    assert (found["areas"]["added"], [one["n"] for one in found["refused"]]) == (["Good"], [1, 2, 3])
    assert all("it lies in 'Bad', which cannot be used" in one["reason"] for one in found["refused"][1:])
    assert gw.gateway.devices.areas.get("Inner") is None


def test_thousands_of_areas_are_left_out_in_a_moment() -> None:
    """The gateway does nothing else meanwhile."""
    rows: list[Any] = [{"name": "a0", "time_zone": "Nowhere"}]
    rows += [{"name": f"a{n}", "parent": f"a{n - 1 if n % 2 else 0}"} for n in range(1, 6000)]
    areas = Merge[Any]("area", lambda row: merged_area(row, None))
    for row in rows:
        areas.add(row)
    started = time.process_time()
    leave_out_hanging(areas, {})
    assert time.process_time() - started < 0.3
    assert (areas.wanted, areas.added, len(areas.refused)) == ([], [], 6000)


async def test_a_row_that_is_left_out_closes_no_circle(gw: Served) -> None:
    await imported(gw, areas=[{"name": "Outer", "parent": ""}, {"name": "Inner", "parent": "Outer"}])
    rows = [{"name": "Inner", "parent": "", "time_zone": "Nowhere"}, {"name": "Outer", "parent": "Inner"}]
    found = await imported(gw, "?skip_bad=true", areas=rows)
    assert (found["areas"]["changed"], [one["n"] for one in found["refused"]]) == ([], [1, 2])
    assert gw.gateway.devices.areas.lineage("Inner") == ("Inner", "Outer")


async def test_configured_devices_may_stand_in_the_file_as_they_are(gw: Served) -> None:
    found = await imported(gw, devices=[{"id": "d1", "name": "Gate camera", "area": "Depot"}])
    assert (found["applied"], found["devices"]["unchanged"], found["refused"]) == (True, 1, [])


async def test_a_narrowed_token_imports_devices_of_its_areas_and_no_areas(tmp_path: Path) -> None:
    north = Token("north", frozenset({"devices:write", "read"}), frozenset({"North"}), digest=digest("n" * 16))
    headers = {"authorization": f"Bearer {'n' * 16}"}
    async with served(tmp_path, access=Access((north,)), headers=headers, console=False) as gw:
        rows = {"areas": [{"name": "Yard", "parent": "North"}], "devices": [{"id": "x", "area": "Depot"}]}
        found = await imported(
            gw,
            "?skip_bad=true",
            **rows,
        )
        assert "is narrowed, so it may write no areas" in found["refused"][0]["reason"]
        assert found["devices"]["added"] == ["x"]
        found = await imported(gw, devices=[{"id": "y", "area": "Yard"}, {"id": "d2", "area": "Depot"}])
        assert ["may not write devices of this area" in one["reason"] for one in found["refused"]] == [True, True]
        assert (await call(gw, "PUT", "/areas/Yard", json={"parent": "North"}))[0] == 403
        assert [one["name"] for one in (await gw.get("/areas"))["items"]] == ["Depot", "North"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
ANY_ROW = st.dictionaries(
    st.sampled_from(["id", "name", "area", "parent", "routine", "addresses", "time_zone", "description", "x"]), JSON
)


@given(st.lists(ANY_ROW, max_size=5))
@hypothesis_settings(max_examples=200, deadline=None)
def test_any_row_is_taken_or_refused_with_a_reason(rows: list[Any]) -> None:
    for what, take in (("device", merged_device), ("area", merged_area)):
        merge: Merge[Any] = Merge(what, lambda row, take=take: take(row, None))  # type: ignore[arg-type]
        for row in rows:
            merge.add(row)
        assert len(merge.wanted) + len(merge.refused) == len(rows)
        assert all(one.reason for one in merge.refused)


@given(st.floats(0.001, 1e7).map(lambda seconds: round(seconds, 3)) | st.integers(1, 10_000_000).map(float))
def test_durations_survive_being_written(seconds: float) -> None:
    assert parse_duration(duration_as_written(seconds)) == pytest.approx(seconds)


def test_a_device_survives_being_written() -> None:
    given = DeviceIn(
        *("Gate", "detector", "North", "SIA:#1234", "c", "Europe/Tallinn", "90m", ThresholdsIn(25, 10)),
        schedule="Mon-Fri 18:00-06:00",
        addresses={"arc": "#0042|01-002"},
    )
    device = meant_device("cam", given)
    assert device_as_written(device)["routine"] == "90m"
    assert merged_device({"id": "cam", **device_as_written(device)}, device) is None
    assert merged_device({"id": "cam"}, device) is None
    without, change = merged_device({"id": "cam", "thresholds": None}, device) or (device, None)
    assert without.thresholds is None
    assert change is not None
    assert change.fields == {"thresholds": ("battery_critical 10, battery_low 25", "")}
    assert duration_as_written(None) == ""


def test_circles_of_areas_are_seen() -> None:
    def parents(**given: str) -> dict[str, str]:
        return given

    area = meant_area("a", AreaIn(parent="b"))
    assert parent_problem(area, parents(a="b", b="c", c="a")) == "parent: this area would lie within itself"
    assert parent_problem(area, parents(a="b", b="c", c="b")) == ""
    assert parent_problem(area, parents(a="b", b="")) == ""
    with pytest.raises(Problem):
        meant_area("", AreaIn())
    assert Device("x").origin == "api"
