"""The tree of areas, and what an event is told about its device."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine.areas import AreaTree
from tocsin.engine.devices import DeviceBook
from tocsin.model.device import Area, Device
from tocsin.model.event import Place
from tocsin.store.open import open_inline_store

NOW = datetime(2026, 3, 4, 8, 15, tzinfo=UTC)
TREE = AreaTree(
    [Area("North", customer_id="c-1", time_zone="Europe/Tallinn"), Area("Depot", "North"), Area("Yard", "Depot", "c-2")]
)


def test_lineage_goes_up_nearest_first() -> None:
    assert TREE.lineage("Yard") == ("Yard", "Depot", "North")
    assert TREE.lineage("Elsewhere") == ("Elsewhere",)
    assert TREE.lineage("") == ()


def test_what_an_area_lacks_comes_from_above_and_last_from_the_gateway() -> None:
    assert [TREE.customer_id(name) for name in ("North", "Depot", "Yard", "Elsewhere", "")] == [
        "c-1", "c-1", "c-2", "", "",
    ]  # fmt: skip
    assert TREE.time_zone("Yard") == "Europe/Tallinn"
    assert TREE.time_zone("Elsewhere") == "UTC"


def test_within_takes_in_everything_below() -> None:
    assert TREE.within(frozenset({"Depot"})) == {"Depot", "Yard"}
    assert TREE.within(frozenset({"Elsewhere"})) == {"Elsewhere"}


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("abcdef")))
def test_a_circle_of_parents_ends(parents: dict[str, str]) -> None:
    tree = AreaTree(Area(name, parent) for name, parent in parents.items())
    for name in "abcdef":
        lineage = tree.lineage(name)
        assert lineage[0] == name
        assert len(set(lineage)) == len(lineage) <= 6
        tree.time_zone(name)


async def book(*configured: Device) -> DeviceBook:
    store = open_inline_store()
    await store.open()
    return DeviceBook(store, TREE, configured)


async def test_an_event_is_told_what_the_device_and_its_areas_say() -> None:
    devices = await book(Device("d1", "Cam", "detector", "Depot", "Gate"))
    assert devices.place("d1", "ignored") == Place("Cam", "detector", "Depot", "c-1", "Gate", "Europe/Tallinn")
    assert devices.place("unknown", "Yard") == Place(area="Yard", customer_id="c-2", time_zone="Europe/Tallinn")
    assert devices.place("unknown") == Place()


async def test_a_change_of_a_device_is_seen_by_the_next_event_and_survives_a_restart() -> None:
    devices = await book()
    assert devices.place("d1").name == ""
    await devices.put(Device("d1", "Cam"), NOW)
    assert devices.place("d1").name == "Cam"
    reborn = DeviceBook(devices._store, TREE)
    await reborn.load()
    assert reborn.get("d1") == Device("d1", "Cam", updated_at=NOW)
    assert await reborn.delete("d1")
    assert not await reborn.delete("d1")
    assert reborn.place("d1") == Place()


async def test_the_configuration_wins_and_cannot_be_changed_here() -> None:
    devices = await book()
    await devices.put(Device("d1", "by API"), NOW)
    reborn = DeviceBook(devices._store, TREE, [Device("d1", "by file")])
    await reborn.load()
    assert reborn.place("d1").name == "by file"
    with pytest.raises(PermissionError, match="configuration file"):
        await reborn.put(Device("d1", "again"), NOW)
    with pytest.raises(PermissionError, match="configuration file"):
        await reborn.delete("d1")


async def test_areas_of_the_api_survive_a_restart_and_the_configurations_win() -> None:
    store = open_inline_store()
    await store.open()
    configured = Area("North", time_zone="Europe/Tallinn", origin="config")
    devices = DeviceBook(store, AreaTree([configured]))
    before = devices.version
    await devices.keep([Area("Depot", "North"), Area("South")], [Device("d1", area="Depot")], NOW)
    assert devices.version > before, "plans are made anew"
    assert devices.place("d1").time_zone == "Europe/Tallinn"
    with pytest.raises(PermissionError, match="area North is written in the configuration file"):
        await devices.keep([Area("North", "South")], [Device("d2")], NOW)
    with pytest.raises(PermissionError, match="configuration file"):
        await devices.delete_area("North")
    assert await devices.delete_area("South")
    reborn = DeviceBook(store, AreaTree([configured, Area("Depot", time_zone="UTC", origin="config")]))
    await reborn.load()
    assert [area.name for area in reborn.areas.all()] == ["Depot", "North"]
    assert (reborn.place("d1").time_zone, reborn.get("d2")) == ("UTC", None)
    await store.aclose()
