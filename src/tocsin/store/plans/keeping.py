"""Areas, devices, what is on test, and the audit record."""

from collections.abc import Sequence

from msgspec import Struct

from tocsin.model.device import Area, Device
from tocsin.model.on_test import OnTest
from tocsin.store.contract import AuditEntry
from tocsin.store.rows import area_row, audit_row, device_body, device_row, microseconds, plain, test_body
from tocsin.store.steps import Bulk, Query, Steps, each


class Inventory(Struct, frozen=True):
    """What is written together; no name and no id twice."""

    areas: Sequence[Area]
    devices: Sequence[Device]


def _put_device(device: Device) -> Steps[None]:
    yield Query("put_device", (device.id, device_body(device)))


def _delete_device(device_id: str) -> Steps[bool]:
    return bool((yield Query("delete_device", (device_id,))))


def _keep(inventory: Inventory) -> Steps[None]:
    yield Bulk("put_areas", [area_row(area) for area in inventory.areas])
    yield Bulk("put_devices", [device_row(device) for device in inventory.devices])


def _delete_area(name: str) -> Steps[bool]:
    return bool((yield Query("delete_area", (plain(name),))))


class Putting(Struct, frozen=True):
    test: OnTest
    instead_of: Sequence[str]


def _put_test(putting: Putting) -> Steps[None]:
    for test_id in putting.instead_of:
        yield Query("end_test", (test_id,))
    yield Query("put_test", (putting.test.id, microseconds(putting.test.since), test_body(putting.test)))


def _end_test(test_id: str) -> Steps[bool]:
    return bool((yield Query("end_test", (test_id,))))


def _remember(noted: tuple[str, str]) -> Steps[None]:
    name, text = noted
    yield Query("put_meta", (f"note {plain(name)}", plain(text)))


def _audit(entry: AuditEntry) -> Steps[None]:
    yield Query("add_audit", audit_row(entry))


put_device = each(_put_device)
delete_device = each(_delete_device)
keep = each(_keep)
delete_area = each(_delete_area)
put_test = each(_put_test)
end_test = each(_end_test)
remember = each(_remember)
audit = each(_audit)
