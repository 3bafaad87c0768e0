"""Devices, what is on test, and the audit record."""

from collections.abc import Sequence

from msgspec import Struct

from tocsin.model.device import Device
from tocsin.model.on_test import OnTest
from tocsin.store.contract import AuditEntry
from tocsin.store.rows import audit_row, device_body, microseconds, test_body
from tocsin.store.steps import Query, Steps, each


def _put_device(device: Device) -> Steps[None]:
    yield Query("put_device", (device.id, device_body(device)))


def _delete_device(device_id: str) -> Steps[bool]:
    return bool((yield Query("delete_device", (device_id,))))


class Putting(Struct, frozen=True):
    test: OnTest
    instead_of: Sequence[str]


def _put_test(putting: Putting) -> Steps[None]:
    for test_id in putting.instead_of:
        yield Query("end_test", (test_id,))
    yield Query("put_test", (putting.test.id, microseconds(putting.test.since), test_body(putting.test)))


def _end_test(test_id: str) -> Steps[bool]:
    return bool((yield Query("end_test", (test_id,))))


def _audit(entry: AuditEntry) -> Steps[None]:
    yield Query("add_audit", audit_row(entry))


put_device = each(_put_device)
delete_device = each(_delete_device)
put_test = each(_put_test)
end_test = each(_end_test)
audit = each(_audit)
