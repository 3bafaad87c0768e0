"""What devices' states become: changes only, in order, and never an offline that is only our own blindness."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

from msgspec.structs import replace
from tests.engine.conftest import ScriptedStation
from tests.engine.virtual_house import SetClock, on_virtual_time
from tests.inventory.conftest import CUSTOMER, RULES, ScriptedSystem, camera, health, opened, site, state

from tocsin.engine.inventory.telling import health_body, inventory_body
from tocsin.model.inventory import FoundDevice, FoundState
from tocsin.telemetry.occurrences import StatesCorrected, SystemWentAway


@asynccontextmanager
async def watched(clock, *devices, rules=RULES, now=None, **more):
    """A site whose system has told its first states and is live."""
    system = ScriptedSystem(*devices)
    system.now = [state(one.native_key, "online") for one in devices] if now is None else now
    async with site(clock, system, rules, **more) as s:
        await s.first_run()
        system.stream.put_nowait("new_session")
        await s.until(lambda: system.baselines == 1)
        await s.until(lambda: len(s.inventories()) == 2)
        yield s


@on_virtual_time
async def test_first_states_go_with_the_inventory_and_only_changes_are_told(clock: SetClock) -> None:
    async with watched(clock, camera(1), camera(2)) as s:
        document = inventory_body(await s.gateway.systems.book.inventory("xp", CUSTOMER), "brief")
        assert document.count(b'"status":"online"') == 2
        for what in ("offline", "offline", "online", "online"):
            s.system.stream.put_nowait(state(1, what, reason="communication_lost"))
            await s.passes(2)
        assert s.told() == [("1", "offline"), ("1", "online")]
        event = next(due.event for due in s.cloud.seen if due.event.kind == "connection_lost")
        assert (event.place.name, event.place.customer_id) == ("Camera 1", CUSTOMER)
        assert event.text == "Camera 1 is offline: communication lost"


@on_virtual_time
async def test_the_watch_begins_with_the_devices_of_the_first_run_and_asks_for_no_other(clock: SetClock) -> None:
    store, system = await opened(), ScriptedSystem(camera(1), camera(2))
    at_once = store.inventory

    async def after_a_while(name):
        await asyncio.sleep(1)
        return await at_once(name)

    store.inventory = after_a_while
    system.now = [state(1, "online"), state(2, "online")]
    system.stream.put_nowait("new_session")
    async with site(clock, system, store=store) as s:
        await s.until(lambda: system.baselines == 1)
        await s.passes(30)
        assert system.readings == 1
        (status,) = await s.gateway.systems.statuses()
        assert status.devices == {"online": 2}
    await store.aclose()


@on_virtual_time
async def test_scenario_10_a_thousand_changes_come_in_order_of_each_device(clock: SetClock) -> None:
    async with watched(clock, *[camera(n) for n in range(250)]) as s:
        for what in ("offline", "online", "offline", "online"):
            for n in range(250):
                s.system.stream.put_nowait(state(n, what))
            await s.passes(2.5)
        began = clock.now()
        await s.until(lambda: len(s.told()) == 1000)
        assert clock.now() - began < timedelta(seconds=5)
        for n in range(250):
            assert [what for key, what in s.told() if key == str(n)] == ["offline", "online"] * 2


@on_virtual_time
async def test_scenario_11_an_event_while_the_baseline_is_read_both_orders(clock: SetClock) -> None:
    for began_with, event, ends in (("online", "offline", "offline"), ("offline", "online", "online")):
        async with watched(clock, camera(1)) as s:
            s.system.baseline_takes_s = 10.0
            s.system.now = [state(1, began_with)]
            s.system.stream.put_nowait("new_session")
            await s.until(lambda s=s: s.system.baselines == 2)
            s.system.stream.put_nowait(state(1, event))
            await s.passes(15)
            assert (await s.kept())["1"].health.state == ends, "the event came after the baseline was begun"


@on_virtual_time
async def test_a_baseline_that_is_older_by_the_sources_clock_does_not_override_an_event(clock: SetClock) -> None:
    async with watched(clock, camera(1)) as s:
        now = clock.now()
        s.system.stream.put_nowait(state(1, "offline", since=now))
        await s.passes(2)
        s.system.now = [state(1, "online", basis="state_snapshot", since=now - timedelta(minutes=5))]
        s.system.stream.put_nowait("new_session")
        await s.until(lambda: s.system.baselines == 2)
        await s.passes(2)
        assert s.told() == [("1", "offline")]
        s.system.now = [state(1, "online", basis="state_snapshot", since=now)]
        s.system.stream.put_nowait("new_session")
        await s.passes(2)
        assert s.told() == [("1", "offline")], "with equal times the event wins"


@on_virtual_time
async def test_reading_all_states_again_heals_what_was_missed_and_counts_it(clock: SetClock) -> None:
    async with watched(clock, camera(1), camera(2)) as s:
        s.system.now = [state(1, "offline"), state(2, "online")]
        await s.until(lambda: s.system.baselines == 2, 3700)
        await s.passes(2)
        assert s.told() == [("1", "offline")]
        assert [one.count for one in s.occurrences if isinstance(one, StatesCorrected)] == [1]
        (status,) = await s.gateway.systems.statuses()
        assert status.reconcile_corrections == 1


@on_virtual_time
async def test_scenario_24_a_panel_is_offline_its_readers_follow_one_event_each_and_back(clock: SetClock) -> None:
    panel = FoundDevice("panel", "3", "Panel", "access_control", subtype="panel")
    readers = [FoundDevice("reader", f"3-{n}", f"Door {n}", "access_control", parent=("panel", "3")) for n in (1, 2)]

    def all_are(what, reason):
        told = [FoundState("panel", "3", what, reason)]
        return told + [FoundState("reader", f"3-{n}", what, reason, "inherited") for n in (1, 2)]

    async with watched(clock, panel, *readers, now=all_are("online", "bit_online")) as s:
        for _ in range(2):
            for one in all_are("offline", "panel_offline"):
                s.system.stream.put_nowait(one)
            await s.passes(2)
        for one in all_are("online", "bit_online"):
            s.system.stream.put_nowait(one)
        await s.until(lambda: len(s.told()) == 6)
        await s.passes(5)
        assert sorted(s.told()[:3]) == [("3", "offline"), ("3-1", "offline"), ("3-2", "offline")]
        assert sorted(s.told()[3:]) == [("3", "online"), ("3-1", "online"), ("3-2", "online")]


@on_virtual_time
async def test_scenario_27_the_gateway_lost_its_link_no_storm(clock: SetClock) -> None:
    rules = health(mode="poll", every_s=60.0, fail_threshold=3, stale_s=180.0)
    system = ScriptedSystem(*[camera(n) for n in range(40)])
    system.now = [state(n, "online", basis="poll") for n in range(40)]
    async with site(clock, system, rules) as s:
        await s.until(lambda: system.baselines == 2, 600)
        system.now = [state(n, "offline", basis="poll", reason="probe_timeout") for n in range(40)]
        await s.passes(900)
        (status,) = await s.gateway.systems.statuses()
        assert status.source.status == "unreachable"
        assert "none of its 40 devices answers" in status.source.error
        assert status.devices == {"unknown": 40}, "what nobody confirms is not known any more"
        assert b'"status"' not in inventory_body(await s.gateway.systems.book.inventory("xp", CUSTOMER), "brief")
        assert len([one for one in s.occurrences if isinstance(one, SystemWentAway)]) == 1
        system.now = [state(n, "online", basis="poll") for n in range(40)]
        await s.passes(120)
        (status,) = await s.gateway.systems.statuses()
        assert (status.source.status, status.devices, s.told()) == ("ok", {"online": 40}, [])


@on_virtual_time
async def test_blindness_of_a_stream_is_told_of_the_system_and_not_of_its_devices(clock: SetClock) -> None:
    async with watched(clock, camera(1)) as s:
        s.system.stream.put_nowait("blind")
        await s.passes(600)
        assert (await s.kept())["1"].health.state == "online", "its last state, for a quarter of an hour"
        await s.passes(600)
        assert (await s.kept())["1"].health.state == "unknown"
        s.system.stream.put_nowait("resumed")
        await s.passes(2)
        assert (await s.kept())["1"].health.state == "online"
        assert (s.told(), s.system.baselines) == ([], 1)


@on_virtual_time
async def test_scenario_30_a_source_whose_clock_is_two_hours_off(clock: SetClock) -> None:
    async with watched(clock, camera(1), camera(2)) as s:
        late, absurd = clock.now() - timedelta(hours=2), clock.now() - timedelta(hours=30)
        s.system.stream.put_nowait(state(1, "offline", since=late))
        s.system.stream.put_nowait(state(2, "offline", since=absurd))
        await s.until(lambda: len(s.told()) == 2)
        events = {due.event.device_id[-1]: due.event for due in s.cloud.seen if due.event.kind == "connection_lost"}
        assert events["1"].occurred_at == late, "within a day the source's time is taken"
        assert events["2"].occurred_at >= clock.now() - timedelta(seconds=5)
        assert abs(events["2"].notice.skew_s + 30 * 3600) < 5
        assert b'"clock_skew_s":-108000' in health_body(events["2"], "extended")
        s.system.stream.put_nowait(state(1, "online", since=late + timedelta(seconds=1)))
        await s.until(lambda: len(s.told()) == 3)


@on_virtual_time
async def test_polled_devices_need_three_failures_and_one_success(clock: SetClock) -> None:
    system = ScriptedSystem(*[camera(n) for n in range(3)])
    online = [state(n, "online", basis="poll") for n in range(3)]
    system.now = online
    async with site(clock, system, health(mode="poll", every_s=60.0, fail_threshold=3, stale_s=180.0)) as s:
        await s.until(lambda: system.baselines == 1)
        await s.passes(30)
        system.now = [state(0, "offline", basis="poll"), *online[1:]]
        await s.passes(120)
        assert s.told() == []
        await s.passes(60)
        assert s.told() == [("0", "offline")]
        system.now = online
        await s.passes(60)
        assert s.told() == [("0", "offline"), ("0", "online")]


@on_virtual_time
async def test_a_system_that_tells_nothing_by_itself_is_asked(clock: SetClock) -> None:
    system = ScriptedSystem(camera(1))
    system.capabilities = frozenset({"inventory", "baseline"})
    system.now = [state(1, "online", basis="poll")]
    async with site(clock, system, health(mode="events", every_s=60.0)) as s:
        await s.until(lambda: system.baselines == 3, 300)
        (status,) = await s.gateway.systems.statuses()
        assert (status.source.status, status.devices) == ("ok", {"online": 1})


@on_virtual_time
async def test_a_held_offline_is_not_told_when_it_is_back_in_time(clock: SetClock) -> None:
    async with watched(clock, camera(1), rules=health(hold_s=30.0)) as s:
        s.system.stream.put_nowait(state(1, "offline"))
        await s.passes(20)
        s.system.stream.put_nowait(state(1, "online"))
        await s.passes(60)
        assert s.told() == []
        s.system.stream.put_nowait(state(1, "offline"))
        await s.passes(32)
        assert s.told() == [("1", "offline")]


@on_virtual_time
async def test_a_flapping_device_is_told_of_once_a_minute_with_its_count(clock: SetClock) -> None:
    async with watched(clock, camera(1)) as s:
        for n in range(60):
            s.system.stream.put_nowait(state(1, "online" if n % 2 else "offline"))
            await s.passes(5)
        await s.passes(70)
        assert 7 <= len(s.told()) <= 14
        last = [due.event for due in s.cloud.seen if due.event.kind.startswith("connection")][-1]
        assert last.notice.flaps > 6
        assert (await s.kept())["1"].health.state == s.told()[-1][1], "the last state is told"


@on_virtual_time
async def test_a_state_of_a_device_nobody_listed_waits_for_the_next_reading(clock: SetClock) -> None:
    async with watched(clock, camera(1)) as s:
        s.system.listed.append(camera(2))
        s.system.stream.put_nowait(state(2, "offline"))
        await s.until(lambda: s.system.readings == 2)
        await s.passes(5)
        assert (await s.kept())["2"].health.state == "offline"
        assert (await s.store.runs("xp", 1))[0].trigger == "event"
        s.system.stream.put_nowait(state(99, "offline"))
        await s.passes(250)
        assert s.system.readings == 2, "one run for all of them, and none again so soon"
        await s.passes(1000)
        assert s.system.readings == 3, "what came too soon for a run had its own, and it is not repeated"
        assert "99" not in await s.kept()


@on_virtual_time
async def test_what_changed_while_the_gateway_was_down_is_told_once_with_the_sources_time(clock: SetClock) -> None:
    store = await opened()
    async with watched(clock, camera(1), camera(2), store=store) as s:
        await s.passes(5)
    went = clock.now()
    await s.passes(600)
    now = [state(1, "offline", basis="state_snapshot", since=went), state(2, "online", basis="state_snapshot")]
    system = ScriptedSystem(camera(1), camera(2))
    system.now = now
    async with site(clock, system, store=store) as s:
        system.stream.put_nowait("new_session")
        await s.until(lambda: s.told() == [("1", "offline")])
        await s.passes(5)
        event = next(due.event for due in s.cloud.seen if due.event.kind == "connection_lost")
        assert event.occurred_at == went
    async with site(clock, system, store=store) as s:
        system.stream.put_nowait("new_session")
        await s.passes(60)
        assert s.told() == [], "it was told before"
    await store.aclose()


@on_virtual_time
async def test_stations_are_told_of_a_devices_health_only_where_the_operator_wants_it(clock: SetClock) -> None:
    for alarms, told in ((frozenset(), []), (frozenset({"connection_lost"}), ["connection_lost"])):
        station = ScriptedStation("arc")
        rules = replace(RULES, alarms=alarms)
        async with watched(clock, camera(1), rules=rules, stations=[station]) as s:
            s.system.stream.put_nowait(state(1, "offline"))
            await s.until(lambda s=s: s.told() == [("1", "offline")])
            s.system.stream.put_nowait(state(1, "online"))
            await s.until(lambda s=s: len(s.told()) == 2)
            assert station.kinds() == told
        assert "motion" not in s.cloud.kinds()


@on_virtual_time
async def test_degraded_is_still_online_for_receivers_of_the_brief(clock: SetClock) -> None:
    async with watched(clock, camera(1)) as s:
        for what in ("degraded", "offline", "online"):
            s.system.stream.put_nowait(state(1, what, reason="tamper"))
            await s.passes(2)
        events = [due.event for due in s.cloud.seen if due.event.notice and due.event.device_id]
        assert [(one.notice.status, one.notice.turned) for one in events] == [
            ("degraded", False),
            ("offline", True),
            ("online", True),
        ]
        assert b'"status":"offline"' in health_body(events[1], "brief")
