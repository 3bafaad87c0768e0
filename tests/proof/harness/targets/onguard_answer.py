"""Any answer of OpenAccess is an object or a fault told in one line; any row an event or none."""

from datetime import UTC

import msgspec

from tocsin.engine.systems import SystemFault
from tocsin.systems.onguard.answers import items, members
from tocsin.systems.onguard.events import read_event
from tocsin.systems.onguard.listing import key_of
from tocsin.transports.http import HttpAnswer

SEEDS = (
    b'\0{"version":"1.0","total_items":1,"item_list":[{"property_value_map":{"ID":3,"Name":"Main","IsOnline":true}}]}',
    b'\0{"item_list":[{"serial_number":7,"timestamp":"2026-03-04T05:06:07Z","description":"Door Forced Open"}]}',
    b'\1{"error":{"code":"openaccess.general.invalidapplicationid","message":"You are not licensed."}}',
)


def one(data: bytes) -> None:
    status = (200, 401, 403, 400, 500)[data[0] % 5] if data else 200
    try:
        rows = items(members(HttpAnswer(status, "", (), data[1:]), "instances"), "instances")
    except SystemFault as fault:
        assert "\n" not in str(fault)
        return
    for row in rows:
        assert isinstance(key_of(row, ["ID"]), str)
        event = read_event(row, UTC)
        assert event is None or event.description.isprintable()
        assert msgspec.json.encode(event)
