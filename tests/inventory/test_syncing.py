"""From a system's facts to what a customer has: the scenarios of connectors.md 10.2 that are the engine's."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.engine.virtual_house import SetClock, on_virtual_time
from tests.inventory.conftest import CUSTOMER, MINUTE, RULES, ScriptedSystem, camera, health, opened, site, state

from tocsin.engine.inventory.rules import CustomerRule, Schedule
from tocsin.engine.inventory.runs import RunParts, SystemRuns
from tocsin.engine.inventory.source import SourceWatch
from tocsin.engine.inventory.systems import TooSoon, Wish
from tocsin.engine.inventory.telling import inventory_body
from tocsin.engine.systems import LoginRefused, Unreachable
from tocsin.model.canonical import KeptDevice, Run
from tocsin.model.inventory import FoundDevice, Note

MANY = [camera(n) for n in range(2500)]


@on_virtual_time
async def test_the_first_run_comes_right_after_the_start_and_the_cloud_is_told(clock: SetClock) -> None:
    async with site(clock, ScriptedSystem(camera(1), camera(2))) as s:
        run = await s.first_run()
        assert (run.state, run.trigger, run.counts.added) == ("succeeded", "schedule", 2)
        assert await s.alive() == ["1", "2"]
        await s.until(lambda: len(s.inventories()) == 1)
        assert s.inventories()[0].customer_id == CUSTOMER


@on_virtual_time
async def test_scenario_4_a_page_that_fails_for_good_removes_nothing_and_brings_what_is_new(clock: SetClock) -> None:
    async with site(clock, ScriptedSystem(camera(1), camera(2))) as s:
        await s.first_run()
        s.system.listed = [camera(1), camera(3), Note("page 7 failed", partial=True)]
        for _ in range(3):
            run = await s.run()
        assert (run.state, run.counts.added, run.counts.removed) == ("partial", 0, 0)
        assert "not complete: page 7 failed" in run.notes
        assert await s.alive() == ["1", "2", "3"], "the one not seen is carried over"
        s.system.listed = [camera(4), Unreachable("connection reset")]
        run = await s.run()
        assert (run.state, run.counts.added) == ("partial", 1)
        assert "the reading broke off: connection reset" in run.notes[0]
        assert await s.alive() == ["1", "2", "3", "4"]


@on_virtual_time
async def test_scenario_5_many_vanish_held_until_somebody_accepts(clock: SetClock) -> None:
    async with site(clock, ScriptedSystem(*MANY)) as s:
        await s.first_run()
        s.system.listed = list(MANY[:2200])
        assert (await s.run()).state == "succeeded", "missing once"
        held = await s.run()
        assert (held.state, held.counts.removed, held.counts.missing) == ("held", 0, 300)
        assert "300 devices would be removed at once" in held.notes[0]
        assert "tocsin sync xp --accept-removals" in held.notes[0]
        assert len(await s.alive()) == 2500
        (status,) = await s.gateway.systems.statuses()
        assert status.held == 300
        accepted = await s.run(accept_removals=True)
        assert (accepted.state, accepted.counts.removed) == ("succeeded", 300)
        assert len(await s.alive()) == 2200


@on_virtual_time
async def test_many_removals_are_believed_after_further_complete_readings_that_agree(clock: SetClock) -> None:
    async with site(clock, ScriptedSystem(*MANY[:100])) as s:
        await s.first_run()
        s.system.listed = list(MANY[:50])
        states = [(await s.run()).state for _ in range(3)]
        s.system.listed = [*MANY[:50], Note("a recorder did not answer", partial=True)]
        states.append((await s.run()).state)
        s.system.listed = list(MANY[:50])
        states += [(await s.run()).state for _ in range(4)]
        assert states == ["succeeded", "held", "held", "partial", "held", "held", "held", "succeeded"]
        assert len(await s.alive()) == 50


@on_virtual_time
async def test_an_empty_list_where_there_were_devices_is_always_held(clock: SetClock) -> None:
    async with site(clock, ScriptedSystem(camera(1))) as s:
        await s.first_run()
        s.system.listed = []
        run = await s.run()
        assert (run.state, await s.alive()) == ("held", ["1"])
        assert "the system lists no device any more" in run.notes[0]


@on_virtual_time
async def test_scenario_6_one_vanishes_one_tombstone_after_two_complete_runs_and_it_comes_back_the_same(
    clock: SetClock,
) -> None:
    async with site(clock, ScriptedSystem(camera(1), camera(2))) as s:
        await s.first_run()
        first_seen = (await s.kept())["2"].first_seen
        s.system.listed = [camera(1)]
        once = await s.run()
        assert (once.counts.removed, [line.what for line in once.differences]) == (0, ["?"])
        twice = await s.run()
        assert (twice.counts.removed, twice.differences[0].detail) == (1, "no longer in the system")
        gone = (await s.kept())["2"].removal
        assert (gone.reason, gone.customer_id) == ("absent_from_source", CUSTOMER)
        assert (await s.run()).counts.removed == 0, "one tombstone"
        found = await s.gateway.systems.book.inventory("xp", CUSTOMER)
        assert [one.id for one in found.removed] == ["xp:camera:2"]
        clock.put_forward += timedelta(days=29)
        s.system.listed = [camera(1), camera(2)]
        back = await s.run()
        assert back.differences[0].detail == "back"
        again = (await s.kept())["2"]
        assert (again.removal, again.first_seen, again.record.id) == (None, first_seen, "xp:camera:2")


@on_virtual_time
async def test_scenario_7_a_source_that_restarts_during_a_run_sets_nobody_offline(clock: SetClock) -> None:
    async with site(clock, ScriptedSystem(camera(1), camera(2)), health(mode="events")) as s:
        await s.first_run()
        s.system.now = [state(1, "online"), state(2, "online")]
        s.system.stream.put_nowait("new_session")
        await s.until(lambda: s.system.baselines == 1)
        s.system.down = Unreachable("it restarts")
        s.system.stream.put_nowait("blind")
        run = await s.run()
        assert (run.state, run.error, run.error_class) == ("failed", "it restarts", "Unreachable")
        (status,) = await s.gateway.systems.statuses()
        assert (status.source.status, status.devices) == ("unreachable", {"online": 2})
        s.system.down = None
        before = s.system.readings
        await s.until(lambda: s.system.readings > before, 70)
        s.system.stream.put_nowait("new_session")
        await s.until(lambda: s.system.baselines == 2)
        (status,) = await s.gateway.systems.statuses()
        assert (status.source.status, s.told()) == ("ok", [])


@on_virtual_time
async def test_scenario_9_a_wrong_password_is_tried_at_most_three_times_in_the_first_hour(clock: SetClock) -> None:
    async with site(clock, ScriptedSystem(LoginRefused("wrong password"))) as s:
        await s.passes(3600)
        assert 1 <= s.system.readings <= 3
        (status,) = await s.gateway.systems.statuses()
        assert (status.source.status, status.source.error) == ("auth_failed", "wrong password")


@on_virtual_time
async def test_scenario_18_by_hand_by_program_and_on_schedule_at_once_is_one_run(clock: SetClock) -> None:
    system = ScriptedSystem(camera(1))
    system.reading_takes_s = 30.0
    async with site(clock, system) as s:
        await s.until(lambda: s.system.readings == 1)
        asked = [await s.gateway.systems.sync("xp", Wish(trigger)) for trigger in ("manual", "rpc", "schedule")]
        (running,) = await s.store.runs("xp", 10)
        assert [(run.id, joined) for run, joined in asked] == [(running.id, True)] * 3
        fresh, joined = await s.gateway.systems.sync("xp", Wish(fresh=True))
        again, also = await s.gateway.systems.sync("xp", Wish(fresh=True))
        assert (joined, also, again.id) == (False, True, fresh.id), "exactly one follows"
        await s.ended(fresh.id)
        assert s.system.readings == 2


@on_virtual_time
async def test_one_that_accepts_removals_is_not_lost_in_a_run_that_does_not(clock: SetClock) -> None:
    system = ScriptedSystem(camera(1))
    system.reading_takes_s = 30.0
    async with site(clock, system) as s:
        await s.until(lambda: s.system.readings == 1)
        run, joined = await s.gateway.systems.sync("xp", Wish(accept_removals=True))
        assert not joined
        assert (await s.ended(run.id)).accept_removals


@on_virtual_time
async def test_a_program_may_ask_once_a_minute(clock: SetClock) -> None:
    async with site(clock, ScriptedSystem(camera(1))) as s:
        await s.first_run()
        run, _ = await s.gateway.systems.sync("xp", Wish("rpc"))
        await s.ended(run.id)
        with pytest.raises(TooSoon):
            await s.gateway.systems.sync("xp", Wish("rpc"))
        await s.passes(61)
        await s.gateway.systems.sync("xp", Wish("rpc"))


@on_virtual_time
async def test_scenario_19_the_same_inventory_twice_is_the_same_bytes_and_hashes(clock: SetClock) -> None:
    devices = [camera(2, attributes={"vendor": "Axis", "model": "P"}), camera(1, macs=("3cef8c0a517e",))]
    async with site(clock, ScriptedSystem(*devices)) as s:
        await s.first_run()
        first = inventory_body(await s.gateway.systems.book.inventory("xp", CUSTOMER), "brief")
        hashes = {key: one.content_hash for key, one in (await s.kept()).items()}
        await s.passes(3600)
        s.system.listed = [replace(one, attributes=dict(reversed(one.attributes.items()))) for one in devices[::-1]]
        run = await s.run()
        assert (run.counts.changed, run.differences) == (0, ())
        assert inventory_body(await s.gateway.systems.book.inventory("xp", CUSTOMER), "brief") == first
        assert {key: one.content_hash for key, one in (await s.kept()).items()} == hashes


@on_virtual_time
async def test_scenario_20_the_zoo_of_mac_addresses(clock: SetClock) -> None:
    six_by_six = "5792c4:5792c5:5792c6:5792c7:5792c8:5792c9"
    zoo = ["3C-EF-8C-0A-51-7E", "3cef8c0a517f", "3cef.8c0a.5180", six_by_six, "", "0" * 12]
    dummies = [camera(f"d{n}", macs=("00:11:22:33:44:55",)) for n in range(20)]
    async with site(clock, ScriptedSystem(*[camera(n, macs=(text,)) for n, text in enumerate(zoo)], *dummies)) as s:
        run = await s.first_run()
        kept = await s.kept()
        found = [kept[str(n)].record.mac_address for n in range(len(zoo))]
        assert found == ["3C:EF:8C:0A:51:7E", "3C:EF:8C:0A:51:7F", "3C:EF:8C:0A:51:80", "", "", ""]
        assert kept["3"].record.attributes == {"mac_dropped": "invalid"}
        assert kept["4"].record.attributes == {}
        assert {kept[f"d{n}"].record.mac_address for n in range(20)} == {""}
        assert [note for note in run.notes if "dummy" in note] == [
            "the MAC address 00:11:22:33:44:55 is on more than 16 boxes: a dummy"
        ]


@on_virtual_time
async def test_scenario_21_four_lenses_of_one_box_with_one_mac_and_ip_are_four_devices(clock: SetClock) -> None:
    shared = {"macs": ("3cef8c0a517e",), "address": "http://10.31.4.22:443/", "parent": ("hardware", "box")}
    lenses = [camera(f"lens{n}", channel=n, **shared) for n in range(4)]
    async with site(clock, ScriptedSystem(*lenses)) as s:
        await s.first_run()
        kept = await s.kept()
        assert sorted(one.record.id for one in kept.values()) == [f"xp:camera:lens{n}" for n in range(4)]
        assert {(one.record.mac_address, one.record.ip) for one in kept.values()} == {
            ("3C:EF:8C:0A:51:7E", "10.31.4.22")
        }
        assert {one.record.parent_id for one in kept.values()} == {"xp:hardware:box"}


@on_virtual_time
async def test_scenario_28_a_device_that_is_nobodys_is_withheld_counted_and_visible(clock: SetClock) -> None:
    rules = replace(RULES, customer_id="", customers=(CustomerRule("acct-5521", location_glob="Tenant B/*"),))
    async with site(clock, ScriptedSystem(camera(1), camera(2, location="Tenant B/Dock")), rules) as s:
        run = await s.first_run()
        assert (run.counts.seen, run.counts.unmapped) == (2, 1)
        assert run.notes == ("1 devices have no customer and are not sent: customer_id or customer_rules",)
        (status,) = await s.gateway.systems.statuses()
        assert status.unmapped == 1
        assert [one.record.id for one in await s.gateway.systems.book.of_customer()] == ["xp:camera:2"]
        await s.until(lambda: len(s.inventories()) == 1)
        assert [one.customer_id for one in s.inventories()] == ["acct-5521"]


@on_virtual_time
async def test_a_device_that_moves_to_another_customer_is_gone_for_the_first_first(clock: SetClock) -> None:
    rules = replace(RULES, customers=(CustomerRule("acct-9", name_glob="B *"),))
    async with site(clock, ScriptedSystem(camera(1), camera(2)), rules) as s:
        await s.first_run()
        await s.until(lambda: len(s.inventories()) == 1)
        s.system.listed = [camera(1), camera(2, name="B Dock")]
        await s.run()
        await s.until(lambda: len(s.inventories()) == 3)
        assert [one.customer_id for one in s.inventories()[1:]] == [CUSTOMER, "acct-9"]
        lost = await s.gateway.systems.book.inventory("xp", CUSTOMER)
        assert [(one.id, one.reason) for one in lost.removed] == [("xp:camera:2", "customer_changed")]
        won = await s.gateway.systems.book.inventory("xp", "acct-9")
        assert [one.record.id for one in won.devices] == ["xp:camera:2"]


@on_virtual_time
async def test_a_type_that_is_no_longer_wanted_is_removed_at_once(clock: SetClock) -> None:
    store = await opened()
    microphone = FoundDevice("microphone", "9", "Mic", "audio")
    async with site(clock, ScriptedSystem(camera(1), microphone), store=store) as s:
        await s.first_run()
        assert await s.alive() == ["1", "9"]
    rules = replace(RULES, include_types=frozenset({"camera"}))
    async with site(clock, ScriptedSystem(camera(1), microphone), rules, store) as s:
        run = await s.first_run()
        assert (run.counts.withheld, run.counts.removed, await s.alive()) == (1, 1, ["1"])
        assert (await s.kept())["9"].removal.reason == "excluded_by_rule"
    await store.aclose()


@on_virtual_time
async def test_a_dry_run_says_what_would_change_and_changes_nothing(clock: SetClock) -> None:
    async with site(clock, ScriptedSystem(camera(1), camera(2))) as s:
        await s.first_run()
        await s.until(lambda: len(s.inventories()) == 1)
        s.system.listed = [camera(2, name="Dock", macs=("3cef8c0a517e",)), camera(3)]
        run = await s.run(dry_run=True)
        assert [(line.what, line.id, line.detail) for line in run.differences] == [
            ("~", "xp:camera:2", "name: Camera 2 → Dock, mac_address: - → 3C:EF:8C:0A:51:7E"),
            ("+", "xp:camera:3", "camera"),
            ("?", "xp:camera:1", "missing for the 1. time, removed at the 2."),
        ]
        assert (run.dry_run, run.state) == (True, "succeeded")
        assert await s.alive() == ["1", "2"]
        assert (await s.kept())["2"].record.name == "Camera 2"
        await s.passes(60)
        assert len(s.inventories()) == 1


@on_virtual_time
async def test_two_devices_with_one_key_are_both_left_out_and_nothing_is_removed(clock: SetClock) -> None:
    async with site(clock, ScriptedSystem(camera(1), camera(2))) as s:
        await s.first_run()
        s.system.listed = [camera(1), camera(1, name="Twin"), camera(3)]
        for _ in range(3):
            run = await s.run()
        assert run.state == "partial"
        assert "xp:camera:1 came more than once" in run.notes[0]
        assert await s.alive() == ["1", "2", "3"]
        assert (await s.kept())["1"].record.name == "Camera 1"


@on_virtual_time
async def test_the_schedule_comes_again_a_tenth_early_or_late_or_when_cron_says(clock: SetClock) -> None:
    rules = replace(RULES, schedule=Schedule(every_s=3600.0))
    async with site(clock, ScriptedSystem(camera(1)), rules) as s:
        await s.first_run()
        began = clock.now()
        await s.until(lambda: s.system.readings == 2, 4000)
        assert timedelta(minutes=54) <= clock.now() - began <= timedelta(minutes=66) + MINUTE
    rules = replace(RULES, schedule=Schedule(cron="0 3 * * *", time_zone="Europe/Tallinn"))
    async with site(clock, ScriptedSystem(camera(1)), rules) as s:
        await s.first_run()
        await s.until(lambda: s.system.readings == 2, 90000)
        assert (clock.now().hour, clock.now().minute) == (0, 0), "three o'clock in Tallinn, in summer"


@on_virtual_time
async def test_a_run_that_a_stop_interrupted_has_failed_after_the_start(clock: SetClock) -> None:
    store = await opened()
    system = ScriptedSystem(camera(1))
    system.reading_takes_s = 600.0
    async with site(clock, system, store=store) as s:
        await s.until(lambda: s.system.readings == 1)
        (running,) = await s.store.runs("xp", 1)
    async with site(clock, ScriptedSystem(camera(1)), store=store) as s:
        ended = await s.ended(running.id)
        assert (ended.state, ended.error) == ("failed", "the gateway was stopped")
        await s.until(lambda: s.system.readings == 1)
    await store.aclose()


@on_virtual_time
async def test_a_connectors_defect_ends_the_run_and_the_next_one_comes(clock: SetClock) -> None:
    async with site(clock, ScriptedSystem(RuntimeError("a defect"))) as s:
        await s.until(lambda: s.system.readings == 1)
        s.system.listed = [camera(1)]
        await s.until(lambda: s.system.readings == 2, 10)
        await asyncio.sleep(0.1)
        last, first = await s.store.runs("xp", 2)
        assert (first.state, first.error) == ("failed", "internal error: RuntimeError: a defect")
        assert last.state == "succeeded"


@on_virtual_time
async def test_a_run_whose_outcome_is_kept_has_ended_for_whoever_asks_while_it_is_being_told(clock: SetClock) -> None:
    telling, told = asyncio.Event(), asyncio.Event()

    async def kept(run: Run, devices: Sequence[KeptDevice]) -> None:
        telling.set()
        await told.wait()

    store = await opened()
    ids = (f"run-{n}" for n in range(9))
    parts = RunParts(
        store, clock, random.Random(1), lambda _: None, lambda: next(ids), kept, lambda _: None, lambda: True
    )
    watch = SourceWatch("xp", clock, lambda _: None, lambda _: None)
    runs = SystemRuns(ScriptedSystem(camera(1)), RULES, parts, watch)
    work = asyncio.create_task(runs.run())
    try:
        await telling.wait()
        asked, joined = await runs.request(Wish())
        assert (asked.state, joined, runs.current()) == ("queued", False, None)
    finally:
        work.cancel()
        await asyncio.wait([work])
        await store.aclose()
