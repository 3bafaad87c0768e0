"""Devices and the audit record."""

from tocsin.model.device import Device
from tocsin.store.contract import AuditEntry
from tocsin.store.rows import audit_row, device_body
from tocsin.store.steps import Query, Steps, each


def _put_device(device: Device) -> Steps[None]:
    yield Query("put_device", (device.id, device_body(device)))


def _delete_device(device_id: str) -> Steps[bool]:
    return bool((yield Query("delete_device", (device_id,))))


def _audit(entry: AuditEntry) -> Steps[None]:
    yield Query("add_audit", audit_row(entry))


put_device = each(_put_device)
delete_device = each(_delete_device)
audit = each(_audit)
