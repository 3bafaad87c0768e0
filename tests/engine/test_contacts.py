"""Devices that fall silent and come back, batteries that run down: told once each, whatever is restarted or set."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.engine.conftest import ScriptedStation
from tests.engine.virtual_house import SetClock, VirtualHouse, on_virtual_time, virtual_house
from tests.proof.harness.memory_store import MemoryStore

from tocsin.engine.contacts import ContactRules
from tocsin.model.device import Device, Thresholds
from tocsin.store.contract import StoreUnavailable
from tocsin.store.open import open_inline_store

HOUR = 25.0
"""Of these tests: virtual time costs a step for each second."""
CAM = Device("cam", "Gate cam", area="Depot", routine_s=24 * HOUR)
LIMIT_S = 2 * 24 * HOUR + 600
MATTERS = {"connection_lost", "connection_restored", "battery_low", "battery_restored"}


def told(station: ScriptedStation) -> list[str]:
    own = [due.event for due in station.seen if due.event.source == "gateway" and due.event.kind in MATTERS]
    return [event.kind if event.state == "new" else f"{event.kind} {event.state}" for event in own]


def status(house: VirtualHouse, device_id: str = "cam") -> str:
    device = house.gateway.devices.get(device_id)
    assert device is not None
    return house.gateway.contacts.state(device).status


@on_virtual_time
async def test_lost_after_two_periods_and_ten_minutes_and_back_at_the_next_contact(clock: SetClock) -> None:
    station = ScriptedStation()
    async with virtual_house(clock, station, devices=[CAM]) as h:
        assert status(h) == "unknown"
        await h.post("routine_check", "cam")
        assert status(h) == "online"
        await asyncio.sleep(LIMIT_S - 5)
        assert told(station) == []
        await asyncio.sleep(10)
        assert told(station) == ["connection_lost"]
        assert status(h) == "offline"
        lost = station.seen[-1].event
        assert (lost.device_id, lost.place.area, lost.place.name) == ("cam", "Depot", "Gate cam")
        assert "nothing heard from Gate cam since 2024-05-30 19:15 UTC; expected every 0:10:00" in lost.text
        await asyncio.sleep(3 * LIMIT_S)
        assert told(station) == ["connection_lost"], "once"
        await h.post("motion", "cam")
        await h.post("motion", "cam")
        await asyncio.sleep(2)
        assert station.kinds()[-3:] == ["motion", "connection_restored", "motion"] or station.kinds()[-3:] == [
            "motion",
            "motion",
            "connection_restored",
        ], "the contact's own alarm does not wait"
        assert told(station) == ["connection_lost", "connection_restored"]
        assert status(h) == "online"
        await asyncio.sleep(LIMIT_S + 5)
        assert told(station)[2:] == ["connection_lost"], "and again"


@on_virtual_time
async def test_any_event_is_a_contact_but_not_what_others_say_of_the_device(clock: SetClock) -> None:
    station = ScriptedStation()
    async with virtual_house(clock, station, devices=[CAM]) as h:
        for _ in range(3):
            await asyncio.sleep(LIMIT_S - 60)
            await h.post("tamper", "cam")
        assert told(station) == []
        await h.post("connection_lost", "cam")
        await h.post("motion", "other")
        h.gateway.contacts.heard("nobody")
        await asyncio.sleep(LIMIT_S + 5)
        assert told(station) == ["connection_lost"]
        h.gateway.contacts.heard("cam")
        await asyncio.sleep(1)
        assert told(station) == ["connection_lost", "connection_restored"], "a command fetched is a contact"


@on_virtual_time
async def test_a_device_that_says_itself_that_it_is_back_is_not_repeated(clock: SetClock) -> None:
    station = ScriptedStation()
    async with virtual_house(clock, station, devices=[CAM]) as h:
        await asyncio.sleep(LIMIT_S + 5)
        assert told(station) == ["connection_lost"], "never heard at all is silent too"
        await h.post("connection_restored", "cam")
        await asyncio.sleep(2)
        assert told(station) == ["connection_lost"]
        assert status(h) == "online"


@on_virtual_time
async def test_clocks_that_are_set_lose_nobody_and_keep_nobody(clock: SetClock) -> None:
    station = ScriptedStation()
    async with virtual_house(clock, station, devices=[CAM]) as h:
        await h.post("motion", "cam")
        clock.put_forward = timedelta(days=400)
        await asyncio.sleep(HOUR)
        assert told(station) == []
        clock.put_forward = timedelta(days=-400)
        await asyncio.sleep(LIMIT_S)
        assert told(station) == ["connection_lost"]


class _Shop:
    """One store over several lives of the gateway."""

    def __init__(self, store: Any) -> None:
        self.store = store

    def open(self, clock: SetClock, station: ScriptedStation, *devices: Device, **parts: Any) -> Any:
        return virtual_house(clock, station, store=self.store, devices=devices or (CAM,), **parts)


@on_virtual_time
async def test_restarts_neither_forget_nor_repeat(clock: SetClock) -> None:
    shop, station = _Shop(MemoryStore()), ScriptedStation()
    async with shop.open(clock, station) as h:
        await h.post("motion", "cam")
    for _ in range(48):
        async with shop.open(clock, station):
            await asyncio.sleep(HOUR)
    assert told(station) == []
    async with shop.open(clock, station):
        await asyncio.sleep(700)
        assert told(station) == ["connection_lost"], "silence goes on over restarts"
    for _ in range(3):
        async with shop.open(clock, station) as h:
            await asyncio.sleep(HOUR)
            assert status(h) == "offline"
    assert told(station) == ["connection_lost"]
    async with shop.open(clock, station) as h:
        await h.post("motion", "cam")
        await asyncio.sleep(1)
    assert told(station) == ["connection_lost", "connection_restored"]
    async with shop.open(clock, station) as h:
        assert status(h) == "online"
        await h.post("motion", "cam")
        await asyncio.sleep(1)
    assert told(station) == ["connection_lost", "connection_restored"]


@on_virtual_time
async def test_an_outage_of_the_gateway_is_no_silence_of_the_devices(clock: SetClock) -> None:
    shop, station = _Shop(MemoryStore()), ScriptedStation()
    async with shop.open(clock, station) as h:
        await h.post("motion", "cam")
        await asyncio.sleep(HOUR)
    await asyncio.sleep(30 * 24 * HOUR)
    async with shop.open(clock, station):
        await asyncio.sleep(LIMIT_S - 2 * HOUR)
        assert told(station) == []
        await asyncio.sleep(2 * HOUR)
        assert told(station) == ["connection_lost"]


@on_virtual_time
async def test_a_shorter_routine_or_a_device_that_comes_back_gets_a_fair_time(clock: SetClock) -> None:
    shop, station = _Shop(MemoryStore()), ScriptedStation()
    async with shop.open(clock, station):
        await asyncio.sleep(40 * HOUR)
    async with shop.open(clock, station, Device("cam", routine_s=60.0)):
        await asyncio.sleep(590)
        assert told(station) == []
        await asyncio.sleep(60)
        assert told(station) == ["connection_lost"]
    async with shop.open(clock, station, Device("other")):
        await asyncio.sleep(HOUR)
    async with shop.open(clock, station, Device("cam", routine_s=60.0)) as h:
        await h.post("motion", "cam")
        await asyncio.sleep(1)
        assert told(station) == ["connection_lost", "connection_restored"], "what was told is ended"


@on_virtual_time
async def test_while_the_store_cannot_keep_anything_nobody_is_silent(clock: SetClock) -> None:
    class Sulking(MemoryStore):
        sulks = False

        def writable(self) -> bool:
            return not self.sulks

        async def note_contacts(self, *given: Any) -> None:
            if self.sulks:
                raise StoreUnavailable("no")
            await super().note_contacts(*given)

    store, station = Sulking(), ScriptedStation()
    async with _Shop(store).open(clock, station):
        await asyncio.sleep(LIMIT_S - 100)
        store.sulks = True
        await asyncio.sleep(3 * LIMIT_S)
        store.sulks = False
        await asyncio.sleep(50)
        assert told(station) == []
        await asyncio.sleep(100)
        assert told(station) == ["connection_lost"]


@on_virtual_time
async def test_a_commit_in_doubt_is_told_once(clock: SetClock) -> None:
    class Doubtful(MemoryStore):
        lost_answers = 2

        async def accept(self, arrivals: Any) -> Any:
            done = await super().accept(arrivals)
            if any(one.condition for one in arrivals) and self.lost_answers:
                self.lost_answers -= 1
                raise StoreUnavailable("the answer was lost")
            return done

    store, station = Doubtful(), ScriptedStation()
    async with _Shop(store).open(clock, station) as h:
        await asyncio.sleep(LIMIT_S + 30)
        await h.post("motion", "cam")
        await asyncio.sleep(30)
        assert store.lost_answers == 0
        assert told(station) == ["connection_lost", "connection_restored"]


@on_virtual_time
async def test_a_kill_between_the_silence_and_its_telling_tells_it_later_once(clock: SetClock) -> None:
    class Killed(MemoryStore):
        dead = False

        async def accept(self, arrivals: Any) -> Any:
            if self.dead:
                raise StoreUnavailable("killed")
            return await super().accept(arrivals)

    store, station = Killed(), ScriptedStation()
    shop = _Shop(store)
    async with shop.open(clock, station):
        await asyncio.sleep(LIMIT_S - 50)
        store.dead = True
        await asyncio.sleep(100)
    store.dead = False
    assert told(station) == []
    async with shop.open(clock, station) as h:
        await asyncio.sleep(590)
        await h.post("motion", "cam")
        await asyncio.sleep(60)
    assert told(station) == [], "it was heard before anybody was told"


@on_virtual_time
async def test_two_nodes_tell_once_and_either_hears(clock: SetClock) -> None:
    store, one, two = MemoryStore(), ScriptedStation(), ScriptedStation("other")
    both = {"shared": True, "lease_ttl_s": 2.0}
    shop = _Shop(store)
    async with shop.open(clock, one, node="a", **both) as a, shop.open(clock, two, node="b", **both) as b:
        for _ in range(3):
            await asyncio.sleep(LIMIT_S - HOUR)
            await b.post("motion", "cam")
            await asyncio.sleep(60)
            await a.post("motion", "cam")
        lost = [e.event.kind for e in await store.events(_all()) if e.event.kind.startswith("connection")]
        assert lost == []
        await asyncio.sleep(LIMIT_S + 200)
        await b.post("motion", "cam")
        await asyncio.sleep(100)
        found = [e.event.kind for e in await store.events(_all()) if e.event.kind.startswith("connection")]
        assert found == ["connection_restored", "connection_lost"], "newest first"
        assert status(a) == status(b) == "online"


def _all() -> Any:
    from tocsin.store.contract import EventFilter

    return EventFilter(limit=10_000)


LOW = Device("cam", "Gate cam", thresholds=Thresholds(25, 10))


async def _levels(house: VirtualHouse, *levels: int) -> None:
    for level in levels:
        await house.post("motion", "cam", battery=level)
        await asyncio.sleep(1)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((90, 26, 25, 26), []),
        ((24, 23, 26, 24, 30), ["battery_low"]),
        ((24, 31, 24), ["battery_low", "battery_restored", "battery_low"]),
        ((24, 9, 20, 8, 29), ["battery_low", "battery_low still"]),
        ((5, 4, 100), ["battery_low", "battery_restored"]),
        ((0,), ["battery_low"]),
    ],
)
@on_virtual_time
async def test_batteries(clock: SetClock, levels: tuple[int, ...], expected: list[str]) -> None:
    station = ScriptedStation()
    async with virtual_house(clock, station, devices=[LOW]) as h:
        await _levels(h, *levels)
        assert told(station) == expected


@on_virtual_time
async def test_a_battery_is_told_in_words_and_survives_restarts(clock: SetClock, tmp_path: Path) -> None:
    shop, station = _Shop(open_inline_store(str(tmp_path / "tocsin.db"))), ScriptedStation()
    await shop.store.open()
    async with shop.open(clock, station, LOW) as h:
        await _levels(h, 24, 9)
    async with shop.open(clock, station, LOW) as h:
        await _levels(h, 8, 22)
        state = h.gateway.contacts.state(LOW)
        assert (state.battery, state.battery_state, state.status) == (22, "critical", "unknown")
        await _levels(h, 80)
    own = [due.event for due in station.seen if due.event.source == "gateway"]
    assert [(event.kind, event.battery, event.text) for event in own] == [
        ("battery_low", 24, "test: battery of Gate cam at 24 %, below 25 %"),
        ("battery_low", 9, "test: battery of Gate cam at 9 %, critical: below 10 %"),
        ("battery_restored", 80, "test: battery of Gate cam at 80 %, good again"),
    ]
    await shop.store.aclose()


@on_virtual_time
async def test_what_the_device_says_itself_is_not_said_again(clock: SetClock) -> None:
    station = ScriptedStation()
    async with virtual_house(clock, station, devices=[LOW]) as h:
        await h.post("battery_low", "cam", battery=8)
        await _levels(h, 8, 20)
        assert told(station) == []
        await h.post("battery_restored", "cam", battery=40)
        await _levels(h, 40)
        assert told(station) == []
        await h.post("battery_charging_fault", "cam", battery=3)
        await _levels(h, 24)
        assert told(station) == ["battery_low"]


@on_virtual_time
async def test_thresholds_of_the_gateway_are_for_devices_without_their_own(clock: SetClock) -> None:
    station, rules = ScriptedStation(), ContactRules(thresholds=Thresholds(50))
    async with virtual_house(clock, station, devices=[LOW, Device("other")], contacts=rules) as h:
        await h.post("motion", "other", battery=45)
        await h.post("motion", "cam", battery=45)
        await h.post("motion", "stranger", battery=1)
        await asyncio.sleep(1)
        own = [due.event.device_id for due in station.seen if due.event.source == "gateway"]
        assert own == ["other"]
