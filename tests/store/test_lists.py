"""What people ask: filters, pages, devices, audit."""

import pytest
from msgspec.structs import replace
from storekit.values import arrival, at, outcome, owed

from tocsin.model.delivery import DeliveryKey
from tocsin.model.device import Area, Device
from tocsin.model.event import Address
from tocsin.store.contract import AuditEntry, DeliveryFilter, EventFilter


@pytest.fixture
async def filled(store):
    await store.accept(
        [
            arrival("E1", kind="motion", device_id="d1", source="detectors", area="North", accepted_at=at(1)),
            arrival("E2", kind="tamper", device_id="d2", source="panels", area="South", accepted_at=at(2)),
            arrival("E3", kind="motion", device_id="d2", source="panels", area="North", accepted_at=at(3)),
            arrival("E4", kind="motion", device_id="", source="detectors", accepted_at=at(4)),
        ]
    )
    return store


EVENTS = [
    (EventFilter(), [4, 3, 2, 1]),
    (EventFilter(limit=2), [4, 3]),
    (EventFilter(limit=2, before=3), [2, 1]),
    (EventFilter(kind="motion"), [4, 3, 1]),
    (EventFilter(device_id="d2"), [3, 2]),
    (EventFilter(device_id="d2", kind="motion"), [3]),
    (EventFilter(source="panels"), [3, 2]),
    (EventFilter(area="North"), [3, 1]),
    (EventFilter(since=at(3)), [4, 3]),
    (EventFilter(areas=frozenset({"North", "South"})), [3, 2, 1]),
    (EventFilter(areas=frozenset({"North"}), devices=frozenset({"d1"})), [1]),
    (EventFilter(areas=frozenset()), []),
    (EventFilter(devices=frozenset()), []),
    (EventFilter(kind="fire"), []),
]


async def test_events(filled):
    for wanted, expected in EVENTS:
        assert [one.seq for one in await filled.events(wanted)] == expected, wanted


async def test_one_event(filled):
    assert (await filled.event("E2")).seq == 2
    assert await filled.event("nobody") is None


@pytest.fixture
async def delivered(store):
    """Six events for two destinations, in every kind of state."""
    await store.accept([arrival(f"E{n}", owed("arc"), owed("web")) for n in range(6)])
    states = ["delivered", "rejected", "expired", "retrying", "discarded"]
    await store.settle([outcome(n, "arc", state) for n, state in enumerate(states, 1)])
    await store.settle([outcome(2, "web", "delivered")])
    return store


DELIVERIES = [
    (DeliveryFilter(limit=4), "6.arc 6.web 5.arc 5.web"),
    (DeliveryFilter(limit=3), "6.arc 6.web 5.arc 5.web"),
    (DeliveryFilter(limit=2, before=5), "4.arc 4.web"),
    (DeliveryFilter(destination="arc", before=4), "3.arc 2.arc 1.arc"),
    (DeliveryFilter(destination="arc", limit=2), "6.arc 5.arc"),
    (DeliveryFilter(states=frozenset({"delivered"})), "2.web 1.arc"),
    (DeliveryFilter(states=frozenset({"rejected", "expired"})), "3.arc 2.arc"),
    (DeliveryFilter(states=frozenset({"rejected", "delivered"})), "2.arc 2.web 1.arc"),
    (DeliveryFilter(states=frozenset({"retrying"})), "4.arc"),
    (DeliveryFilter(states=frozenset({"pending", "retrying"}), limit=3), "6.arc 6.web 5.web"),
    (DeliveryFilter(states=frozenset({"pending"}), destination="web", before=4), "3.web 1.web"),
    (DeliveryFilter(states=frozenset({"pending"}), destination="arc"), "6.arc"),
    (DeliveryFilter(destination="nobody"), ""),
]


async def test_deliveries(delivered):
    for wanted, expected in DELIVERIES:
        assert " ".join(str(one.key) for one in await delivered.deliveries(wanted)) == expected, wanted


async def test_pages_of_deliveries_leave_none_out(delivered):
    seen: list[DeliveryKey] = []
    before = None
    while page := await delivered.deliveries(DeliveryFilter(limit=3, before=before)):
        seen += [one.key for one in page]
        before = page[-1].key.event_seq
    assert sorted(seen) == [DeliveryKey(n, name) for n in range(1, 7) for name in ("arc", "web")]


async def test_deliveries_of_events(delivered):
    found = await delivered.deliveries_of([2, 99])
    assert {seq: [str(one.key) for one in ones] for seq, ones in found.items()} == {2: ["2.arc", "2.web"], 99: []}
    assert dict(await delivered.deliveries_of([])) == {}


async def test_devices(store):
    gate = Device("d1", "Gate", area="North", addresses={"arc": Address("0042", zone="007")}, updated_at=at(1))
    await store.put_device(gate)
    await store.put_device(Device("a0"))
    await store.put_device(replace(gate, name="North gate"))
    assert list(await store.devices()) == [Device("a0"), replace(gate, name="North gate")]
    assert await store.delete_device("d1") is True
    assert await store.delete_device("d1") is False
    assert list(await store.devices()) == [Device("a0")]
    assert Area("North").parent == ""


async def test_areas_and_many_devices_at_once(store):
    north = Area("North depot", "North", "acct", "Europe/Tallinn", {"arc": Address("0042")}, updated_at=at(1))
    many = [Device(f"d{n:04}", area="North depot") for n in range(700)]
    await store.keep([Area("North"), north], many)
    await store.keep([replace(north, customer_id="other")], [replace(many[0], name="Gate")])
    assert list(await store.areas()) == [Area("North"), replace(north, customer_id="other")]
    assert list(await store.devices()) == [replace(many[0], name="Gate"), *many[1:]]
    assert await store.delete_area("North") is True
    assert await store.delete_area("North") is False
    assert [area.name for area in await store.areas()] == ["North depot"]


async def test_audit_newest_first(store):
    entries = [AuditEntry(at(n), "eva", "discard", f"{n}.arc", "192.0.2.9", "done") for n in range(5)]
    for entry in entries:
        await store.audit(entry)
    assert list(await store.audit_entries(3)) == entries[:1:-1]


async def test_a_text_is_remembered_under_its_name_and_the_last_one_counts(store):
    assert await store.recall("standing of north") == ""
    await store.remember("standing of north", "{}")
    await store.remember("standing of north", 'ünly\0"this')
    await store.remember("schema", "is no note of the store's own")
    assert await store.recall("standing of north") == 'ünly␀"this'
    assert await store.recall("standing of south") == ""
