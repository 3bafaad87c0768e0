"""The agreed examples of connectors.md 1.2, as notices and records of the gateway."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tocsin.model.canonical import DeviceRecord, Health, KeptDevice
from tocsin.model.event import Event, HealthNotice

DATA = Path(__file__).parent / "data"
SCHEMAS = Path(__file__).parents[2] / "inventory" / "schemas"
CAMERA = "xp-hq:camera:98ec38b9-66b3-48a5-b477-79aeb9e3331c"
AT = datetime(2025, 3, 8, 6, 14, 2, 37_000, UTC)
LOST_ID = "6f0c1d2e-5c5a-5f0e-9f57-0d6c1f0a7b11"
NOTICE = HealthNotice("xp-hq", "acct-4410", "offline", LOST_ID, "online", "communication_lost")
LOST = Event(LOST_ID, "connection_lost", AT, AT, "xp-hq", device_id=CAMERA, notice=NOTICE)


def data(name: str) -> Any:
    return json.loads((DATA / name).read_text(encoding="utf-8"))


def kept(key: str, customer: str = "acct-4410") -> KeptDevice:
    """A camera that is online."""
    record = DeviceRecord(f"xp-hq:camera:{key}", f"Camera {key}", "camera", "xp-hq", "camera", key, customer)
    return KeptDevice(record, "hash", AT, AT, Health("online", AT, "event", AT))
