"""Areas, devices and the audit record."""

from collections.abc import Sequence

from msgspec import Struct

from tocsin.model.device import Area, Device
from tocsin.store.contract import AuditEntry
from tocsin.store.rows import area_row, audit_row, device_body, device_row, plain
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


def _audit(entry: AuditEntry) -> Steps[None]:
    yield Query("add_audit", audit_row(entry))


put_device = each(_put_device)
delete_device = each(_delete_device)
keep = each(_keep)
delete_area = each(_delete_area)
audit = each(_audit)
