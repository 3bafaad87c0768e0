"""Who is online, by polling stand-in cameras (connectors.md 10.2, scenarios 25 to 27)."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from tests.systems.onvif.conftest import Scenes, cameras

from tocsin.engine.systems import Unreachable
from tocsin.model.inventory import FoundState
from tocsin.systems.onvif.health import Hearing

FIRST, SECOND = "acme-ac22-0004418", "acme-ac22-0004419"


async def test_scenario_25_a_frozen_camera_fails_each_probe_and_is_online_after_one(scene: Scenes) -> None:
    """That it takes three of them to be offline is counted by the engine, for everything whose basis is a poll."""
    well, frozen = cameras(2)
    one = await scene([well, frozen])
    assert {key: state.state for key, state in (await one.baseline()).items()} == {FIRST: "online", SECOND: "online"}
    frozen.frozen = True
    for _ in range(3):
        failed = (await one.baseline())[SECOND]
        assert (failed.state, failed.reason, failed.basis) == ("offline", "probe_timeout", "poll")
    frozen.frozen = False
    assert (await one.baseline())[SECOND].state == "online"


async def test_a_closed_port_is_offline_too(scene: Scenes) -> None:
    one = await scene(cameras(2))
    await one.baseline()
    await one.standin.close(1)
    closed = (await one.baseline())[SECOND]
    assert (closed.state, closed.reason) == ("offline", "probe_refused")
    assert "refuses the connection" in closed.detail


async def test_scenario_26_a_wrong_password_is_never_offline(scene: Scenes) -> None:
    (strict,) = cameras(1)
    one = await scene([strict], devices=[{"key": "lobby"}], password="wrong")
    for _ in range(8):
        state = (await one.baseline())["lobby"]
        assert (state.state, state.reason) == ("unknown", "auth_failed")
    assert strict.logins_refused == 3


async def test_a_password_that_is_changed_back_is_noticed(scene: Scenes) -> None:
    (strict,) = cameras(1)
    strict.password = "another"
    one = await scene([strict], devices=[{"key": "lobby"}])
    assert (await one.baseline())["lobby"].reason == "auth_failed"
    strict.password = cameras(1)[0].password
    assert (await one.baseline())["lobby"].state == "online"


async def test_scenario_27_when_nobody_answers_it_is_the_gateway(scene: Scenes) -> None:
    of = cameras(3)
    one = await scene(of)
    assert len(await one.baseline()) == 3
    for camera in of:
        camera.frozen = True
    for _ in range(5):
        with pytest.raises(Unreachable, match="the gateway's own link to them is suspected"):
            await one.baseline()
    of[0].frozen = False
    back = await one.baseline()
    assert {key: state.state for key, state in back.items()}[FIRST] == "online"


async def test_scenario_27_as_markers_of_the_stream(scene: Scenes) -> None:
    of = cameras(2)
    one = await scene(of, health={"every": "1s"})
    async with aclosing(one.system.states()) as states:  # type: ignore[type-var]
        assert await anext(states) == "new_session"
        assert [state.state for state in await _some(states, 4)] == ["online"] * 4
        for camera in of:
            camera.frozen = True
        assert await _next(states, "blind") == []
        for camera in of:
            camera.frozen = False
        assert await _next(states, "live") == []
        assert {state.state for state in await _some(states, 4)} == {"online"}


async def test_with_a_canary_that_answers_the_devices_are_offline(scene: Scenes) -> None:
    of = cameras(2)
    with_canary = await scene(cameras(1))
    one = await scene(of, canary=f"127.0.0.1:{with_canary.ports[0]}")
    assert "blindness" in one.system.capabilities, "else the engine would suspect the way there all the same"
    await one.baseline()
    for camera in of:
        camera.frozen = True
    assert {state.state for state in (await one.baseline()).values()} == {"offline"}


async def test_a_single_camera_is_offline_by_itself(scene: Scenes) -> None:
    (alone,) = cameras(1)
    one = await scene([alone])
    await one.baseline()
    alone.frozen = True
    assert (await one.baseline())[FIRST].state == "offline"


def test_cameras_that_die_one_by_one_are_no_fault_of_the_gateway() -> None:
    hearing = Hearing()
    hearing.heard()
    hearing.ended([], ["a", "b"], False)
    hearing.ended(["a"], ["a", "b"], False)
    assert not hearing.suspicious(["a", "b"], 2)


def test_two_that_fall_silent_at_once_are() -> None:
    hearing = Hearing()
    assert hearing.suspicious(["a", "b"], 2), "nobody was ever heard"
    hearing.heard()
    hearing.ended([], ["a", "b"], False)
    assert hearing.suspicious(["a", "b"], 2)
    assert not hearing.suspicious(["a"], 2)
    assert not hearing.suspicious(["a"], 1)


async def test_a_camera_configured_by_key_is_known_before_it_ever_answered(scene: Scenes) -> None:
    well, frozen = cameras(2)
    frozen.frozen = True
    one = await scene([well, frozen], devices=[{}, {"key": "lobby"}])
    assert (await one.baseline())["lobby"].state == "offline"


async def _some(states: AsyncIterator[Any], count: int) -> list[FoundState]:
    return [await anext(states) for _ in range(count)]


async def _next(states: AsyncIterator[Any], marker: str) -> list[FoundState]:
    """The states before a marker."""
    before = []
    while (state := await anext(states)) != marker:
        before.append(state)
    return before
