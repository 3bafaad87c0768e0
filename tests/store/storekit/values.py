"""Arrivals and outcomes with as little said as a test needs."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from tocsin.model.delivery import DeliveryKey, DeliveryState, Exchange, Outcome, Owed
from tocsin.model.event import Event, Photo, Place
from tocsin.model.kinds import Lane
from tocsin.store.contract import Arrival

START = datetime(2026, 3, 4, 8, 15, 30, 123456, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def event(event_id: str, **facts: Any) -> Event:
    given = {"kind": "motion", "occurred_at": START, "accepted_at": START, "source": "detectors", "device_id": "d1"}
    if "area" in facts:
        facts["place"] = Place(area=facts.pop("area"))
    return Event(id=event_id, **{**given, **facts})


def owed(destination: str = "arc", lane: Lane = Lane.ALARM, **facts: Any) -> Owed:
    return Owed(destination, lane, **{"address": "#9280", "queue": "9280", **facts})


def arrival(event_id: str, *owing: Owed, **facts: Any) -> Arrival:
    """An event with an id of the gateway's own making."""
    return Arrival(event(event_id, **facts), (), owing or (owed(),))


def own(event_id: str, content: str = "a", alternate: str = "", **facts: Any) -> Arrival:
    """An event with an id from its source; `content` stands for what the digest is of."""
    made = arrival(event_id, text=content, **facts)
    return replace(made, digest=content.encode(), alternate_id=alternate or f"{event_id}-{content}")


def photo(n: int, data: bytes = b"\xff\xd8 picture") -> Photo:
    return Photo(n, data, hashlib.sha256(data).hexdigest())


def outcome(seq: int, destination: str, state: DeliveryState, attempts: int = 1, **facts: Any) -> Outcome:
    return Outcome(DeliveryKey(seq, destination), state, attempts, **{"at": at(1), **facts})


def exchange(n: int, result: str = "silent") -> Exchange:
    return Exchange(at(n), "192.0.2.5:4001", result, f"sent {n}", f"answer {n}", "note")
