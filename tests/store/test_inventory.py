"""Devices of on-prem systems: kept with their run in one transaction, health apart, ids for ever."""

from datetime import timedelta

from msgspec.structs import replace
from storekit.values import at

from tocsin.model.canonical import DeviceRecord, Health, KeptDevice, Removal, Run, SystemStanding
from tocsin.model.device import Device
from tocsin.store.inventory import InventoryChange
from tocsin.store.open import open_store
from tocsin.store.plans.lists import DEVICES_AT_ONCE

CAMERA = KeptDevice(
    DeviceRecord("xp:camera:1", "Dock \0 'x'", "camera", "xp", "camera", "1", "acct-1", attributes={"n": 1, "b": True}),
    "hash",
    at(0),
    at(0),
)
READER = replace(CAMERA, record=replace(CAMERA.record, id="xp:reader:2", native_key="2", channel=0))
RUN = Run("R1", "xp", "manual", "succeeded", at(0), at(1))
HEALTH = Health("offline", at(2), "event", at(1), "communication_lost")


def change(*devices, **more):
    return InventoryChange("xp", SystemStanding("xp", at(1)), RUN, devices, **more)


async def test_a_runs_devices_ids_and_standing_are_seen_by_another_node(store, place):
    await store.keep_inventory(change(CAMERA, READER, issued={("camera", "1"): "xp:camera:1"}))
    other = open_store(place)
    await other.open()
    found = list(await other.inventory("xp"))
    assert found[0].record.name == "Dock \0 'x'"
    assert found == [CAMERA, READER]
    assert await other.identities("xp") == {("camera", "1"): "xp:camera:1"}
    assert await other.standing("xp") == SystemStanding("xp", at(1))
    assert list(await other.inventory_systems()) == ["xp"]
    assert await other.run("R1") == RUN
    assert list(await other.inventory("og")) == []
    assert (await other.standing("og"), await other.run("none")) == (None, None)
    await other.aclose()


async def test_a_later_run_does_not_undo_what_was_heard_of_health(store):
    await store.keep_inventory(change(CAMERA))
    await store.put_healths({"xp:camera:1": HEALTH, "xp:camera:unknown": HEALTH})
    await store.keep_inventory(change(replace(CAMERA, updated_at=at(9))))
    (found,) = await store.inventory("xp")
    assert (found.health, found.updated_at) == (HEALTH, at(9))


async def test_a_tombstone_has_no_health_and_goes_when_it_is_forgotten(store):
    await store.keep_inventory(change(CAMERA, issued={("camera", "1"): "xp:camera:1"}))
    await store.put_healths({"xp:camera:1": HEALTH})
    gone = replace(CAMERA, removal=Removal("xp:camera:1", "acct-1", at(5), "absent_from_source"))
    await store.keep_inventory(change(gone))
    assert list(await store.inventory("xp")) == [gone]
    await store.keep_inventory(change(forgotten=["xp:camera:1"]))
    assert list(await store.inventory("xp")) == []
    assert await store.identities("xp") == {("camera", "1"): "xp:camera:1"}, "the id stays given"


async def test_runs_are_kept_newest_first_and_not_for_ever(store):
    for n in range(205):
        await store.put_run(replace(RUN, id=f"R{n:04}", started_at=at(0) + timedelta(seconds=n)))
    await store.put_run(replace(RUN, id="other", system="og"))
    found = [one.id for one in await store.runs("xp", 1000)]
    assert (len(found), found[0], found[-1]) == (200, "R0204", "R0005")
    await store.put_run(replace(RUN, id="R0204", state="failed", error="gone"))
    assert (await store.run("R0204")).error == "gone"


async def test_the_facts_of_single_devices_are_read_by_id(store):
    await store.keep_inventory(change(CAMERA, READER))
    assert await store.records(["xp:camera:1", "xp:camera:none", "a\0b"]) == {"xp:camera:1": CAMERA.record}
    assert len(await store.records(["xp:camera:1", "xp:reader:2"])) == 2
    assert await store.records([]) == {}


async def test_every_device_is_read_however_many_there_are(store):
    devices = [Device(f"d-{n}", type="camera", customer_id="acct-1", origin="xp") for n in range(2 * DEVICES_AT_ONCE)]
    for count in (1, DEVICES_AT_ONCE, 2 * DEVICES_AT_ONCE):
        await store.keep([], devices[:count])
        found = list(await store.devices())
        assert sorted(one.id for one in found) == sorted(one.id for one in devices[:count])
        assert {id(one.customer_id) for one in found} == {id(found[0].customer_id)}, "held once"
