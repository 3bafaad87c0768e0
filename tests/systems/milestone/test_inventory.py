"""The inventory against a stand-in site: the scenarios of connectors.md 10.2, by their numbers."""

import asyncio
import tracemalloc
from typing import Any

import pytest

from tocsin.engine.systems import LoginRefused, Misconfigured, ProtocolFault, Unreachable
from tocsin.standins.milestone.site import Plan, identity
from tocsin.standins.milestone.switches import Assumptions, Fault, Login

LARGE = Plan(cameras=2500, boxes=800)
FAST = {"macs": False, "location": "site"}


def keys(devices: list[Any]) -> set[tuple[str, str]]:
    return {(one.kind, one.native_key) for one in devices}


async def test_scenario_1_all_of_2500_cameras_once_quickly_and_in_little_memory(bench: Any) -> None:
    one = await bench(LARGE)
    tracemalloc.start()
    async with asyncio.timeout(60):
        devices, notes = await one.read()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(devices), len(keys(devices)), notes) == (2501, 2501, [])
    assert peak < 200e6
    assert all(device.macs for device in devices if device.kind == "camera")


async def test_the_number_of_requests_is_the_least(bench: Any) -> None:
    one = await bench(LARGE)
    await one.read()
    assert {part: len(one.requests(part)) for part in ("connect/token", "/cameras?", "hardwareDriverSettings")} == {
        "connect/token": 1,
        "/cameras?": 13 + 3 * 5,  # the cameras, and those of three groups
        "hardwareDriverSettings": 800,
    }
    one.told.clear()
    await one.read()
    assert one.requests("hardwareDriverSettings") == []
    assert len(one.told) == 2 + 1 + 5 + 13 + 1 + 3 * 5


@pytest.mark.parametrize("paging", ["ignored", "size-ignored"])
async def test_scenario_2_a_server_that_ignores_page_or_size(bench: Any, paging: Any) -> None:
    plan = Plan(cameras=600, boxes=200)
    honest = await bench(plan, **FAST)
    other = await bench(plan, assumptions=Assumptions(paging=paging), **FAST)
    assert await other.read() == await honest.read()
    assert len(other.requests("cameras?")) == 1


async def test_scenario_2_exactly_one_page_from_a_server_that_ignores_page(bench: Any) -> None:
    one = await bench(Plan(cameras=200, boxes=10), assumptions=Assumptions(paging="ignored"), **FAST)
    devices, notes = await one.read()
    assert (len(devices), notes) == (201, [])
    assert len(one.requests("cameras?")) == 2


async def test_scenario_3_a_page_that_times_out_twice_is_had_at_the_third_try(bench: Any) -> None:
    one = await bench(LARGE, list_timeout="300ms", **FAST)
    one.site.gateway.faults = [Fault("cameras?disabled&page=6", "silent", 2)]
    devices, notes = await one.read()
    assert (len(devices), notes) == (2501, [])
    assert len(one.requests("cameras?disabled&page=6")) == 3


@pytest.mark.parametrize("how", ["503", "close", "page"])
async def test_scenario_4_a_page_that_fails_for_good_makes_it_partial(bench: Any, how: str) -> None:
    one = await bench(LARGE, **FAST)
    one.site.gateway.faults = [Fault("cameras?disabled&page=6", how, 0)]
    devices, notes = await one.read()
    assert len(devices) == 1 + 6 * 200
    assert [note.partial for note in notes] == [True]
    assert notes[0].text.startswith("cameras: 1200 read, then it failed: ")


async def test_a_refused_resource_is_partial_and_the_rest_is_there(bench: Any) -> None:
    one = await bench(**FAST)
    one.site.gateway.faults = [Fault("recordingServers", "403", 0)]
    devices, notes = await one.read()
    assert len(devices) == 12
    assert [(note.partial, "not for this user" in note.text) for note in notes] == [(True, True)]


@pytest.mark.parametrize("what", ["cameraGroups?", "cameraGroups/"])
async def test_groups_that_cannot_be_read_are_partial_for_rules_may_go_by_the_location(bench: Any, what: str) -> None:
    one = await bench(macs=False)
    one.site.gateway.faults = [Fault(what, "403", 0)]
    devices, notes = await one.read()
    assert keys(devices)
    assert [(note.partial, "groups" in note.text.lower()) for note in notes] == [(True, True)]


async def test_scenario_8_a_token_that_expires_meanwhile_costs_one_login(bench: Any) -> None:
    one = await bench(LARGE)
    await one.read()
    one.told.clear()
    await one.site.happens("revoke", 0)
    devices, notes = await one.read()
    assert (len(devices), len(keys(devices)), notes) == (2501, 2501, [])
    assert len(one.requests("connect/token")) == 1


async def test_scenario_8_many_at_once_with_a_spent_token_log_in_once(bench: Any) -> None:
    one = await bench(Plan(cameras=400, boxes=100), login=Login(life_s=0.15))
    one.site.gateway.delay_s = 0.01
    devices, notes = await one.read()
    assert (len(keys(devices)), notes) == (401, [])
    logins, refused = len(one.requests("connect/token")), len([one for one in one.told if one.get("status") == 401])
    assert 2 <= logins <= 1 + refused


async def test_a_token_is_renewed_before_it_ends(bench: Any) -> None:
    one = await bench(**FAST)
    await one.read()
    one.clock.skipped_s += 3600 - 59
    await one.read()
    assert len(one.requests("connect/token")) == 2
    assert [each for each in one.told if each.get("status") == 401] == []


async def test_scenario_9_a_wrong_password_is_tried_three_times_in_the_first_hour(bench: Any) -> None:
    one = await bench(password="wrong", **FAST)
    for _ in range(60):
        with pytest.raises(LoginRefused, match="invalid_username_or_password"):
            await one.read()
        one.clock.skipped_s += 60
    assert len(one.requests("connect/token")) == 3


async def test_scenario_9_a_locked_account_is_left_alone(bench: Any) -> None:
    one = await bench(login=Login(locked=True), **FAST)
    for _ in range(14):
        with pytest.raises(LoginRefused, match=r"locked the account \(LockedOut\)"):
            await one.read()
        one.clock.skipped_s += 60
    assert len(one.requests("connect/token")) == 1


async def test_scenario_26_a_wrong_password_is_never_a_state_of_devices(bench: Any) -> None:
    one = await bench(password="wrong")
    with pytest.raises(LoginRefused) as refused:
        _ = [state async for state in one.system.baseline()]
    assert refused.value.status == "auth_failed"
    with pytest.raises(LoginRefused):
        _ = [state async for state in one.system.states()]


async def test_scenario_20_mac_addresses_are_handed_on_as_they_stand(bench: Any) -> None:
    one = await bench(Plan(cameras=6, boxes=6))
    zoo = ["3C-EF-8C-0A-51-7E", "3cef8c0a517e", "3cef.8c0a.517e", "000000000000", "", "5792c4:5792c5:5792c6:1:2:3"]
    one.site.site.macs = {identity("box", number): mac for number, mac in enumerate(zoo, start=1)}
    devices, _ = await one.read()
    found = [device.macs for device in devices if device.kind == "camera"]
    assert found == [(mac,) if mac else () for mac in zoo]


async def test_scenario_21_four_cameras_on_one_box_are_four_devices(bench: Any) -> None:
    one = await bench(Plan(cameras=4, boxes=1))
    devices, _ = await one.read()
    cameras = [device for device in devices if device.kind == "camera"]
    assert len(keys(cameras)) == 4
    assert {(camera.macs, camera.address, camera.subtype, camera.parent) for camera in cameras} == {
        (("02:00:5E:00:00:01",), "http://192.0.2.2/", "multisensor", ("hardware", identity("box", 1)))
    }


async def test_what_a_camera_is_told_to_be(bench: Any) -> None:
    one = await bench(Plan(cameras=10, boxes=10))
    one.site.site.cameras[0]["enabled"] = False
    devices, notes = await one.read()
    disabled, fixed, ptz = devices[1], devices[2], devices[10]
    assert notes == []
    assert (devices[0].kind, devices[0].name, devices[0].hostname) == ("recorder", "Recorder 1", "127.0.0.1")
    assert (disabled.enabled, disabled.location) == (False, "Perimeter")
    assert (fixed.name, fixed.subtype, fixed.location) == ("Camera 2", "fixed", "Perimeter/Dock")
    assert ptz.subtype == "ptz"
    assert fixed.attributes == {
        "model": "AXIS P3265-LV", "firmware": "11.8.61", "serial": "02005E000002", "recorder": "Recorder 1",
        "gps": "55.6761,12.5683", "recording_enabled": True,
    }  # fmt: skip
    assert "root" not in repr(devices)


@pytest.mark.parametrize("where", ["HardwareDriverSettings", "older"])
async def test_mac_addresses_wherever_a_version_has_them(bench: Any, where: Any) -> None:
    one = await bench(assumptions=Assumptions(driver_settings=where))
    devices, notes = await one.read()
    assert notes == []
    assert all(device.macs for device in devices if device.kind == "camera")


async def test_a_version_without_mac_addresses_is_not_asked_for_all(bench: Any) -> None:
    one = await bench(Plan(cameras=200, boxes=200), assumptions=Assumptions(driver_settings="none"))
    _, notes = await one.read()
    assert [(note.partial, "does not tell" in note.text) for note in notes] == [(False, True)]
    assert len(one.requests("ettings")) < 40


async def test_a_box_is_asked_again_only_after_a_change(bench: Any) -> None:
    one = await bench()
    await one.read()
    one.told.clear()
    one.site.site.hardware[2]["lastModified"] = "2026-01-20T14:02:11.4030000Z"
    await one.read()
    assert [request["request"].rpartition("/")[2] for request in one.requests("DriverSettings")] == [identity("box", 3)]


async def test_an_inventory_does_not_wait_long_for_mac_addresses(bench: Any) -> None:
    one = await bench(mac_wait="200ms", timeout="30s")
    one.site.gateway.faults = [Fault("DriverSettings", "silent", 8)]
    devices, notes = await one.read()
    assert len(devices) == 13
    assert [(note.partial, note.text.partition(":")[0]) for note in notes] == [
        (False, "MAC address, serial and firmware are missing for 8 of 8 boxes")
    ]


async def test_tokens_where_the_gateway_does_not_give_them(bench: Any) -> None:
    one = await bench(assumptions=Assumptions(identity_provider="root"), **FAST)
    devices, _ = await one.read()
    assert len(devices) == 13
    one.clock.skipped_s += 4000
    await one.read()
    assert [request["request"] for request in one.requests("connect/token")] == [
        "POST /API/IDP/connect/token", "POST /IDP/connect/token", "POST /IDP/connect/token",
    ]  # fmt: skip


async def test_a_web_page_in_place_of_json_is_named(bench: Any) -> None:
    one = await bench(**FAST)
    one.site.gateway.faults = [Fault("/api/", "page", 0)]
    with pytest.raises(ProtocolFault, match=r"web page \(“Sign in”\) instead of JSON"):
        await one.read()


@pytest.mark.parametrize("where", ["token", "sites"])
async def test_nothing_is_sent_on_to_another_host(bench: Any, where: str) -> None:
    other = await bench(**FAST)
    one = await bench(**FAST)
    one.site.gateway.redirect_to = str(other.system._settings.url) + "/API/IDP/connect/token"
    one.site.gateway.faults = [Fault(where, "redirect", 0)]
    with pytest.raises(Misconfigured, match="Nothing is sent there"):
        await one.read()
    assert other.told == []


async def test_scenario_7_a_system_that_goes_away_is_unreachable(bench: Any) -> None:
    one = await bench(**FAST)
    await one.read()
    await one.site.aclose()
    with pytest.raises(Unreachable, match="nothing listens"):
        await one.read()


async def test_what_cannot_be_read_is_left_out_and_said(bench: Any) -> None:
    one = await bench(**FAST)
    one.site.site.cameras[3]["channel"] = {"no": "number"}
    devices, notes = await one.read()
    assert len(devices) == 12
    assert [(note.partial, note.text) for note in notes] == [(True, "cameras: 1 of 12 cannot be read")]


async def test_scenario_29_the_password_is_in_nothing_we_say(bench: Any) -> None:
    one = await bench(password="s3cr3t&wrong")
    with pytest.raises(LoginRefused) as refused:
        await one.read()
    steps = await one.system.check()
    assert "s3cr3t" not in f"{refused.value!r} {steps!r} {one.occurrences!r} {one.system._settings!r}"
