"""States of devices over the Events and State WebSocket of a stand-in site (connectors.md 4.6, 10.2)."""

import asyncio
from typing import Any

import pytest

from tocsin.engine.systems import NotSupported, Unreachable
from tocsin.model.inventory import FoundState
from tocsin.standins.milestone.site import Plan, identity
from tocsin.standins.milestone.switches import Assumptions, Fault
from tocsin.systems.milestone import stream

FAST = {"macs": False, "location": "site"}


class Following:
    """What the connector says, taken in order, with a deadline."""

    def __init__(self, system: Any) -> None:
        self._states = system.states()

    async def next(self) -> Any:
        async with asyncio.timeout(10):
            found = await anext(self._states)
        return (found.kind, found.native_key, found.state, found.reason) if isinstance(found, FoundState) else found

    async def live(self) -> None:
        assert [await self.next(), await self.next()] == ["new_session", "live"]

    async def aclose(self) -> None:
        await self._states.aclose()


def camera(number: int, state: str, reason: str) -> tuple[str, str, str, str]:
    return ("camera", identity("camera", number), state, reason)


def lost(number: int) -> tuple[str, str, str, str]:
    return camera(number, "offline", "communication_lost")


def back(number: int) -> tuple[str, str, str, str]:
    return camera(number, "online", "communication_started")


async def states_now(system: Any) -> dict[str, str]:
    return {one.native_key: one.state async for one in system.baseline()}


async def test_a_camera_goes_and_comes_back(bench: Any) -> None:
    one = await bench(**FAST)
    await one.read()
    following = Following(one.system)
    await following.live()
    await one.site.happens("unplug", 3)
    assert await following.next() == lost(3)
    assert (await states_now(one.system))[identity("camera", 3)] == "offline"
    await one.site.happens("plug", 3)
    assert await following.next() == back(3)
    await following.aclose()


async def test_the_time_of_a_state_is_the_systems_own(bench: Any) -> None:
    one = await bench(**FAST)
    await one.read()
    key = identity("camera", 1)
    one.site.site.states[f"cameras/{key}"] = (
        "a334af1c-4b4b-4957-9e5f-ab8ca07feab6",
        "2025-03-08T05:58:41.0300000Z",
    )
    del one.site.site.states[f"recordingServers/{identity('recorder')}"]
    found = [state async for state in one.system.baseline() if state.native_key == key]
    assert [(state.state, f"{state.since:%FT%T.%f}", state.basis) for state in found] == [
        ("offline", "2025-03-08T05:58:41.030000", "state_snapshot")
    ]


async def test_a_camera_the_system_says_nothing_about_is_unknown(bench: Any) -> None:
    one = await bench(**FAST)
    await one.read()
    del one.site.site.states[f"cameras/{identity('camera', 5)}"]
    assert (await states_now(one.system))[identity("camera", 5)] == "unknown"


async def test_a_disabled_camera_is_disabled_not_offline(bench: Any) -> None:
    one = await bench(**FAST)
    one.site.site.cameras[1]["enabled"] = False
    one.site.site.hardware[2]["enabled"] = False
    await one.read()
    await one.site.happens("unplug", 2)
    await one.site.happens("unplug", 3)
    now = await states_now(one.system)
    assert (now[identity("camera", 2)], now[identity("camera", 3)], now[identity("camera", 1)]) == (
        "disabled", "disabled", "online",
    )  # fmt: skip


async def test_a_box_that_fails_takes_its_cameras_with_it(bench: Any) -> None:
    one = await bench(Plan(cameras=4, boxes=2), **FAST)
    await one.read()
    following = Following(one.system)
    await following.live()
    await one.site.happens("unplug-box", 1)
    assert [await following.next(), await following.next()] == [
        camera(1, "offline", "hardware_error"), camera(3, "offline", "hardware_error"),
    ]  # fmt: skip
    await one.site.happens("plug", 3)
    assert await following.next() == back(3)
    assert await states_now(one.system) == {
        identity("camera", 1): "offline", identity("camera", 2): "online", identity("camera", 3): "online",
        identity("camera", 4): "online", identity("recorder"): "online",
    }  # fmt: skip
    await following.aclose()


async def test_without_states_of_boxes_cameras_keep_their_own(bench: Any) -> None:
    one = await bench(assumptions=Assumptions(hardware_states=False), **FAST)
    await one.read()
    await one.site.happens("unplug-box", 1)
    assert set((await states_now(one.system)).values()) == {"online"}


async def test_a_recorder_that_goes_away_leaves_its_cameras_unknown_not_offline(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEAL_AFTER_S", 0.05)
    one = await bench(Plan(cameras=2, boxes=2), **FAST)
    await one.read()
    recorder = identity("recorder")
    following = Following(one.system)
    await following.live()
    await one.site.happens("unplug-recorder", 0)
    assert [await following.next() for _ in range(3)] == [
        ("recorder", recorder, "offline", "communication_lost"),
        camera(1, "unknown", "parent_unknown"), camera(2, "unknown", "parent_unknown"),
    ]  # fmt: skip
    await one.site.happens("plug-recorder", 0)
    assert [await following.next() for _ in range(2)] == [
        ("recorder", recorder, "online", "communication_started"), "new_session",
    ]  # fmt: skip
    found = [state async for state in one.system.baseline()]
    assert {state.state for state in found} == {"online"}
    assert len({state.since for state in found}) == 1, "older words would not count for more than the outage"
    assert await following.next() == "live"
    await following.aclose()


async def test_boxes_that_come_back_are_looked_at_together(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEAL_AFTER_S", 0.2)
    one = await bench(Plan(cameras=2, boxes=2), **FAST)
    await one.read()
    following = Following(one.system)
    await following.live()
    for order in ("unplug-box", "plug-box"):
        await one.site.happens(order, 1)
        await one.site.happens(order, 2)
    assert [await following.next() for _ in range(4)] == [
        camera(1, "offline", "hardware_error"), camera(2, "offline", "hardware_error"), "new_session", "live",
    ]  # fmt: skip
    assert set((await states_now(one.system)).values()) == {"online"}
    await following.aclose()


async def test_without_a_state_of_its_own_a_recorder_is_unknown(bench: Any) -> None:
    one = await bench(assumptions=Assumptions(recorder_states=False), **FAST)
    await one.read()
    assert (await states_now(one.system))[identity("recorder")] == "unknown"


async def test_scenario_11_an_event_while_the_baseline_is_read_is_not_missed(bench: Any) -> None:
    one = await bench(**FAST)
    await one.read()
    following = Following(one.system)
    assert await following.next() == "new_session"
    await one.site.happens("unplug", 1)
    before = await states_now(one.system)
    await one.site.happens("plug", 1)
    assert before[identity("camera", 1)] == "offline"
    assert [await following.next() for _ in range(3)] == ["live", lost(1), back(1)]
    await following.aclose()


async def test_scenario_12_a_session_that_is_resumed_loses_nothing(bench: Any) -> None:
    one = await bench(**FAST)
    await one.read()
    following = Following(one.system)
    await following.live()
    await one.site.happens("unplug", 1)
    assert await following.next() == lost(1)
    await one.site.events.drop()
    await one.site.happens("unplug", 2)
    await one.site.happens("plug", 1)
    assert [await following.next() for _ in range(4)] == ["resumed", "live", lost(2), back(1)]
    await following.aclose()


async def test_scenario_12_a_lost_session_is_a_new_one_with_a_new_subscription(bench: Any) -> None:
    one = await bench(**FAST)
    await one.read()
    following = Following(one.system)
    await following.live()
    await one.site.events.drop(forget=True)
    await one.site.happens("unplug", 1)
    assert await following.next() == "new_session"
    assert (await states_now(one.system))[identity("camera", 1)] == "offline"
    assert await following.next() == "live"
    await one.site.happens("plug", 1)
    assert await following.next() == back(1)
    await following.aclose()


async def test_scenario_12_a_site_that_stays_away_is_blind_once(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "PAUSES_S", (0.0, 0.02, 0.02, 0.02))
    one = await bench(**FAST)
    await one.read()
    following = Following(one.system)
    await following.live()
    one.site.gateway.revoke()
    one.site.gateway.faults = [Fault("connect/token", "503", 3)]
    await one.site.events.drop(forget=True)
    assert [await following.next() for _ in range(3)] == ["blind", "new_session", "live"]
    await following.aclose()


async def test_scenario_13_a_push_between_command_and_answer(bench: Any) -> None:
    one = await bench(assumptions=Assumptions(pushed_between=True), **FAST)
    await one.read()
    following = Following(one.system)
    await following.live()
    assert len(await states_now(one.system)) == 13
    await one.site.happens("unplug", 2)
    assert [await following.next() for _ in range(3)] == [back(1), back(1), lost(2)]
    await following.aclose()


async def test_scenario_14_all_states_in_one_frame_of_20_megabytes(bench: Any) -> None:
    one = await bench(**FAST)
    one.site.events.padding = 20_000_000
    await one.read()
    following = Following(one.system)
    await following.live()
    assert list((await states_now(one.system)).values()).count("online") == 13
    await following.aclose()


async def test_scenario_10_a_thousand_changes_come_in_order(bench: Any) -> None:
    one = await bench(**FAST)
    await one.read()
    following = Following(one.system)
    await following.live()
    for number in range(500):
        await one.site.happens("unplug", 1 + number % 12)
        await one.site.happens("plug", 1 + number % 12)
    found = [await following.next() for _ in range(1000)]
    assert found == [change(1 + number % 12) for number in range(500) for change in (lost, back)]
    await following.aclose()


async def test_a_spent_token_costs_one_login_at_the_socket_too(bench: Any) -> None:
    one = await bench(**FAST)
    await one.read()
    one.site.gateway.revoke()
    following = Following(one.system)
    await following.live()
    assert len(one.requests("connect/token")) == 2
    await following.aclose()


async def test_a_silent_server_is_kept_as_long_as_the_gateway_answers(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "PING_S", 0.05)
    one = await bench(assumptions=Assumptions(pongs=False), timeout="300ms", **FAST)
    await one.read()
    following = Following(one.system)
    await following.live()
    while len(one.requests("/sites")) < 5:
        await asyncio.sleep(0.01)
    await one.site.happens("unplug", 1)
    assert await following.next() == lost(1)
    one.site.gateway.faults = [Fault("/sites", "silent", 0)]
    assert await following.next() == "resumed"
    await following.aclose()


async def test_a_server_without_the_service_is_asked_for_stored_events(bench: Any) -> None:
    one = await bench(assumptions=Assumptions(events="absent"), health={"every": "1s"}, **FAST)
    await one.read()
    with pytest.raises(NotSupported, match="404"):
        await states_now(one.system)
    following = Following(one.system)
    assert await following.next() == "live"
    await one.site.happens("unplug", 2)
    assert await following.next() == lost(2)
    assert await states_now(one.system) == {}
    assert "only stored events" in one.occurrences[0].text
    await following.aclose()


async def test_an_event_server_that_is_down_leaves_the_inventory(bench: Any) -> None:
    one = await bench(assumptions=Assumptions(events="down"), **FAST)
    devices, notes = await one.read()
    assert (len(devices), notes) == (13, [])
    following = Following(one.system)
    assert await following.next() == "blind"
    with pytest.raises(Unreachable, match="503"):
        await states_now(one.system)
    await following.aclose()


async def test_the_socket_is_not_sent_on_to_another_host(bench: Any) -> None:
    other, one = await bench(**FAST), await bench(**FAST)
    one.site.gateway.redirect_to = str(other.system._settings.url) + "/api/ws/events/v1"
    one.site.gateway.faults = [Fault("/api/ws/", "redirect", 0)]
    with pytest.raises(Unreachable, match="not followed"):
        await states_now(one.system)
    assert other.told == []
