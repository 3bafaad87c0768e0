from datetime import UTC, datetime
from typing import Any

import pytest

from tocsin.model.event import Actor, Event, Place
from tocsin.model.wording import canonical_name, headline, local_time, objects


def event(kind: str, **fields: Any) -> Event:
    at = datetime(2024, 5, 30, 19, 15, 4, tzinfo=UTC)
    return Event(id="1", kind=kind, occurred_at=at, accepted_at=at, source="test", **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "fields", "name", "words"),
    [
        ("motion", {"actors": (Actor("car"), Actor("person"))}, "PersonDetected", "Person detected"),
        ("motion", {"actors": (Actor("bicycle"),)}, "VehicleDetected", "Vehicle detected"),
        ("motion", {}, "MovementDetected", "Movement detected"),
        ("tamper", {"state": "restore"}, "TamperRestored", "Tamper: restored"),
        ("tamper", {"state": "still"}, "Tamper", "Tamper: still present"),
        ("connection_restored", {}, "DeviceConnected", "Device connected"),
        ("connection_lost", {}, "ConnectionLost", "Connection lost"),
        ("critical_battery_shutdown", {}, "CriticalBatteryShutdown", "Switched off: battery critically low"),
        ("routine_check", {}, "RoutineCheck", "Routine check"),
        ("aux_power_lost", {}, "AuxPowerLost", "Auxiliary power lost"),
        ("system_started", {}, "SystemStarted", "System started"),
    ],
)
def test_names(kind: str, fields: dict[str, Any], name: str, words: str) -> None:
    assert (canonical_name(event(kind, **fields)), headline(event(kind, **fields))) == (name, words)


@pytest.mark.parametrize(
    ("zone", "device_zone", "shown"),
    [
        ("+03:00", "", "2024-05-30T22:15:04+03:00"),
        ("-03:30", "", "2024-05-30T15:45:04-03:30"),
        ("Europe/Tallinn", "UTC", "2024-05-30T22:15:04+03:00"),
        ("", "Europe/Tallinn", "2024-05-30T22:15:04+03:00"),
        ("", "", "2024-05-30T19:15:04+00:00"),
        ("Nowhere/Land", "Europe/Berlin", "2024-05-30T21:15:04+02:00"),
        ("../etc/passwd", "", "2024-05-30T19:15:04+00:00"),
        ("+99:99", "", "2024-05-30T19:15:04+00:00"),
    ],
)
def test_local_time(zone: str, device_zone: str, shown: str) -> None:
    assert local_time(event("motion", zone=zone, place=Place(time_zone=device_zone))).isoformat() == shown


def test_objects() -> None:
    assert list(objects(event("motion", actors=(Actor("person", 0.934), Actor("car"))))) == ["person 93%", "car"]
