"""The agreed examples and schemas of connectors.md 1.2 and 1.11, and an event of theirs."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tocsin.model.event import Event, Place

DATA = Path(__file__).parent / "data"
CAMERA = "xp-hq:camera:98ec38b9-66b3-48a5-b477-79aeb9e3331c"
LOST = Event(
    id="01J8ZQ5C7Q0000000000000001",
    kind="connection_lost",
    occurred_at=datetime(2025, 3, 8, 6, 14, 2, 37_000, UTC),
    accepted_at=datetime(2025, 3, 8, 6, 14, 2, 91_000, UTC),
    source="xp-hq",
    device_id=CAMERA,
    place=Place(customer_id="acct-4410"),
)


def data(name: str) -> Any:
    return json.loads((DATA / name).read_text(encoding="utf-8"))
